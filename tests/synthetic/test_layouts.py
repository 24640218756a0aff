import hashlib
import re
from collections import defaultdict

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import SettingsError
from rlq.synthetic.build import _manifest
from rlq.synthetic.layouts import CelebSpec, PrccSpec, albums
from rlq.synthetic.layouts.catalogue import LAYOUTS
from rlq.synthetic.layouts.ccvid import CcvidSpec
from rlq.synthetic.layouts.vc_clothes import VcClothesSpec

PRCC = PrccSpec(train_people=30, test_people=12, train_pictures=10, test_pictures=4)
CELEB = CelebSpec(train_people=12, test_people=5, train_pictures=15, query_pictures=2, gallery_pictures=4)
TRAIN = re.compile(r"rgb/(train|val)/(\d{3})/([ABC])_cropped_rgb(\d{3,4})\.jpg")
TEST = re.compile(r"rgb/test/([ABC])/(\d{3})/cropped_rgb(\d{3,4})\.jpg")
PHOTO = re.compile(r"(train|query|gallery)/(\d+)_(\d+)_(\d+)\.jpg")


def test_prcc_names_follow_the_layout_and_are_unique():
    pictures = [picture for album in albums(PRCC) for picture in album.pictures]
    assert all(TRAIN.fullmatch(picture.path) or TEST.fullmatch(picture.path) for picture in pictures)
    assert len({picture.path for picture in pictures}) == len(pictures) == 30 * 3 * 11 + 12 * 3 * 4
    assert any(re.search(r"rgb\d{4}\.", picture.path) for picture in pictures)  # as in the real set


def test_prcc_wears_one_outfit_before_a_and_b_and_others_before_c():
    outfits_at_c = set()
    for album in albums(PRCC):
        worn = {camera: {picture.outfit for picture in album.pictures if picture.camera == camera} for camera in "ABC"}
        assert worn["A"] == worn["B"] == {0}
        assert 0 not in worn["C"]
        outfits_at_c.add(len(worn["C"]))
    assert outfits_at_c == {1, 2, 3}  # most change once more


def test_training_and_test_people_of_prcc_are_disjoint_and_only_train_has_masks():
    train = {album.pid for album in albums(PRCC) if album.categories == ("train",)}
    test = {album.pid for album in albums(PRCC) if album.categories == ("query", "gallery")}
    assert (len(train), len(test)) == (30, 12)
    assert not train & test
    for picture in (picture for album in albums(PRCC) for picture in album.pictures):
        assert picture.masked == picture.path.startswith("rgb/train/")


def test_celeb_names_follow_the_layout_and_pids_restart():
    found = albums(CELEB)
    names = [PHOTO.fullmatch(picture.path) for album in found for picture in album.pictures]
    assert all(names)
    assert len({name[0] for name in names}) == len(names) == 12 * 15 + 5 * 6
    assert all(1 <= int(name[3]) <= 99 for name in names)
    train = [album.pid for album in found if album.categories == ("train",)]
    test = [album.pid for album in found if album.categories == ("query", "gallery")]
    assert train == [str(number) for number in range(1, 13)]
    assert test == [str(number) for number in range(1, 6)]


def test_celeb_changes_clothes_in_nearly_every_picture():
    for album in albums(CELEB):
        outfits = [picture.outfit for picture in album.pictures]
        assert len(set(outfits)) > 0.5 * len(outfits)
        assert outfits == sorted(outfits)


def test_senseless_sizes_are_refused():
    with pytest.raises(SettingsError, match=r"train_people\b.*\b0\b.*\b1\b"):
        PrccSpec(train_people=0)
    with pytest.raises(SettingsError, match=r"artefacts\b.*\b1\.5\b"):
        PrccSpec(artefacts=1.5)
    with pytest.raises(SettingsError, match=r"\b100\b.*\b99\b"):
        CelebSpec(train_pictures=100)


@pytest.mark.parametrize(
    ("spec", "digest"),
    [
        (PrccSpec(), "e7715964b842246bd98fde6a101bf6bee8c2947346db199783f40947761d6588"),
        (CelebSpec(), "77e6d406387a7c6ed1a85b6c717de94a01cb71c58d246bb88decc8114d4258f0"),
    ],
)
def test_the_built_in_sets_consist_of_the_pictures_that_documented_scores_are_of(spec, digest):
    lines = []
    for album in albums(spec):
        taken = (f"{picture.path},{picture.camera},{picture.outfit},{picture.masked}" for picture in album.pictures)
        lines.append(f"{album.stream}|{album.pid}|{album.categories}|" + ";".join(taken))
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


@pytest.mark.parametrize("name", LAYOUTS)
def test_paths_and_keys_are_unique_and_splits_have_people_of_their_own(name):
    found = albums(LAYOUTS[name].spec())
    pictures = [picture for album in found for picture in album.pictures]
    assert len({picture.path for picture in pictures}) == len(pictures)
    keys = [(picture.split, picture.key) for picture in pictures]
    assert len(set(keys)) == len(keys)
    people = defaultdict(set)
    for album in found:
        for picture in album.pictures:
            people[picture.split].add((album.stream, album.pid))
    assert not people["train"] & (people["query"] | people["gallery"] | people["test"])
    assert people["query"] == people["gallery"]


def test_clothes_of_vc_clothes_change_between_cameras_3_and_4_only():
    at_first = set()
    for album in albums(VcClothesSpec()):
        worn = defaultdict(set)
        for picture in album.pictures:
            _, camera, clothes, _ = picture.path.rpartition("/")[2].split("-")
            worn[camera].add(clothes)
            assert int(clothes) == picture.outfit + 1
        assert worn["02"] == worn["03"] != worn["04"]
        at_first |= worn["01"]
    assert at_first == {"01", "02", "03"}


def test_a_walk_goes_on_from_frame_to_frame():
    walks = defaultdict(list)
    for album in albums(CcvidSpec(3, 1)):
        for picture in album.pictures:
            walks[picture.tracklet].append(picture.phase)
    for walk in walks.values():
        assert np.diff(walk) == pytest.approx(1 / 24)
    assert len({walk[0] for walk in walks.values()}) == len(walks)


def test_more_people_than_names_can_number_are_refused():
    with pytest.raises(SettingsError) as raised:
        PrccSpec(train_people=1000)
    assert_names(raised.value, "prcc", 1064, 999)
    with pytest.raises(SettingsError) as raised:
        LAYOUTS["ltcc"].spec(cameras=13)
    assert_names(raised.value, "ltcc", "cameras", 13, 12)
    with pytest.raises(SettingsError, match=r"ccvid\b.*\bwalks\b.*\b1\b.*\b2\b"):
        CcvidSpec(walks=1)
    with pytest.raises(SettingsError) as raised:
        PrccSpec(picture_size=(256, 8))
    assert_names(raised.value, "prcc", "picture_size", (256, 8), 16)


def test_the_manifest_of_a_plain_set_names_its_sizes_only():
    assert list(_manifest(PrccSpec())["spec"]) == [
        "train_people", "test_people", "train_pictures", "val_pictures", "test_pictures", "artefacts", "seed",
    ]  # fmt: skip
    asked = _manifest(PrccSpec(picture_size=(64, 32), oddities=frozenset({"hidden_files"})))["spec"]
    assert (asked["picture_size"], asked["oddities"]) == ([64, 32], ["hidden_files"])
