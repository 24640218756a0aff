"""Every oddity that a layout can be asked for shows in its files."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.synthetic.author_lists import cluster_detections
from rlq.synthetic.build import MANIFEST, write_set
from rlq.synthetic.built_in import make_layout
from rlq.synthetic.layouts.albums import Picture, stem
from rlq.synthetic.layouts.catalogue import LAYOUTS, albums
from rlq.synthetic.layouts.ccvid import CcvidSpec
from rlq.synthetic.layouts.celeb_reid import CelebSpec
from rlq.synthetic.layouts.deepchange import DeepChangeSpec
from rlq.synthetic.layouts.last import LastSpec
from rlq.synthetic.layouts.ltcc import LtccSpec
from rlq.synthetic.layouts.ntu import NtuSpec
from rlq.synthetic.layouts.own import OwnSpec
from rlq.synthetic.layouts.prcc import PrccSpec

SIZE = (64, 32)
PRCC = PrccSpec(2, 1, train_pictures=2, val_pictures=1, test_pictures=1, picture_size=SIZE)
CELEB = CelebSpec(4, 3, train_pictures=3, query_pictures=1, gallery_pictures=3, picture_size=SIZE)
DEEPCHANGE = DeepChangeSpec(1, 1, val_people=0, days=1, cameras=1, tracklets=2, picture_size=SIZE)
CCVID = CcvidSpec(2, 1, walks=2, frames=2, picture_size=SIZE)
OWN = OwnSpec(2, 1, pictures=2, picture_size=SIZE)
NTU = NtuSpec(1, 1, setups=1, actions=1)
ODD_CELEB = (
    "names_of_other_splits", "no_newline_at_end", "float_labels", "hidden_files", "npy_masks", "atr_masks",
    "keyed_by_picture",
)  # fmt: skip


def odd(spec, *words):
    return replace(spec, oddities=frozenset(words))


def paths(spec):
    return [picture.path for album in albums(spec) for picture in album.pictures]


def files(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def table(path, encoding="utf-8"):
    with path.open(newline="", encoding=encoding) as file:
        return list(csv.DictReader(file))


def test_a_training_person_of_prcc_may_lack_camera_b():
    spec = odd(PRCC, "person_without_b")
    assert set(paths(PRCC)) - set(paths(spec)) == {path for path in paths(PRCC) if "/001/B_" in path}
    assert len(paths(PRCC)) - len(paths(spec)) == 3


def test_a_name_of_prcc_may_be_in_train_and_in_val():
    def shared(spec):
        parts = [path.split("/", 2) for path in paths(spec)]
        return {rest for _, split, rest in parts if split == "train"} & {r for _, split, r in parts if split == "val"}

    assert shared(PRCC) == set()
    assert len(shared(odd(PRCC, "name_in_train_and_val"))) == 1


def test_names_of_celeb_reid_may_come_again_in_other_splits():
    def shared(spec):
        names = {
            split: {stem(path) for path in paths(spec) if path.startswith(split)}
            for split in ("train", "query", "gallery")
        }
        return len(names["train"] & names["gallery"]), len(names["train"] & names["query"])

    spec = odd(CELEB, "names_shared_by_splits")
    assert shared(spec) == (3, 3)
    assert shared(CELEB) == (0, 0)
    assert len(set(paths(spec))) == len(paths(CELEB))


def test_y_of_celeb_reid_may_repeat_in_the_gallery():
    spec = odd(CELEB, "repeated_y")
    marks = Counter(tuple(stem(path).split("_")[:2]) for path in paths(spec) if path.startswith("gallery"))
    assert sorted(marks.values()) == [1, 1, 1, 2, 2, 2]
    assert len(set(paths(spec))) == len(paths(CELEB))


def test_a_folder_of_last_may_be_called_otherwise_than_its_pictures():
    odd_ones = [path for path in paths(odd(LastSpec(), "folder_of_another_pid")) if path.startswith("train")]
    wrong = [path for path in odd_ones if path.split("/")[1] != stem(path)[:6]]
    assert len(wrong) == 12
    assert {stem(path)[:6] for path in wrong} == {"000001"}


def test_clips_may_be_of_other_cameras_and_lie_flat():
    names = paths(odd(NTU, "other_cameras", "flat_folder"))
    assert all(re.fullmatch(r"S\d{3}C00[13]P\d{3}R001A\d{3}_rgb\.mp4", name) for name in names)
    assert Counter(name[4:8] for name in names) == {"C001": 2, "C003": 2}


def test_people_in_clips_may_be_small_or_without_masks(tmp_path):
    small = write_set(tmp_path / "small", odd(NTU, "small_people", "truncated_picture"))
    boxes = [cv2.boundingRect(cv2.imread(str(path), 0)) for path in sorted((small / "masks").iterdir())]
    assert len(boxes) == 2
    assert max(max(box[2:]) for box in boxes) < 100
    opened = [cv2.VideoCapture(str(path)).isOpened() for path in sorted(small.rglob("*.mp4"))]
    assert opened == [False, True]
    assert not (write_set(tmp_path / "none", odd(NTU, "without_masks")) / "masks").exists()


def test_pictures_of_ltcc_may_have_many_sizes_with_masks_alike(tmp_path):
    spec = odd(LtccSpec(3, 1, cameras=2, pictures=2), "sizes_vary")
    root = write_set(tmp_path / "ltcc", spec)
    sizes = {path.stem: cv2.imread(str(path)).shape[:2] for path in sorted((root / "train").iterdir())}
    assert min(width for _, width in sizes.values()) < 32 < 128 < max(width for _, width in sizes.values())
    for path in (root / "rlq/masks/train").iterdir():
        with Image.open(path) as mask:
            assert mask.size[::-1] == sizes[path.stem]
    for entry in json.loads((root / "rlq/keypoints.json").read_text()):
        if (name := stem(entry["image_id"])) in sizes:
            at = np.array(entry["keypoints"]).reshape(17, 3)
            assert (abs(np.median(at[:, :2], axis=0)) < sizes[name][::-1]).all()


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("odd") / "celeb", odd(CELEB, *ODD_CELEB))


def test_the_words_reach_the_side_files(listed):
    assert isinstance(json.loads((listed / "rlq/keypoints.json").read_text()), dict)
    masks = sorted((listed / "rlq/masks").rglob("*.npy"))
    assert len(masks) == 12
    assert {np.load(path).shape for path in masks} == {SIZE}
    assert max(np.load(path).max() for path in masks) <= 17
    assert json.loads((listed / MANIFEST).read_text())["spec"]["oddities"] == sorted(ODD_CELEB)


def test_bad_mask_lists_name_other_splits_and_end_without_a_newline(listed):
    splits = {stem(path): path.split("/")[0] for path in paths(CELEB)}
    names = {kind: (listed / f"rlq/bad_{kind}.txt").read_text() for kind in ("upper", "lower")}
    found = [splits[line] for text in names.values() for line in text.splitlines()]
    assert {"train"} < set(found)
    assert not any(text.endswith("\n") for text in names.values())


def test_bad_masks_hold_no_garment_to_recolour(tmp_path):
    root = write_set(tmp_path / "celeb", odd(CELEB, "masks", "bad_mask_lists"))
    for kind, labels in (("upper", (5, 7, 10)), ("lower", (9, 12))):
        text = (root / f"rlq/bad_{kind}.txt").read_text()
        assert not text or text.endswith("\n")
        for path in sorted((root / "rlq/masks/train").iterdir()):
            with Image.open(path) as mask:
                share = np.isin(np.asarray(mask), labels).mean()
            assert share < 0.02 if path.stem in text.split() else share > 0.005


def test_pose_clusters_are_floats_for_training_and_test_apart(listed):
    train, test = (table(listed / f"rlq/pose_clusters{part}.csv") for part in ("", "_test"))
    assert [row["Image"] for row in train] == [stem(path) for path in paths(CELEB) if path.startswith("train")]
    assert len(test) == len(paths(CELEB)) - len(train)
    assert {row["Category"] for row in train} == {"train"}
    assert {row["R_LA_5"] for row in (*train, *test)} <= {f"{label}.0" for label in range(6)}
    detected = json.loads((listed / "rlq/keypoints.json").read_text())
    for row in train:
        assert (row["R_LA_5"] == "0.0") == (f"train/{row['Image']}.jpg" not in detected)


def test_a_cluster_is_that_of_the_best_scored_person():
    def entry(name, number, score):
        joints = generator("cluster", number).normal(0, 1, (17, 3))
        return {"image_id": name, "keypoints": joints.ravel().tolist(), "score": score}

    plain = [Picture(f"{number}.jpg", "", "A", 0, "train", False) for number in range(6)]
    first = [entry(picture.path, number, 1.0) for number, picture in enumerate(plain[:5])]
    assert cluster_detections(plain, first) == {"0.jpg": 1, "1.jpg": 2, "2.jpg": 3, "3.jpg": 4, "4.jpg": 5, "5.jpg": 0}
    twice = [*first, entry("5.jpg", 7, 0.5), entry("5.jpg", 4, 2.0), entry("5.jpg", 8, 0.7)]
    labels = cluster_detections(plain, twice)
    assert labels["5.jpg"] == labels["4.jpg"]
    assert cluster_detections(plain, []) == dict.fromkeys(labels, 0)


def test_hidden_files_lie_beside_the_pictures_and_above(listed):
    hidden = files(listed) - set(paths(CELEB)) - {path for path in files(listed) if path.startswith("rlq/")}
    for split in ("train", "query", "gallery"):
        mine = {path.split("/")[1] for path in hidden if path.startswith(split)}
        assert {".DS_Store", "Thumbs.db"} < mine
        assert any(re.fullmatch(r"\._\d+_\d+_\d+\.jpg", name) for name in mine)
    assert ".DS_Store" in hidden


def test_masks_may_be_pascal_rgb_or_of_another_size(tmp_path):
    def masks(*words):
        root = write_set(tmp_path / "-".join(words), odd(PRCC, *words))
        return sorted((root / "rlq/masks").rglob("*.png"))

    pascal = masks("pascal_masks", "mask_of_another_size")
    assert {path.read_bytes()[24] for path in pascal} == {4}
    sizes = [Image.open(path).size for path in pascal]
    assert sizes == [(16, 32)] + [(32, 64)] * (len(sizes) - 1)
    assert {Image.open(path).mode for path in masks("rgb_masks")} == {"RGB"}


def test_the_first_training_picture_may_be_half_a_file(tmp_path, written):
    root = write_set(tmp_path / "prcc", odd(PRCC, "truncated_picture"))
    name = paths(PRCC)[0]
    whole = (written["prcc"] / name).read_bytes()  # the same spec, plain
    assert (root / name).read_bytes() == whole[: len(whole) // 2]


@pytest.mark.parametrize(("spec", "table_name"), [(DEEPCHANGE, "train-set-bbox.txt"), (OWN, "pictures.csv")])
def test_a_listed_picture_may_be_missing(tmp_path, spec, table_name):
    root = write_set(tmp_path / "set", odd(spec, "listed_but_missing"))
    missing = set(paths(spec)) - files(root)
    assert missing == {paths(spec)[0]}
    assert paths(spec)[0].removeprefix("train-set/") in (root / table_name).read_text()


def test_a_listed_walk_may_be_missing_or_empty(tmp_path):
    root = write_set(tmp_path / "ccvid", odd(CCVID, "listed_but_missing", "empty_tracklet"))
    listed = [line.split()[0] for line in (root / "train.txt").read_text().splitlines()]
    assert not (root / listed[0]).exists()
    assert list((root / listed[-1]).iterdir()) == []
    assert all(len(list((root / walk).iterdir())) == 2 for walk in listed[1:-1])


def test_a_table_may_begin_with_a_mark_and_lack_cameras_and_clothes(tmp_path):
    root = write_set(
        tmp_path / "own", odd(OWN, "byte_order_mark", "without_cameras", "without_clothes", "float_labels")
    )
    assert (root / "pictures.csv").read_bytes().startswith(b"\xef\xbb\xbfpath,pid,")
    rows = table(root / "pictures.csv", "utf-8-sig")
    assert "clothes" not in rows[0]
    assert {row["camera"] for row in rows} == {""}
    assert {row["pose"] for row in rows} <= {f"{label}.0" for label in range(6)}


def test_lists_of_bad_masks_have_keys_without_splits(tmp_path):
    spec = odd(LtccSpec(3, 6, cameras=2, pictures=2, picture_size=SIZE), "names_of_other_splits")
    root = write_set(tmp_path / "ltcc", spec)
    lines = (root / "rlq/bad_upper.txt").read_text().split() + (root / "rlq/bad_lower.txt").read_text().split()
    assert all(re.fullmatch(r"\d{3}_\d_c\d+_\d{6}", line) for line in lines)
    assert len({line[:3] for line in lines} & {f"{number:03d}" for number in range(3, 9)}) > 0


def test_oddities_that_need_more_pictures_are_refused():
    with pytest.raises(SettingsError) as raised:
        PrccSpec(val_pictures=0, oddities=frozenset({"name_in_train_and_val"}))
    assert_names(raised.value, "prcc", "name_in_train_and_val", "val_pictures")
    with pytest.raises(SettingsError) as raised:
        CelebSpec(gallery_pictures=1, oddities=frozenset({"repeated_y"}))
    assert_names(raised.value, "celeb_reid", "repeated_y", "gallery_pictures", 2)


def test_unknown_words_are_answered_with_the_known_ones():
    for name, layout in LAYOUTS.items():
        with pytest.raises(SettingsError) as raised:
            layout.spec(oddities=frozenset({"other", "nope"}))
        assert_names(raised.value, name, "nope", "other", *layout.oddities)
    with pytest.raises(SettingsError) as raised:
        odd(PRCC, "joints_136", "joints_26")
    assert_names(raised.value, "prcc", "joints_26", "joints_136")


def test_a_layout_is_made_by_name_in_its_usual_folder(tmp_path):
    folder, spec = make_layout(tmp_path, "celeb_reid_light", people=4, seed=3, oddities=["masks"])
    assert folder == tmp_path / "Celeb-reID-light"
    assert (spec.train_people, spec.seed, spec.oddities) == (4, 3, frozenset({"masks"}))
    assert len(list((folder / "train").iterdir())) == 4 * spec.train_pictures
    with pytest.raises(SettingsError) as raised:
        make_layout(tmp_path, "market")
    assert_names(raised.value, "market", *LAYOUTS)


def test_every_word_is_explained_and_makes_a_spec():
    for layout in LAYOUTS.values():
        for word, meaning in layout.oddities.items():
            assert len(meaning) > 10
            assert layout.spec(oddities=frozenset({word})).oddities == {word}
