"""Loader processes that never hang in silence: what goes wrong in one of them ends the run with one clear line.

They are forked on Linux, although the main process may have threads (of torch, of tracking): a spawned worker would
first import all libraries again, and a worker takes no lock that such a thread may have held, as it only reads
pictures, with OpenCV and torch kept to one thread. tests/data/test_loaders.py tries it.
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
from functools import partial
from multiprocessing import active_children
from typing import Any, cast
from weakref import WeakKeyDictionary

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rlq.core.errors import DataError, RlqError
from rlq.data.pictures import Kept, kept_pictures, look_first_in
from rlq.data.transforms import quiet_worker

FORK = "fork" if sys.platform == "linux" else None  # elsewhere as Python likes it there
PATIENCE = 600  # seconds for one batch
LOOK = 10.0  # seconds between two looks at whether a batch came
GO_ON = "rlq train --resume goes on with a run"
_started: "WeakKeyDictionary[Any, int]" = WeakKeyDictionary()  # worker -> the process that has started it
DIED = re.compile(r"DataLoader worker \(pid(?:\(s\))? (?P<pid>[^)]+)\) (?P<how>.*)", re.DOTALL)
TOO_MANY = ("Too many open files", "received 0 items of ancdata")
NO_FILES = (
    f"data workers have no open files left to hand over batches; raise ulimit -n, or --set data.workers=0; {GO_ON}"
)
NO_ROOM = (
    "data workers have no room for their batches in shared memory ({why}); --set data.workers=0 does without it, "
    f"a container gets more with --shm-size, and a smaller data.batch needs less; {GO_ON}"
)


class Loader(DataLoader):
    """Batches in order. Raises DataError where a worker dies, gives nothing for `patience` seconds, or cannot read a
    picture, in the words in which it would be told without workers."""

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
        self._asked = _Asked(batches)
        self._patience = patience
        self._workers: set[Any] = set()
        super().__init__(
            _Careful(dataset, collate) if workers else dataset,
            batch_sampler=self._asked,
            collate_fn=_as_it_is if workers else collate,
            num_workers=workers,
            pin_memory=pin,
            persistent_workers=workers > 0,
            multiprocessing_context=FORK if workers else None,
            worker_init_fn=partial(_begin_worker, kept_pictures()) if workers else None,
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch promises an iterator of its own making
        if not self.num_workers:
            yield from super().__iter__()
            return
        with _Watch(self._workers, self._patience) as watch:
            batches = self._asked_for(watch, self._begun)
            while True:
                batch = self._asked_for(watch, lambda: next(batches, None))
                if batch is None:
                    return
                if isinstance(batch, RlqError):
                    raise batch
                self._asked.waiting.popleft()
                yield batch

    def _begun(self) -> Iterator[Any]:
        others = set(active_children())
        batches = super().__iter__()
        new = set(active_children()) - others
        self._workers |= new
        _started.update(dict.fromkeys(new, os.getpid()))
        atexit.unregister(end_workers)
        atexit.register(end_workers)  # what was registered last comes first: before what torch and Python do
        return batches

    def _asked_for(self, watch: "_Watch", ask: Callable[[], Any]) -> Any:
        """What torch answers, or an error in our own words. A worker's end shows as one of several."""
        try:
            with deaths_told(), watch.waiting():
                try:
                    return ask()
                except (ConnectionError, EOFError, FileNotFoundError) as error:  # of the socket to a worker
                    raise RuntimeError(self._end()) from error
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        raise DataError(NO_ROOM.format(why="no locks between processes")) from error
                    if error.errno == errno.EMFILE:
                        raise DataError(NO_FILES) from error
                    raise
                except RuntimeError as error:
                    if "exited unexpectedly" in str(error):
                        raise RuntimeError(self._end()) from error
                    raise
        except DataError as error:
            if watch.late:
                raise self._late() from error
            raise

    def _end(self) -> str:
        """What torch says of a worker whose end it sees at once."""
        for worker in self._workers:
            worker.join(1)
            if worker.exitcode is not None and worker.exitcode < 0:
                return (
                    f"DataLoader worker (pid {worker.pid}) is killed by signal: {signal.strsignal(-worker.exitcode)}."
                )
        return "DataLoader worker (pid unknown) ended before its batch was here."

    def _late(self) -> DataError:
        where = ""
        if self._asked.waiting:
            keys, dataset = self._asked.waiting[0], cast("_Careful", self.dataset)  # only workers are waited for
            where = f"; the batch of {len(keys)} that is waited for begins with {dataset.path_of(keys[0])}"
        return DataError(
            f"data workers gave nothing for {self._patience} s (data.patience){where}. Is the disk or network drive "
            f"there, was a worker stopped? {GO_ON}"
        )


