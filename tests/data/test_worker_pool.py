"""Loader processes that die, hang, run out of room or meet a broken picture: one clear line, never a silent hang."""

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.batches import collate_plain
from rlq.data.datasets import PlainPictures, in_order, loader
from rlq.data.transforms import TestTransform
from rlq.data.worker_pool import clear_worker_errors

BATCH = 2


@pytest.fixture
def paths(tmp_path, write_picture):
    return [write_picture(tmp_path / f"{n}.jpg", n, (64, 32)) for n in range(8)]


def batches_of(paths, *, workers: int = 1, patience: int = 60):
    return loader(
        PlainPictures(paths, TestTransform((32, 16))),
        in_order(len(paths), BATCH),
        collate_plain,
        workers=workers,
        patience=patience,
    )


def first_worker(source) -> int:
    return min(worker.pid for worker in source._workers)


def gone(pid: int) -> bool:
    """Whether a process has ended, within a few seconds."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_a_picture_that_is_gone_is_told_as_without_workers(paths):
    paths[5].unlink()
    told = []
    for workers in (0, 1):
        with pytest.raises(DataError) as error:
            list(batches_of(paths, workers=workers))
        told.append(str(error.value))
    assert told[0] == told[1]
    assert_names(told[0], paths[5], "No such file or directory")


def test_a_worker_that_is_killed_ends_it_with_the_reason(paths):
    source = batches_of(paths * 20)
    with (
        pytest.raises(DataError, match=r"worker \d+") as error,
        clear_worker_errors(),
    ):
        for number, _ in enumerate(source):
            if number == 1:
                os.kill(first_worker(source), signal.SIGKILL)
    assert_names(error.value, "Killed", "data.workers", "--resume")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_death_of_a_worker_is_told_wherever_torch_notices_it(paths):
    source = batches_of(paths * 20)
    with pytest.raises(DataError, match=r"worker \d+"), clear_worker_errors():
        for _ in source:
            os.kill(first_worker(source), signal.SIGKILL)
            end = time.monotonic() + 20
            while time.monotonic() < end:  # in the midst of a step; torch raises from a signal handler
                time.sleep(0.01)
            raise AssertionError("nobody noticed")


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="^shapes do not fit$"), clear_worker_errors():
        raise RuntimeError("shapes do not fit")


def test_a_worker_that_hangs_is_given_up_and_killed(paths):
    paths[3].unlink()
    os.mkfifo(paths[3])  # whoever opens it to read waits for one who writes
    source = batches_of(paths, patience=2)
    began = time.monotonic()
    with pytest.raises(DataError) as e:
        list(source)
    assert_names(e.value, "2 s", "data.patience", paths[2])
    assert 2 <= time.monotonic() - began < 20
    assert gone(first_worker(source))


@pytest.mark.slow
def test_a_worker_that_was_stopped_is_given_up_and_killed(paths):
    source = batches_of(paths * 20, patience=2)
    with pytest.raises(DataError, match=r"data\.patience"):
        for _ in source:
            os.kill(first_worker(source), signal.SIGSTOP)
    assert gone(first_worker(source))


@pytest.mark.slow
def test_a_process_ends_although_a_worker_of_its_is_stopped(paths):
    code = f"""
import os, signal
from pathlib import Path
from test_worker_pool import batches_of, first_worker
source = batches_of([Path(path) for path in {[str(path) for path in paths]!r}])
next(iter(source))
os.kill(first_worker(source), signal.SIGSTOP)
print(first_worker(source), flush=True)
"""
    here = Path(__file__).parent
    env = os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert gone(int(done.stdout))


@pytest.mark.slow
def test_a_slow_worker_is_waited_for_longer_than_torch_would(paths):
    paths[3].unlink()
    os.mkfifo(paths[3])

    def deliver() -> None:
        time.sleep(2.5)
        paths[3].write_bytes(paths[2].read_bytes())

    thread = threading.Thread(target=deliver)
    thread.start()
    found = [batch.indices.tolist() for batch in batches_of(paths, patience=30)]
    thread.join()
    assert found == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_every_epoch_has_all_batches_also_when_one_was_left_early(paths):
    source = batches_of(paths, workers=2)
    whole = [batch.indices.tolist() for batch in source]
    for _ in source:
        break
    assert [batch.indices.tolist() for batch in source] == whole == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_no_room_in_shared_memory_is_told(paths, monkeypatch):
    def full(self):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    with pytest.raises(DataError) as error:
        list(batches_of(paths))
    assert_names(error.value, "No space left", "data.workers=0", "--shm-size", "--resume")
    assert "\n" not in str(error.value)


def test_a_bus_error_is_told_as_no_room(paths):
    source = batches_of(paths * 20)
    with pytest.raises(DataError, match=r"(?i)bus error") as raised, clear_worker_errors():
        for _ in source:
            os.kill(first_worker(source), signal.SIGBUS)
    assert_names(raised.value, "--shm-size")


NO_FILES = """
import resource, sys
from pathlib import Path
from rlq.data.batches import collate_plain
from rlq.data.datasets import PlainPictures, in_order, loader
from rlq.data.transforms import TestTransform
paths = [Path(word) for word in sys.argv[1:]] * 40
source = loader(PlainPictures(paths, TestTransform((32, 16))), in_order(len(paths), 1), collate_plain, workers=1)
kept = []
try:
    for batch in source:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        kept.append(batch)  # each holds files of shared memory open
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_too_many_open_files_are_told(paths):
    done = subprocess.run(
        [sys.executable, "-c", NO_FILES, *map(str, paths)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("DataError ") and "ulimit -n" in done.stdout, done.stdout + done.stderr


def test_no_files_left_to_start_a_worker_with_are_told(paths, monkeypatch):
    def full(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(torch.utils.data.dataloader, "_MultiProcessingDataLoaderIter", full)
    with pytest.raises(DataError) as raised:
        list(batches_of(paths))
    assert_names(raised.value, "ulimit -n", "data.workers=0")


@pytest.mark.slow
def test_workers_forked_beside_busy_threads_deliver(paths):
    """Threads that allocate, log, import and use sockets' and files' locks all the time, as tracking's may."""
    stop, log = threading.Event(), logging.getLogger("busy")
    log.addHandler(logging.NullHandler())

    def busy() -> None:
        while not stop.is_set():
            log.error("%d", len(np.ones(1000).tobytes()))
            __import__("json").dumps({"a": [1] * 100})
            torch.ones(100).sum()

    threads = [threading.Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert len(list(batches_of(paths, workers=2, patience=30))) == 4
    finally:
        stop.set()
        for thread in threads:
            thread.join()
