"""Every layout as it lies on disk: names by plain patterns, list files line by line, side files."""

import csv
import json
import re
from collections import Counter, defaultdict
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from rlq.data.catalogue import CATALOGUE, read
from rlq.synthetic.build import MANIFEST, write_set
from rlq.synthetic.layouts.albums import stem
from rlq.synthetic.layouts.catalogue import LAYOUTS, albums

SIZE = (64, 32)
NAMES = {
    "prcc": r"rgb/((train|val)/\d{3}/[ABC]_|test/[ABC]/\d{3}/)cropped_rgb\d{3,4}\.jpg",
    "ltcc": r"(train|query|test)/\d{3}_\d+_c\d{1,2}_\d{6}\.png",
    "deepchange": r"(train-set|(val|test)-set-(query|gallery))/p\d{4}_c\d{2}_\d{8}_\d{6}_\d{6}_bbox\.jpg",
    "last": r"(train/(?P<a>\d{6})/(?P=a)|(val|test)/(query/\d{6}|gallery/(?P<b>\d{6})/(?P=b)))"
    r"_\d{3}_\d{5}_\d{4,5}_\d{2}_\d{3}\.jpg",
    "celeb_reid": r"(train|query|gallery)/\d+_\d+_\d+\.jpg",
    "celeb_reid_light": r"(train|query|gallery)/\d+_\d+_\d+\.jpg",
    "vc_clothes": r"(train|query|gallery)/\d+-\d+-\d+-\d+\.jpg",
    "ntu120": r"(?P<p>P\d{3})/(?P<a>A\d{3})/C003/S\d{3}C003(?P=p)R\d{3}(?P=a)_rgb\.mp4"
    r"|masks/S\d{3}C003P\d{3}R\d{3}A\d{3}_rgb\.png",
    "ccvid": r"session[123]/\d{3}_\d{2}/\d{5}\.jpg",
    "csv": r"pictures/(gate|hall|yard)/guest \d+ \(\d+\)\.jpg",
}
LISTS = {
    "ltcc": {f"info/cloth-{kind}_id_{split}.txt" for kind in ("change", "unchange") for split in ("train", "test")},
    "deepchange": {f"{folder}-bbox.txt" for folder in ("train-set", "val-set-query", "val-set-gallery")}
    | {"test-set-query-bbox.txt", "test-set-gallery-bbox.txt"},
    "ccvid": {"train.txt", "query.txt", "gallery.txt"},
    "csv": {"pictures.csv"},
}
SINGLE = [name for name, layout in LAYOUTS.items() if layout.pictures]


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def pictures(root):
    return [name for name in contents(root) if not name.startswith("rlq/") and name.endswith((".jpg", ".png", ".mp4"))]


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", LAYOUTS)
def test_names_and_folders_are_those_of_the_real_set(written, name):
    found = set(contents(written[name]))
    assert all(re.fullmatch(NAMES[name], picture) for picture in pictures(written[name]))
    rest = {path for path in found if not path.startswith("rlq/")} - set(pictures(written[name]))
    assert rest == LISTS.get(name, set())
    assert {"rlq/gender.csv", "rlq/people.json", MANIFEST} <= found


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_same_spec_gives_the_same_bytes(written, name, small_specs, tmp_path):
    processes = 2 if name == "ntu120" else 1
    assert contents(write_set(tmp_path / "again", small_specs[name], processes)) == contents(written[name])


@pytest.mark.parametrize("name", SINGLE)
def test_pictures_masks_and_keypoints_have_the_size_asked_for(written, name):
    root = written[name]
    for picture in pictures(root):
        assert cv2.imread(str(root / picture)).shape == (*SIZE, 3)
    for path in (root / "rlq/masks").rglob("*.png"):
        with Image.open(path) as mask:
            assert (mask.mode, mask.size) == ("P", SIZE[::-1])
            assert 0 < np.asarray(mask).max() < 20
    entries = json.loads((root / "rlq/keypoints.json").read_text())
    at = np.array([entry["keypoints"] for entry in entries]).reshape(-1, 17, 3)
    assert {entry["image_id"] for entry in entries} <= set(pictures(root))
    assert len(entries) >= 0.7 * len(pictures(root))
    assert 0.3 * SIZE[1] < np.median(at[..., 0]) < 0.7 * SIZE[1]
    assert 0.3 * SIZE[0] < np.median(at[..., 1]) < 0.7 * SIZE[0]
    for entry, joints in zip(entries, at[..., :2], strict=True):
        corner, extent = np.array(entry["box"]).reshape(2, 2)
        assert corner == pytest.approx(
            joints.min(axis=0) - 2, abs=0.02
        )  # 8 pixels around, of a picture 4 times as large
        assert corner + extent == pytest.approx(joints.max(axis=0) + 2, abs=0.03)