class _Watch:
    """Kills the workers when they are waited for too long, which frees whoever waits.

    torch's own time limit does not cover the handing over of a batch, in which a stopped worker leaves the main process
    waiting for ever. Time in which all of us were stopped (Ctrl-Z) counts as one look.
    """

    def __init__(self, workers: set[Any], patience: int) -> None:
        self.late = False
        self._workers, self._patience = workers, patience
        self._wait: object | None = None  # the one that is going on
        self._done = threading.Event()

    def __enter__(self) -> "_Watch":
        self._thread = threading.Thread(target=self._look, name="rlq-workers", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While entered, the clock runs."""
        self._wait = object()
        try:
            yield
        finally:
            self._wait = None

    def _look(self) -> None:
        step = min(LOOK, self._patience / 4)
        seen, waited = None, 0.0
        while not self._done.wait(step):
            wait = self._wait
            waited = waited + step if wait is not None and wait is seen else 0.0
            seen = wait
            if waited >= self._patience:
                self.late = True
                for worker in list(self._workers):
                    worker.kill()  # SIGTERM would not reach one that is stopped, and Python waits for it at its end
                return


def end_workers() -> None:
    """Kill what lives of the workers when this process ends. Python would ask kindly and then wait, for ever if one
    is stopped; and torch, told of a death, would raise an error that nobody can catch any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker, starter in list(_started.items()):
        if starter == os.getpid():
            worker.kill()


@contextmanager
def deaths_told() -> Iterator[None]:
    """Turn torch's error at the death of a worker, which may come up at any moment, into a DataError."""
    try:
        yield
    except RuntimeError as error:
        told = _told(str(error))
        if told is None:
            raise
        raise DataError(told) from error


def _told(text: str) -> str | None:
    found = DIED.match(text)
    if found is None:
        return NO_FILES if text.startswith(TOO_MANY) else None
    if "Bus error" in found["how"]:
        return NO_ROOM.format(why="bus error")
    return (
        f"the data worker {found['pid']} {found['how'].split('.')[0]}; the kernel kills when memory runs out (fewer "
        f"data.workers or a smaller data.batch need less), and so may somebody else; {GO_ON}"
    )


class _Asked:
    """Batches of keys, and those of them that have been asked for and not come."""

    def __init__(self, batches: Iterable[list[Any]]) -> None:
        self.batches = batches
        self.waiting: deque[list[Any]] = deque()

    def __iter__(self) -> Iterator[list[Any]]:
        self.waiting.clear()
        for keys in self.batches:
            self.waiting.append(keys)
            yield keys

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]  # asked only where they have one


class _Careful(Dataset):
    """Whole batches for a worker: in shared memory already, or the error in their place.

    torch would tell an error with the worker's traceback in it; and it would move a batch to shared memory in a thread
    whose errors nobody sees.
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


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin_worker(kept: dict[str, Kept], worker: int) -> None:
    """Start a loader process, which reads pictures as this one does."""
    quiet_worker(worker)
    look_first_in(kept)
