import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rlq.core.errors import DataError, TrainingError
from rlq.core.files import exclusive_access, folder_written_whole, remove_partial, write_file, written_whole


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "folder/a.png"
    with written_whole(path) as partial:
        partial.write_text("first")
        assert not path.exists() and partial.parent == path.parent and partial.suffix == ".png"
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), written_whole(path) as partial:
            partial.write_text("half")
            raise error
    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_a_place_that_cannot_be_written_is_told_with_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file/a.png", tmp_path):
        with pytest.raises(DataError, match=re.escape(str(path))), written_whole(path) as partial:
            partial.write_text("x")


def test_what_a_killed_process_left_half_written_is_removed_when_asked(tmp_path):
    killed = (
        "import os, signal, sys; from pathlib import Path; from rlq.core.files import written_whole\n"
        "with written_whole(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for name in ("a.npz", "b.npz"):
        assert subprocess.run([sys.executable, "-c", killed, tmp_path / name], check=False).returncode == -9
    (tmp_path / ".hidden.npz").touch()
    assert len(list(tmp_path.iterdir())) == 3
    remove_partial(tmp_path, "a.npz", older=3600)
    assert len(list(tmp_path.iterdir())) == 3  # somebody may be writing it
    remove_partial(tmp_path, "a.npz")
    (left,) = (path for path in tmp_path.iterdir() if path.name != ".hidden.npz")
    assert left.name.endswith(".b.npz")
    os.utime(left, (0, 0))
    remove_partial(tmp_path, older=3600)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden.npz"]
    remove_partial(tmp_path / "none")


def test_a_file_is_changed_by_one_at_a_time(tmp_path):
    path = tmp_path / "folder/count"

    def add() -> None:
        for _ in range(20):
            with exclusive_access(path):
                count = int(path.read_text()) if path.is_file() else 0
                with written_whole(path) as partial:
                    partial.write_text(str(count + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "80"


def test_a_place_that_cannot_be_locked_is_told_with_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file/a\.csv"), exclusive_access(tmp_path / "file/a.csv"):
        pass


def test_text_and_bytes_are_written_whole_with_an_error_of_choice(tmp_path):
    write_file(tmp_path / "a/text", "ä\n")
    write_file(tmp_path / "a/bytes", b"\0", durable=False)
    assert ((tmp_path / "a/text").read_bytes(), (tmp_path / "a/bytes").read_bytes()) == ("ä\n".encode(), b"\0")
    with pytest.raises(TrainingError, match=f"{tmp_path}/a/text/b cannot be written: "):
        write_file(tmp_path / "a/text/b", "x", refusal=TrainingError)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["bytes", "text"]


def test_a_folder_takes_the_place_of_the_old_one_at_once_or_not_at_all(tmp_path):
    folder = tmp_path / "a/weights"
    with folder_written_whole(folder) as draft:
        (draft / "one").write_text("1")
        assert not folder.exists() and draft.parent == folder.parent
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), folder_written_whole(folder) as draft:
            (draft / "two").write_text("2")
            raise error
    assert [path.name for path in folder.iterdir()] == ["one"]
    with folder_written_whole(folder) as draft:
        (draft / "two").write_text("2")
        assert [path.name for path in folder.iterdir()] == ["one"]
    assert [path.name for path in folder.iterdir()] == ["two"]
    assert [path.name for path in folder.parent.iterdir()] == ["weights"]


def test_a_folder_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    folder, usual = tmp_path / "weights", Path.rename
    (folder / "one").mkdir(parents=True)

    def full(path, target):
        if target == folder and path.name.endswith(".weights") and (path / "two").exists():
            raise OSError(28, "No space left on device")
        return usual(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(DataError, match="weights cannot be written: No space"), folder_written_whole(folder) as draft:
        (draft / "two").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["weights"] and (folder / "one").is_dir()


def test_drafts_of_folders_are_removed_too(tmp_path):
    (tmp_path / ".0123abcd.weights/sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".0123abce.weights").symlink_to(tmp_path / "elsewhere")
    remove_partial(tmp_path, "weights")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
