import re

import pytest

from rlq.errors import SettingsError
from rlq.synthetic.layouts import CelebSpec, PrccSpec, albums

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
    with pytest.raises(SettingsError, match="train_people = 0 should be at least 1"):
        PrccSpec(train_people=0)
    with pytest.raises(SettingsError, match=r"artefacts = 1.5 should be a share"):
        PrccSpec(artefacts=1.5)
    with pytest.raises(SettingsError, match="numbers them from 1 to 99"):
        CelebSpec(train_pictures=100)