@pytest.mark.parametrize("name", SINGLE)
def test_masks_are_there_for_just_the_training_pictures(written, name, small_specs):
    root = written[name]
    masks = {path.relative_to(root / "rlq/masks").as_posix() for path in (root / "rlq").rglob("*.png")}
    training = {pic.path for album in albums(small_specs[name]) for pic in album.pictures if pic.split == "train"}
    assert masks == (set() if name.startswith("celeb") else {f"{path.rpartition('.')[0]}.png" for path in training})


def test_small_masks_are_a_choice_of_the_pixels_of_large_ones(written, small_specs, tmp_path):
    large = write_set(tmp_path / "large", replace(small_specs["prcc"], picture_size=None))
    masks = sorted((large / "rlq/masks").rglob("*.png"))
    assert len(masks) == 12
    for path in masks:
        with Image.open(path) as mask, Image.open(written["prcc"] / path.relative_to(large)) as small:
            assert np.array_equal(np.asarray(small), np.asarray(mask)[::4, ::4])


def test_gender_ids_are_spelt_as_the_authors_spell_them(written):
    ids = {
        name: [(row["Category"], row["ID"]) for row in table(root / "rlq/gender.csv")] for name, root in written.items()
    }
    assert ids["last"] == [("train", "1"), ("train", "2"), ("val", "3"), ("query", "4"), ("gallery", "4")]
    assert ids["deepchange"][0] == ("train", "p0001")
    assert ids["ltcc"] == [
        ("train", "000"), ("train", "001"), ("query", "002"), ("test", "002"), ("query", "003"), ("test", "003"),
    ]  # fmt: skip


def test_ltcc_lists_the_people_who_change_and_the_others(written):
    root = written["ltcc"]
    outfits, cameras = defaultdict(set), defaultdict(set)
    for picture in pictures(root):
        pid, clothes, camera, _ = stem(picture).split("_")
        outfits[pid].add(clothes)
        cameras[pid, clothes].add(camera)
    listed = {path.name: path.read_text().split() for path in (root / "info").iterdir()}
    assert listed["cloth-change_id_train.txt"] == [pid for pid in ("000", "001") if len(outfits[pid]) > 1]
    assert listed["cloth-unchange_id_test.txt"] == ["002"] == [pid for pid in outfits if len(outfits[pid]) == 1]
    assert listed["cloth-change_id_test.txt"] == ["003"]
    assert set(map(len, cameras.values())) == {2}


def test_deepchange_lists_every_picture_with_its_tracklet(written):
    root = written["deepchange"]
    of_folder = defaultdict(dict)
    for path in root.glob("*-bbox.txt"):
        for line in path.read_text().splitlines():
            name, tracklet = line.split(",")
            of_folder[path.name.removesuffix("-bbox.txt")][name] = int(tracklet)
    assert {f"{folder}/{name}" for folder, names in of_folder.items() for name in names} == set(pictures(root))
    query, gallery = of_folder["test-set-query"], of_folder["test-set-gallery"]
    assert set(query.values()) == set(gallery.values())  # a query's own tracklet is in the gallery, and is barred
    for name, tracklet in query.items():  # the same camera holds another tracklet of the same day
        assert any(other != tracklet and match.startswith(name[:19]) for match, other in gallery.items())


def test_the_detector_errs_in_each_picture_of_a_tracklet_on_its_own(written):
    entries = json.loads((written["deepchange"] / "rlq/keypoints.json").read_text())
    assert len({entry["score"] for entry in entries}) > 0.9 * len(entries)


