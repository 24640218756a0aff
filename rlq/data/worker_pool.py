"""Loader processes that never hang: an error, a death or a standstill of a worker ends the run with one clear line.

Workers are forked on Linux although the main process may have threads (of torch, of tracking), because a spawned worker
would import all libraries again. This is safe: a worker only reads pictures, with OpenCV and torch restricted to one
thread, and takes no lock that such a thread may hold (see tests/data/test_worker_pool.py).
"""

import atexit
import errno
import os
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import active_children
from typing import Any, cast
from weakref import WeakKeyDictionary

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rlq.core.errors import DataError, RlqError
from rlq.data.transforms import quiet_worker

FORK = "fork" if sys.platform == "linux" else None  # elsewhere Python's default
PATIENCE = 600  # seconds for one batch
CHECK_INTERVAL = 10.0  # seconds between two checks whether a batch has arrived
RESUME_HINT = "rlq train --resume continues a run"
_started: "WeakKeyDictionary[Any, int]" = WeakKeyDictionary()  # worker -> pid of the process that started it
DIED = re.compile(r"DataLoader worker \(pid(?:\(s\))? (?P<pid>[^)]+)\) (?P<how>.*)", re.DOTALL)
TOO_MANY = ("Too many open files", "received 0 items of ancdata")
NO_FILES = (
    f"data workers have no open files left to send batches; raise ulimit -n, or --set data.workers=0; {RESUME_HINT}"
)
NO_ROOM = (
    "data workers have no room for their batches in shared memory ({why}); --set data.workers=0 works without it, "
    f"a container gets more with --shm-size, and a smaller data.batch needs less; {RESUME_HINT}"
)


