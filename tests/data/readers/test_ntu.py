import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.readers.ntu import PUBLISHED, holds_ntu, read_ntu


def frame(subject: int, setup: int = 1, action: int = 1) -> str:
    return f"P{subject:03d}/S{setup:03d}C003P{subject:03d}R001A{action:03d}_rgb.jpg"


@pytest.fixture(scope="module")
def ntu_folder(tmp_path_factory, touch):
    """63 subjects; the last two in two setups, with two actions each."""
    root = tmp_path_factory.mktemp("S009C009P009R009A009_rgb") / "NTU120"
    touch(root, *(frame(subject) for subject in range(1, 62)))
    touch(root, *(frame(subject, setup, action) for subject in (62, 63) for setup in (1, 17) for action in (7, 60)))
    return touch(root, "rlq/keypoints.json", "P001/._S001C003P001R001A001_rgb.jpg")


def test_the_first_61_subjects_are_training(ntu_folder):
    data = read_ntu(ntu_folder)
    assert [r.pid for r in data.train] == [f"P{n:03d}" for n in range(1, 62)]
    assert (data.train[0].clothes, data.train[0].key) == ("P001S001", "S001C003P001R001A001_rgb")


def test_one_query_per_subject_and_setup_and_the_rest_are_gallery(ntu_folder, backwards):
    data = read_ntu(ntu_folder)
    assert [(r.pid, r.clothes, r.path.stem[-7:]) for r in data.query] == [
        ("P062", "P062S001", "007_rgb"),
        ("P062", "P062S017", "007_rgb"),
        ("P063", "P063S001", "007_rgb"),
        ("P063", "P063S017", "007_rgb"),
    ]
    assert [r.path.stem[-7:] for r in data.gallery] == ["060_rgb"] * 4
    assert len({r.camera for r in data.records}) == len(data.records)
    assert [(p.name, bool(p.note)) for p in data.protocols] == [("General", True)]


def test_a_small_set_is_for_training_only(tmp_path, touch):
    data = read_ntu(touch(tmp_path, frame(1), frame(2)))
    assert len(data.train) == 2 and data.query == data.gallery == []


def test_frames_of_somebody_else_and_odd_ones_are_told(tmp_path, touch):
    touch(tmp_path, frame(1), "P001/S001C003P002R001A001_rgb.jpg")
    with pytest.raises(DataError, match=r"\b1\b.*P001/S001C003P002R001A001_rgb\.jpg"):
        read_ntu(tmp_path)
    touch(tmp_path, "P001/frame.jpg")
    with pytest.raises(DataError, match=r"\b1\b") as raised:
        read_ntu(tmp_path)
    assert_names(raised.value, "S001C003P001R001A001_rgb", "['P001/frame.jpg']")


def test_the_layout_of_frames_is_not_that_of_videos(ntu_folder, tmp_path, touch):
    assert holds_ntu(ntu_folder) and not holds_ntu(ntu_folder.parent)
    assert not holds_ntu(touch(tmp_path, "P001/A001/C003/S001C003P001R001A001_rgb.mp4"))
    assert PUBLISHED.splits["train"]["identities"] + PUBLISHED.splits["test"]["identities"] == 106