def test_ccvid_lists_every_walk_of_at_least_ten_frames(written):
    root = written["ccvid"]
    frames = Counter(picture.rpartition("/")[0] for picture in pictures(root))
    assert min(frames.values()) >= 10
    lines = {
        name: [line.split() for line in (root / f"{name}.txt").read_text().splitlines()]
        for name in ("train", "query", "gallery")
    }
    assert {path for found in lines.values() for path, _, _ in found} == set(frames)
    assert all(path.split("/")[1].startswith(f"{pid}_") for found in lines.values() for path, pid, _ in found)
    assert {pid for _, pid, _ in lines["query"]} == {pid for _, pid, _ in lines["gallery"]} == {"003", "004"}
    assert any(path.startswith("session3/004") for path, _, _ in lines["query"])
    assert len({clothes for _, pid, clothes in lines["gallery"] if pid == "004"}) > 1


def test_the_frames_of_a_walk_show_one_place_and_a_moving_figure(written):
    folder = written["ccvid"] / "session1/001_01"
    walk = np.stack([cv2.imread(str(path)) for path in sorted(folder.iterdir())]).astype(float)
    other = cv2.imread(str(written["ccvid"] / "session1/001_02/00001.jpg")).astype(float)
    corner = walk[:, :8, :6]
    assert np.abs(corner - corner[0]).mean() < 4 < np.abs(corner[0] - other[:8, :6]).mean()
    assert np.abs(walk[-1, 40:] - walk[0, 40:]).mean() > 4


def test_clips_can_be_read_and_masks_show_the_person_of_the_middle_frame(written):
    root = written["ntu120"]
    for path in sorted(root.rglob("*.mp4")):
        clip, frames = cv2.VideoCapture(str(path)), []
        while (frame := clip.read())[0]:
            frames.append(frame[1].astype(float))
        mask = cv2.imread(str(root / f"masks/{path.stem}.png"), cv2.IMREAD_GRAYSCALE) > 0
        assert len(frames) == 5
        assert frames[0].shape[:2] == mask.shape == (480, 640)
        moved = np.abs(frames[-1] - frames[0]).mean(axis=2) > 60
        assert moved.sum() > 100
        around = cv2.dilate(mask.astype(np.uint8), np.ones((91, 91))) > 0
        assert (moved & around).sum() > 0.95 * moved.sum()


def test_a_table_says_everything_about_its_pictures(written):
    root = written["csv"]
    rows = table(root / "pictures.csv")
    assert list(rows[0]) == ["path", "pid", "camera", "split", "clothes", "tracklet", "gender", "pose"]
    assert sorted(row["path"] for row in rows) == pictures(root)
    genders = {row["ID"]: row["Gender"] for row in table(root / "rlq/gender.csv")}
    assert {row["gender"] for row in rows} == {"f", "m"}
    assert all(("f", "m")[int(genders[row["pid"]])] == row["gender"] for row in rows)
    assert {row["pose"] for row in rows} <= set("012345")
    assert {(row["pid"], row["clothes"]) for row in rows if row["camera"] == "yard"} == {
        ("guest 1", "sunday"), ("guest 2", "weekday"),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) & set(CATALOGUE) - {"ntu120"}))
def test_our_readers_find_every_picture_and_agree_on_keys(written, name, small_specs):
    found = read(name, written[name].parent)
    seen = {path.relative_to(found.root).as_posix() for record in found.records for path in record.pictures}
    unused = {picture for picture in pictures(written[name]) if re.match(r"(rgb/)?val[-/]", picture)}
    assert seen == set(pictures(written[name])) - unused
    if name in SINGLE:
        keys = {picture.path: picture.key for album in albums(small_specs[name]) for picture in album.pictures}
        assert {
            record.path.relative_to(found.root).as_posix(): record.key for record in found.train
        }.items() <= keys.items()
    if name in ("prcc", "ltcc"):  # whose authors list poses of the test too
        assert {record.key for record in found.query + found.gallery} < set(keys.values())