class Loader(DataLoader):
    """Batches in order.

    Raises DataError if a worker dies, sends nothing for `patience` seconds, or cannot read a picture; the last is the
    same error as without workers.
    """

    def __init__(
        self,
        dataset: Dataset,
        batches: Any,
        collate: Callable[[Sequence[Any]], Any],
        *,
        workers: int = 0,
        pin: bool = False,
        patience: int = PATIENCE,
    ) -> None:
        self._requested = _RequestedBatches(batches)
        self._patience = patience
        self._workers: set[Any] = set()
        super().__init__(
            _WholeBatches(dataset, collate) if workers else dataset,
            batch_sampler=self._requested,
            collate_fn=_unchanged if workers else collate,
            num_workers=workers,
            pin_memory=pin,
            persistent_workers=workers > 0,
            multiprocessing_context=FORK if workers else None,
            worker_init_fn=quiet_worker if workers else None,
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch declares a private iterator type
        if not self.num_workers:
            yield from super().__iter__()
            return
        with _Watchdog(self._workers, self._patience) as watchdog:
            batches = self._wait_for(watchdog, self._start)
            while True:
                batch = self._wait_for(watchdog, lambda: next(batches, None))
                if batch is None:
                    return
                if isinstance(batch, RlqError):
                    raise batch
                self._requested.waiting.popleft()
                yield batch

    def _start(self) -> Iterator[Any]:
        others = set(active_children())
        batches = super().__iter__()
        new = set(active_children()) - others
        self._workers |= new
        _started.update(dict.fromkeys(new, os.getpid()))
        atexit.unregister(end_workers)
        atexit.register(end_workers)  # the last handler registered runs first, before those of torch and Python
        return batches

    def _wait_for(self, watchdog: "_Watchdog", request: Callable[[], Any]) -> Any:
        """Return torch's answer, or raise an error of ours; the death of a worker can show as several of torch's."""
        try:
            with clear_worker_errors(), watchdog.waiting():
                try:
                    return request()
                except (ConnectionError, EOFError, FileNotFoundError) as error:  # of the socket to a worker
                    raise RuntimeError(self._death()) from error
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        raise DataError(NO_ROOM.format(why="no locks between processes")) from error
                    if error.errno == errno.EMFILE:
                        raise DataError(NO_FILES) from error
                    raise
                except RuntimeError as error:
                    if "exited unexpectedly" in str(error):
                        raise RuntimeError(self._death()) from error
                    raise
        except DataError as error:
            if watchdog.is_late:
                raise self._late() from error
            raise

    def _death(self) -> str:
        """Return torch's message about a worker whose death it notices at once."""
        for worker in self._workers:
            worker.join(1)
            if worker.exitcode is not None and worker.exitcode < 0:
                return (
                    f"DataLoader worker (pid {worker.pid}) is killed by signal: {signal.strsignal(-worker.exitcode)}."
                )
        return "DataLoader worker (pid unknown) ended before its batch was here."

    def _late(self) -> DataError:
        batch = ""
        if self._requested.waiting:
            # Only workers are waited for, so the data set is wrapped.
            keys, dataset = self._requested.waiting[0], cast("_WholeBatches", self.dataset)
            batch = f"; the next batch, of {len(keys)}, begins with {dataset.path_of(keys[0])}"
        return DataError(
            f"data workers sent nothing for {self._patience} s (data.patience){batch}. Check that the disk or network "
            f"drive responds and that no worker was stopped. {RESUME_HINT}"
        )


class _Watchdog:
    """Kills the workers if the main process waits for them too long, which ends its waiting.

    torch's own time limit does not cover the transfer of a batch, during which a stopped worker makes the main process
    wait forever. Time in which all processes were stopped (Ctrl-Z) counts as one check.
    """

    def __init__(self, workers: set[Any], patience: int) -> None:
        self.is_late = False
        self._workers, self._patience = workers, patience
        self._wait: object | None = None  # identifies the current wait
        self._done = threading.Event()

    def __enter__(self) -> "_Watchdog":
        self._thread = threading.Thread(target=self._check, name="rlq-workers", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time in this context as waiting."""
        self._wait = object()
        try:
            yield
        finally:
            self._wait = None

    def _check(self) -> None:
        step = min(CHECK_INTERVAL, self._patience / 4)
        previous, waited = None, 0.0
        while not self._done.wait(step):
            current = self._wait
            waited = waited + step if current is not None and current is previous else 0.0
            previous = current
            if waited >= self._patience:
                self.is_late = True
                for worker in list(self._workers):
                    worker.kill()  # a stopped process does not handle SIGTERM, and Python would wait for it at exit
                return


def end_workers() -> None:
    """Kill the remaining workers when this process ends.

    Python would send SIGTERM and wait, forever if a worker is stopped. torch would turn the deaths into an error that
    cannot be caught any more, so its signal handler is removed first.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker, starter in list(_started.items()):
        if starter == os.getpid():
            worker.kill()


@contextmanager
def clear_worker_errors() -> Iterator[None]:
    """Turn torch's error about a dead worker, which it may raise at any time, into a DataError."""
    try:
        yield
    except RuntimeError as error:
        explanation = _explained(str(error))
        if explanation is None:
            raise
        raise DataError(explanation) from error


def _explained(message: str) -> str | None:
    """Return our words for torch's message about a dead worker, None for any other message."""
    match = DIED.match(message)
    if match is None:
        return NO_FILES if message.startswith(TOO_MANY) else None
    if "Bus error" in match["how"]:
        return NO_ROOM.format(why="bus error")
    return (
        f"the data worker {match['pid']} {match['how'].split('.')[0]}; the kernel kills processes when memory runs out "
        f"(fewer data.workers or a smaller data.batch need less), and so can other users; {RESUME_HINT}"
    )


class _RequestedBatches:
    """Batches of keys, and those of them that were requested and have not arrived."""

    def __init__(self, batches: Iterable[list[Any]]) -> None:
        self.batches = batches
        self.waiting: deque[list[Any]] = deque()

    def __iter__(self) -> Iterator[list[Any]]:
        self.waiting.clear()
        for keys in self.batches:
            self.waiting.append(keys)
            yield keys

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]  # only called where they have a length


class _WholeBatches(Dataset):
    """Whole batches for a worker: in shared memory already, or an error in their place.

    torch would put the worker's traceback into the error's message, and would move a batch to shared memory in a thread
    whose errors are lost.
    """

    def __init__(self, dataset: Any, collate: Callable[[Sequence[Any]], Any]) -> None:
        self.dataset, self.collate = dataset, collate

    def __len__(self) -> int:
        return len(self.dataset)

    def path_of(self, key: Any) -> Any:
        return self.dataset.path_of(key)

    def __getitems__(self, keys: Sequence[Any]) -> Any:
        try:
            batch = self.collate([self.dataset[key] for key in keys])
        except RlqError as error:
            return error
        try:
            for part in batch:
                if isinstance(part, Tensor):
                    part.share_memory_()
        except RuntimeError as error:
            return DataError(NO_ROOM.format(why=str(error).splitlines()[0]))
        return batch


def _unchanged(batch: Any) -> Any:
    return batch
