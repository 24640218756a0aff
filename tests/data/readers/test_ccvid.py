import re

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.readers.ccvid import holds_ccvid, read_ccvid
from rlq.evaluation.protocols import evaluate

LISTS = {
    "train": ["session2/148_02\t148\tu0_l0_s0_c0_a0", "session1/001_01  001  u0_l0_s0_c0_a0"],
    "query": ["session1/002_01 002 u0_l0_s0_c0_a0", "session3/002_01 002 u1_l0_s0_c0_a0"],
    "gallery": ["session1/002_02 002 u0_l0_s0_c0_a0", "session2/002_01 002 u1_l0_s0_c0_a0"],
}
FRAMES = ["10.jpg", "2.jpg", "00001.jpg"]


@pytest.fixture
def ccvid_folder(tmp_path, touch):
    """The folders above have the name of a session, which must not count."""
    root = tmp_path / "session3" / "CCVID"
    for split, lines in LISTS.items():
        for line in lines:
            touch(root / line.split()[0], *FRAMES, "._00001.jpg", "Thumbs.db")
        touch(root, f"{split}.txt", text="\n".join(lines))
    return root


def test_records_are_tracklets_with_frames_by_number(ccvid_folder, backwards):
    data = read_ccvid(ccvid_folder)
    first = data.train[0]
    assert (first.pid, first.camera, first.clothes, first.tracklet) == (
        "001",
        "1",
        "001_u0_l0_s0_c0_a0",
        "session1/001_01",
    )
    assert first.frames == ("00001.jpg", "2.jpg", "10.jpg") and data.holds_tracklets
    assert all(picture.is_file() for record in data.records for picture in record.pictures)
    assert data.train[1].key == "session2/148_02" and len(data.lists) == 3 and len(data.fingerprint) == 16


def test_session_3_has_cameras_of_its_own_whatever_the_parent_is_called(ccvid_folder):
    data = read_ccvid(ccvid_folder)
    assert [(r.key, r.camera) for r in (*data.query, *data.gallery)] == [
        ("session1/002_01", "1"),
        ("session3/002_01", "13"),
        ("session1/002_02", "2"),
        ("session2/002_01", "1"),
    ]


def test_query_and_gallery_share_the_names_of_outfits(ccvid_folder):
    data = read_ccvid(ccvid_folder)
    features = np.eye(4, dtype=np.float32)
    rankings = evaluate(data.query, data.gallery, data.protocols, features[:2], features[2:])
    # the first query has its own outfit at camera 2 and another at its own camera; the second both elsewhere
    assert {name: (r.first_match > 0).tolist() for name, r in rankings.items()} == {
        "CC": [False, True],
        "General": [True, True],
        "SC": [True, True],
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("session1/../../secret 001 u0", "'session1/../../secret 001 u0'"),
        ("../session1/001_01 001 u0", "'../session1/001_01 001 u0'"),
        ("/session1/001_01 001 u0", "'/session1/001_01 001 u0'"),
        ("session4/001_01 001 u0", "'session4/001_01 001 u0'"),
        ("session1/001_01 001", "'session1/001_01 001'"),
        ("session1/001_03 001 u0 more", "'session1/001_03 001 u0 more'"),
        ("session1/001_01 001 u0", "line 2"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(ccvid_folder, line, told):
    (ccvid_folder / "train.txt").write_text("\n".join([*LISTS["train"], line]))
    with pytest.raises(DataError) as raised:
        read_ccvid(ccvid_folder)
    assert_names(raised.value, "train.txt", "line 3", told, "session1/001_01 001 u0_l0_s0_c0_a0")


def test_a_tracklet_of_two_lists_is_refused(ccvid_folder):
    (ccvid_folder / "gallery.txt").write_text("\n".join([*LISTS["gallery"], LISTS["query"][1]]))
    with pytest.raises(DataError) as raised:
        read_ccvid(ccvid_folder)
    assert_names(raised.value, "gallery.txt", "line 3", "session3/002_01", "query.txt", "line 2")


def test_missing_and_empty_tracklets_are_counted_with_their_lines(ccvid_folder, touch):
    (ccvid_folder / "gallery.txt").write_text("\n".join([*LISTS["gallery"], "session1/009_09 009 u0"]))
    for name in (*FRAMES, "._00001.jpg"):
        (ccvid_folder / "session1/002_02" / name).unlink()
    with pytest.raises(DataError) as error:
        read_ccvid(ccvid_folder)
    assert_names(error.value, "gallery.txt", "line 1", "session1/002_02", "line 3", "session1/009_09", "3 tracklets")
    assert re.search(r"gallery\.txt\b.*\b2\b", str(error.value))  # how many lines


def test_odd_frames_and_empty_lists_are_explained(ccvid_folder, touch):
    touch(ccvid_folder / "session1/001_01", "frame1.jpg", "1.png")
    with pytest.raises(DataError, match=r"\b2\b") as raised:
        read_ccvid(ccvid_folder)
    assert_names(raised.value, "001_01", "['1.png', 'frame1.jpg']", "00001.jpg")
    (ccvid_folder / "train.txt").write_text("\n")
    with pytest.raises(DataError, match=r"train\.txt"):
        read_ccvid(ccvid_folder)
    assert holds_ccvid(ccvid_folder) and not holds_ccvid(ccvid_folder.parent)
