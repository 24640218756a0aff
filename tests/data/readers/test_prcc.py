import shutil

import pytest

from rlq.core.errors import DataError
from rlq.data.readers.prcc import PUBLISHED, TEST_NAME, TRAIN_NAME, read_prcc


def test_training_pictures_are_named_sorted_and_dressed(prcc_folder):
    train = read_prcc(prcc_folder).train
    assert [r.path for r in train] == sorted(r.path for r in train) and len(train) == 34
    first = train[0]
    assert (first.pid, first.camera, first.clothes, first.split) == ("001", "A", "001", "train")
    assert (first.path.is_absolute() and first.path.name == "A_cropped_rgb007.jpg") or "1000" in first.path.name
    assert first.key == f"001_{first.path.stem}"
    assert {r.clothes for r in train if r.camera == "B"} == {f"{n:03d}" for n in range(1, 6)}
    assert {r.clothes for r in train if r.camera == "C"} == {f"{n:03d}C" for n in range(1, 7)}


def test_frame_numbers_of_four_digits_are_not_lost(prcc_folder):
    assert sum("rgb1000" in r.path.name for r in read_prcc(prcc_folder).train) == 17


def test_val_and_sketches_are_not_read(prcc_folder):
    folders = {r.path.relative_to(prcc_folder.resolve()).parts[:2] for r in read_prcc(prcc_folder).records}
    assert folders == {("rgb", "train"), ("rgb", "test")}


def test_the_gallery_is_camera_a_and_the_queries_are_b_and_c(prcc_folder):
    data = read_prcc(prcc_folder)
    assert {(r.camera, r.split) for r in data.gallery} == {("A", "gallery")}
    assert [r.camera for r in data.query] == ["B"] * 4 + ["C"] * 4
    assert {r.clothes for r in data.query if r.camera == "B"} == {r.clothes for r in data.gallery}
    keys = [r.key for r in data.query + data.gallery]
    assert len(set(keys)) == len(keys) and "A/092_cropped_rgb001" in keys


def test_the_protocols_are_those_of_the_paper_and_one_of_ours(prcc_folder):
    protocols = {p.name: p for p in read_prcc(prcc_folder).protocols}
    assert {n: (p.query_cameras, p.gallery_cameras) for n, p in protocols.items()} == {
        "CC": (frozenset("C"), frozenset("A")),
        "SC": (frozenset("B"), frozenset("A")),
        "General": (frozenset("BC"), frozenset("A")),
    }
    assert {p.rule for p in protocols.values()} == {"GENERAL"}
    assert protocols["General"].note and not protocols["CC"].note


def test_a_folder_that_is_no_person_is_refused(prcc_folder, tmp_path):
    root = shutil.copytree(prcc_folder, tmp_path / "prcc")
    (root / "rgb/train/copy of 001").mkdir()
    with pytest.raises(DataError, match="copy of 001"):
        read_prcc(root)


def test_facts_and_patterns():
    pictures = {split: counts["pictures"] for split, counts in PUBLISHED.splits.items() if "pictures" in counts}
    assert pictures == {"train": 5_952 + 5_317 + 6_627, "query": 3_873 + 3_543, "gallery": 3_384}
    assert PUBLISHED.valid_queries == {"CC": 3_543, "SC": 3_873}
    assert TRAIN_NAME.fullmatch("B_cropped_rgb1234.jpg") and not TRAIN_NAME.fullmatch("B_cropped_rgb12345.jpg")
    assert not TRAIN_NAME.fullmatch("D_cropped_rgb001.jpg")
    assert TEST_NAME.fullmatch("cropped_rgb001.jpg") and not TEST_NAME.fullmatch("cropped_rgb01.jpg")
