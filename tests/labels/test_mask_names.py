from pathlib import Path

import pytest

from rlq.core.errors import DataError
from rlq.data.records import Record
from rlq.labels.mask_names import mask_files, match_masks

ROOT, MASKS = Path("/set"), Path("/masks")


def record(path: str, pid: str, split: str, key: str) -> Record:
    return Record(ROOT / path, pid, "A", pid, split, key)


PRCC = [
    record("rgb/train/255/C_cropped_rgb064.jpg", "255", "train", "255_C_cropped_rgb064"),
    record("rgb/train/256/C_cropped_rgb064.jpg", "256", "train", "256_C_cropped_rgb064"),
    record("rgb/test/A/001/cropped_rgb001.jpg", "001", "query", "A/001_cropped_rgb001"),
    record("rgb/test/B/001/cropped_rgb001.jpg", "001", "gallery", "B/001_cropped_rgb001"),
]
CELEB = [
    record("train/12_3_4.jpg", "12", "train", "12_3_4"),
    record("gallery/12_3_4.jpg", "12", "gallery", "12_3_4"),
    record("query/13_3_4.jpg", "13", "query", "13_3_4"),
]


def matched(names: list[str], records: list[Record]) -> dict[str, str]:
    found = match_masks([MASKS / name for name in names], MASKS, records, ROOT)
    return {
        file.relative_to(MASKS).as_posix(): one.path.relative_to(ROOT).as_posix() for file, one in sorted(found.items())
    }


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("rgb/train/255/C_cropped_rgb064.png", 0),
        ("train/255/C_cropped_rgb064.png", 0),
        ("256/C_cropped_rgb064.npy", 1),
        ("255_C_cropped_rgb064.png", 0),
        ("A/001_cropped_rgb001.png", 2),
        ("B/001/cropped_rgb001.png", 3),
    ],
)
def test_a_mask_is_named_by_path_end_of_path_key_or_person(name, picture):
    assert matched([name], PRCC) == {name: PRCC[picture].path.relative_to(ROOT).as_posix()}


def test_masks_of_other_pictures_match_nothing():
    strangers = ["val/255/C_cropped_rgb064.png", "rgb064.png", "5/C_cropped_rgb064.png", "x/13_3_4.png"]
    assert matched(strangers, [*PRCC, *CELEB]) == {}


@pytest.mark.parametrize("name", ["C_cropped_rgb064.png", "001_cropped_rgb001.png", "001/cropped_rgb001.png"])
def test_a_name_that_fits_several_pictures_is_refused(name):
    with pytest.raises(DataError, match=rf"\b1\b.*\b2\b.*{name}.*rgb/.*rgb/"):
        matched([name, "255_C_cropped_rgb064.png"], PRCC)


def test_a_name_that_is_in_two_splits_is_refused_with_the_splits():
    with pytest.raises(DataError, match=r"12_3_4\.png.*\bgallery\b[^/]*\btrain\b"):
        matched(["12_3_4.png"], CELEB)
    assert matched(["12_3_4.png"], CELEB[:1]) == {"12_3_4.png": "train/12_3_4.jpg"}
    assert matched(["gallery/12_3_4.png", "13_3_4.png"], CELEB) == {
        "13_3_4.png": "query/13_3_4.jpg",
        "gallery/12_3_4.png": "gallery/12_3_4.jpg",
    }


def test_a_whole_path_goes_before_the_end_of_another():
    nested = [record("1/a.jpg", "1", "train", "a1"), record("x/1/a.jpg", "2", "train", "a2")]
    assert matched(["1/a.png"], nested) == {"1/a.png": "1/a.jpg"}


def test_two_masks_of_one_picture_are_refused():
    with pytest.raises(DataError, match=r"255/C_.*\.png.*255_C_.*\.png.*255/C_cropped_rgb064\.jpg"):
        matched(["255/C_cropped_rgb064.png", "255_C_cropped_rgb064.png"], PRCC)


def test_files_are_listed_in_order_without_hidden_ones_and_logits(tmp_path):
    for name in ("b/2.png", "b/2.npy", "a.npy", "c.PNG", "._b.png", ".cache/x.png", "notes.txt", "b/d.png/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in mask_files(tmp_path, (".png", ".npy"))]
    assert found == ["a.npy", "b/2.png", "b/d.png/e.png", "c.PNG"]
    with pytest.raises(DataError, match="gone"):
        mask_files(tmp_path / "gone", (".png",))
