"""Loader processes that never hang: an error, the death or a standstill of a worker ends the run with a clear error.

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
_parents: "WeakKeyDictionary[Any, int]" = WeakKeyDictionary()  # worker -> pid of the process that started it
WORKER_DIED = re.compile(r"DataLoader worker \(pid(?:\(s\))? (?P<pid>[^)]+)\) (?P<how>.*)", re.DOTALL)
NO_FILES_ERRORS = ("Too many open files", "received 0 items of ancdata")
NO_FILES = (
    f"data workers have no open files left to send batches; raise ulimit -n, or --set data.workers=0; {RESUME_HINT}"
)
NO_SHARED_MEMORY = (
    "data workers have no space for their batches in shared memory ({reason}); --set data.workers=0 works without it, "
    f"a container gets more with --shm-size, and a smaller data.batch needs less; {RESUME_HINT}"
)


class Loader(DataLoader):
    """Batches in order.

    Raises DataError if a worker dies, sends nothing for `patience` seconds, or cannot read a picture. The last error is
    the same as without workers.
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
        _parents.update(dict.fromkeys(new, os.getpid()))
        atexit.unregister(end_workers)
        atexit.register(end_workers)  # the last handler registered runs first, before those of torch and Python
        return batches

    def _wait_for(self, watchdog: "_Watchdog", request: Callable[[], Any]) -> Any:
        """Return torch's answer. Raise DataError for the death of a worker, which torch reports in several ways."""
        try:
            with clear_worker_errors(), watchdog.waiting():
                try:
                    return request()
                except (ConnectionError, EOFError, FileNotFoundError) as error:  # of the socket to a worker
                    raise RuntimeError(self._death_message()) from error
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        raise DataError(NO_SHARED_MEMORY.format(reason="no locks between processes")) from error
                    if error.errno == errno.EMFILE:
                        raise DataError(NO_FILES) from error
                    raise
                except RuntimeError as error:
                    if "exited unexpectedly" in str(error):
                        raise RuntimeError(self._death_message()) from error
                    raise
        except DataError as error:
            if watchdog.is_late:
                raise self._late_error() from error
            raise

    def _death_message(self) -> str:
        """Return the message of torch about a dead worker, for errors in which torch does not report the death."""
        for worker in self._workers:
            worker.join(1)
            if worker.exitcode is not None and worker.exitcode < 0:
                return (
                    f"DataLoader worker (pid {worker.pid}) is killed by signal: {signal.strsignal(-worker.exitcode)}."
                )
        return "DataLoader worker (pid unknown) ended before it sent its batch."

    def _late_error(self) -> DataError:
        batch = ""
        if self._requested.waiting:
            # The loop waits only if there are workers, for which the data set is wrapped.
            keys, dataset = self._requested.waiting[0], cast("_WholeBatches", self.dataset)
            batch = f"; the next batch, of {len(keys)}, begins with {dataset.path_of(keys[0])}"
        return DataError(
            f"data workers sent nothing for {self._patience} s (data.patience){batch}. Check that the disk or network "
            f"drive responds and that no worker was stopped. {RESUME_HINT}"
        )


class _Watchdog:
    """Kills the workers if the main process waits for them too long, which ends the wait.

    torch's own time limit does not cover the transfer of a batch, during which a stopped worker would make the main
    process wait forever. A time in which all processes were stopped (Ctrl-Z) counts as one check.
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
                    worker.kill()  # a stopped process ignores SIGTERM, and Python would wait for it at exit
                return


def end_workers() -> None:
    """Kill the remaining workers when this process ends.

    Python would send SIGTERM and wait, forever if a worker is stopped. torch would turn the deaths into an error that
    cannot be caught any more, so its signal handler is removed first.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker, parent in list(_parents.items()):
        if parent == os.getpid():
            worker.kill()


@contextmanager
def clear_worker_errors() -> Iterator[None]:
    """Raise DataError in place of torch's error about a dead worker, which it may raise at any time."""
    try:
        yield
    except RuntimeError as error:
        message = _clear_message(str(error))
        if message is None:
            raise
        raise DataError(message) from error


def _clear_message(message: str) -> str | None:
    """Return a clear message in place of torch's about a dead worker; None for any other message."""
    match = WORKER_DIED.match(message)
    if match is None:
        return NO_FILES if message.startswith(NO_FILES_ERRORS) else None
    if "Bus error" in match["how"]:
        return NO_SHARED_MEMORY.format(reason="bus error")
    return (
        f"the data worker {match['pid']} {match['how'].split('.')[0]}; the kernel kills processes when memory runs out "
        f"(fewer data.workers or a smaller data.batch need less), and other users can kill them; {RESUME_HINT}"
    )


class _RequestedBatches:
    """Batches of keys; `waiting` has those that were requested and have not arrived."""

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
    """A data set of whole batches for workers: each in shared memory, or an error in its place.

    torch would add the worker's traceback to the error's message, and would move the batch to shared memory in a thread
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
            return DataError(NO_SHARED_MEMORY.format(reason=str(error).splitlines()[0]))
        return batch


def _unchanged(batch: Any) -> Any:
    return batch
