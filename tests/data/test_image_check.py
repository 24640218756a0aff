import pytest

from rlq.data.image_check import inspect, look_at, unreadable


@pytest.mark.parametrize("processes", [1, 2])
def test_all_unreadable_pictures_are_found_at_once(tmp_path, write_picture, processes):
    good = [write_picture(tmp_path / f"{n}.jpg", n, (64, 32)) for n in range(6)]
    cut, empty, gone = tmp_path / "cut.jpg", tmp_path / "empty.jpg", tmp_path / "gone.jpg"
    cut.write_bytes(good[0].read_bytes()[:-400])
    empty.write_bytes(b"")
    paths = [*good[:3], cut, *good[3:], empty, gone]
    found = unreadable(paths, inspect(paths, processes))
    assert [path for path, _ in found] == [cut, empty, gone]
    reasons = [reason for _, reason in found]
    assert "truncated" in reasons[0] and "No such file" in reasons[2] and len(set(reasons)) == 3


def test_a_good_picture_has_no_reason(tmp_path, write_picture):
    assert look_at(write_picture(tmp_path / "a.png")).reason is None
    assert list(inspect([], 2)) == []


def test_what_is_no_picture_is_said_in_words(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"words, no picture")
    reason = look_at(tmp_path / "a.jpg").reason
    assert reason and "BytesIO" not in reason


@pytest.mark.parametrize("processes", [1, 2])
def test_equal_content_has_an_equal_digest(tmp_path, write_picture, processes):
    paths = [write_picture(tmp_path / f"{n}.jpg", n // 2) for n in range(4)]
    digests = [found.digest for found in inspect([*paths, tmp_path / "gone.jpg"], processes)]
    assert digests[0] == digests[1] != digests[2] == digests[3]
    assert len(digests[0]) == 16 and digests[4] == b""
