"""What survives in a run folder when a process is killed at a bad moment."""

import io
import resource
from pathlib import Path

import pytest
from naming import assert_names

from rlq.tracking import TrackingError
from rlq.tracking.journal import Journal, Progress


def test_rows_are_on_disk_once_appended_and_read_back_in_order(tmp_path: Path):
    journal = Journal(tmp_path / "a.jsonl")
    rows = [{"name": "größe\n\u2028"}, {"name": "b"}, {"name": "c"}]
    journal.append(*rows[:2])
    journal.append()
    journal.append(rows[2])
    assert Journal(tmp_path / "a.jsonl").rows == journal.rows == rows


def test_the_torn_last_line_of_a_killed_process_is_dropped_and_does_not_spoil_the_next(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": 3')
    journal = Journal(path)
    journal.append({"a": 4})
    assert Journal(path).rows == [{"a": 1}, {"a": 2}, {"a": 4}]


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(TrackingError) as told:
        Journal(path)
    assert_names(told.value, "a.jsonl", "line 2")


def test_progress_is_read_back_and_leaves_no_scratch_file(tmp_path: Path):
    progress = Progress(tmp_path)
    progress.uri = "http://a"
    progress.store("http://a")["metrics"] = 5
    progress.save()
    again = Progress(tmp_path)
    assert (again.uri, again.store("http://a")["metrics"], again.store("http://b")["metrics"]) == ("http://a", 5, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["tracking.json"]


def test_broken_progress_says_what_to_do(tmp_path: Path):
    (tmp_path / "tracking.json").write_text("{")
    with pytest.raises(TrackingError) as told:
        Progress(tmp_path)
    assert_names(told.value, "tracking.json", "rlq track sync")


@pytest.mark.parametrize("room", [0, 5, 30, 45])
def test_a_full_disk_leaves_whole_lines_and_says_so(tmp_path, room):
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.append({"name": "loss", "value": 1.0})
    size = journal.path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, before[1]))  # as a full disk: a part may be written
    try:
        with pytest.raises(TrackingError) as told:
            journal.append({"name": "loss", "value": 2.0}, {"name": "accuracy", "value": 0.5})
        assert_names(told.value, "metrics.jsonl", "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    journal.append({"name": "loss", "value": 3.0})
    assert [row["value"] for row in Journal(journal.path).rows] == [row["value"] for row in journal.rows] == [1.0, 3.0]


def test_a_disk_that_takes_a_line_in_parts_gets_all_of_them(tmp_path, monkeypatch):
    class Slow(io.FileIO):
        def write(self, content):
            return super().write(content[:7])

    monkeypatch.setattr(Path, "open", lambda path, mode, buffering: Slow(path, mode.replace("b", "")))
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.append({"name": "loss", "value": 1.0}, {"name": "loss", "value": 2.0})
    monkeypatch.undo()
    assert Journal(journal.path).rows == journal.rows and len(journal.rows) == 2
