import os
from pathlib import Path

import pytest

from rlq.core.cache import (
    derived_file,
    ensure_built,
    file_state,
    keep_newest,
    load_or_build,
    oldest_first,
)
from rlq.core.digest import short_digest
from rlq.core.errors import DataError


def load(path):
    text = path.read_text()
    return text if text.startswith("whole") else None


def save(path, content):
    path.write_text(content)


def cached(file, content="whole 1", newest=None):
    built = []
    result = load_or_build(file, load=load, build=lambda: built.append(content) or content, save=save, newest=newest)
    return result, len(built)


def aged(path, seconds):
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 10**9))


def test_the_name_holds_the_digest_of_the_facts():
    assert short_digest("abc") == short_digest(b"abc") == "ba7816bf8f01cfea"
    assert derived_file(Path("runs/.cache"), "prcc", "ba78", ".pictures") == Path("runs/.cache/prcc-ba78.pictures")


def test_a_file_is_built_once_and_read_afterwards(tmp_path):
    file = derived_file(tmp_path / ".cache", "poses", short_digest("facts"), ".txt")
    assert cached(file) == ("whole 1", 1)
    assert cached(file, "whole 2") == ("whole 1", 0)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_damaged_file_is_built_again(tmp_path):
    file = tmp_path / "poses-1.txt"
    file.write_text("who")
    assert cached(file, "whole 2") == ("whole 2", 1)
    assert file.read_text() == "whole 2"


def test_the_newest_files_of_the_same_name_stay(tmp_path):
    others = [tmp_path / name for name in ("poses-z.npz", "poses-a.txt.old", "teacher-a.txt", ".poses-a.txt")]
    for path in others:
        path.write_text("another kind")
    files = [tmp_path / f"poses-{number}.txt" for number in range(4)]
    for age, file in zip((40, 30, 20, 10), files, strict=True):
        file.write_text("whole")
        aged(file, age)
    assert cached(tmp_path / "poses-new.txt", newest=3) == ("whole 1", 1)
    assert oldest_first(tmp_path.glob("poses-*.txt")) == [*files[2:], tmp_path / "poses-new.txt"]
    assert all(path.exists() for path in others)


def test_unfinished_files_of_killed_processes_are_removed_with_the_next_write(tmp_path):
    file = tmp_path / "poses-1.txt"
    old, recent = tmp_path / ".0123abcd.poses-1.txt", tmp_path / ".4567abcd.poses-1.txt"
    for path in (old, recent):
        path.write_text("wh")
    aged(old, 7200)
    cached(file)
    assert not old.exists() and recent.exists()


def test_content_is_returned_where_it_cannot_be_written(tmp_path):
    (tmp_path / "folder").write_text("a file in the folder's place")
    assert cached(tmp_path / "folder" / "poses-1.txt") == ("whole 1", 1)


def test_a_shared_file_is_written_once_and_again_when_it_is_not_whole(tmp_path):
    file, written = tmp_path / "teacher-1.npy", []

    def write(path):
        written.append(path)
        path.write_text("whole")

    for _ in range(2):
        ensure_built(file, write)
    assert len(written) == 1 and file.read_text() == "whole"
    file.write_text("who")
    ensure_built(file, write, is_whole=lambda path: path.read_text() == "whole")
    assert len(written) == 2 and file.read_text() == "whole"


def test_a_shared_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path):
    file = tmp_path / "teacher-1.npy"

    def write(path):
        path.write_text("wh")
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"teacher-1\.npy.*No space left"):
        ensure_built(file, write)
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]


def test_the_state_of_a_file_follows_its_content(tmp_path):
    file = tmp_path / "picture.jpg"
    assert file_state(file) is None
    file.write_bytes(b"12")
    before = file_state(file)
    assert before == (2, file.stat().st_mtime_ns)
    file.write_bytes(b"123")
    assert file_state(file) != before


def test_keeping_the_newest_ignores_what_others_removed(tmp_path):
    keep_newest(tmp_path / "missing" / "poses-1.txt", 1)
    assert not (tmp_path / "missing").exists()
