"""What a trial keeps of its worker: which process it is, also as earlier versions wrote it."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from rlq.sweep.study import heartbeat, is_alive, is_this_process


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_the_start_of_a_process_is_written_as_before():
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert heartbeat()["born"] == fields[19]  # earlier versions read starttime, the 22nd field, themselves


def test_a_worker_of_an_earlier_version_without_a_start_is_alive_while_its_process_runs():
    assert is_alive(heartbeat() | {"born": None})


def test_a_process_that_has_ended_is_not_alive():
    ended = psutil.Popen(["true"])
    ended.wait()
    assert not is_alive(heartbeat() | {"pid": ended.pid})
    assert not is_alive(heartbeat() | {"pid": ended.pid, "born": None})


def test_a_process_that_cannot_be_examined_counts_as_alive(monkeypatch):
    def hidden(pid):
        raise psutil.AccessDenied(pid)

    monkeypatch.setattr(psutil, "Process", hidden)
    assert is_alive({"host": "here", "pid": 1, "born": "12", "seen": 0.0})


def test_only_this_process_on_this_machine_is_this_process():
    assert is_this_process(heartbeat())
    assert not is_this_process(heartbeat() | {"pid": os.getpid() + 1})
    assert not is_this_process(heartbeat() | {"host": "node7"})
