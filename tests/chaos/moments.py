"""When to strike: by what a command has done, never by the clock, so that a slow or busy machine changes nothing.

What a command does is counted, held up or stopped by small changes that its new process makes first (`before` of
Scene.start).
"""

import os
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from chaos.processes import PATIENCE, Process
from chaos.scene import Scene

Before = Callable[[], None]


def all_of(*changes: Before) -> Before:
    """Several changes of one new process."""

    def make() -> None:
        for change in changes:
            change()

    return make


def counted_pictures(pause: float = 0.0) -> Before:
    """Count the pictures that the process and its workers read for `seen`; each takes so many seconds more."""

    def change() -> None:
        from rlq.data import pictures

        quick = pictures.content_of
        count = os.open(f".pictures-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def counted(path: Path) -> bytes:
            os.write(count, b".")
            time.sleep(pause)
            return quick(path)

        pictures.content_of = counted  # type: ignore[attr-defined]

    return change


slow_pictures = counted_pictures(0.02)  # so that a worker that is struck has still something to do


def seen(scene: Scene, process: Process, pictures: int) -> Callable[[], bool]:
    """Whether a command with counted pictures has read so many."""
    count = scene.folder / f".pictures-{process.pid}"
    return lambda: count.is_file() and count.stat().st_size >= pictures


def told(scene: Scene, process: Process, word: str, times: int) -> Callable[[], bool]:
    """Whether a command has said so many lines that begin with a word."""
    return lambda: sum(line.startswith(f"{word} ") for line in scene.output(process).splitlines()) >= times


def halt_in_file(pattern: str, share: float, *, once: str = "") -> Before:
    """Stop for good when a file whose path matches is to be made safe on the disk, with only a share of it written.

    `once`: not before a file matches this.
    """

    def change() -> None:
        quick = os.fsync

        def halting(file: int) -> None:
            path = Path(f"/proc/self/fd/{file}").readlink()
            if fnmatch(str(path), f"*/{pattern}") and _there(once):
                os.ftruncate(file, int(share * path.stat().st_size))
                _halt()
            quick(file)

        os.fsync = halting

    return change


def halt_at_word(number: int, *, once: str = "") -> Before:
    """Stop before the n-th word to the tracker since a file matches `once`, until `go_on`."""

    def change() -> None:
        from rlq.tracking.outbox import Delivery

        quick, words = Delivery.send, 0

        def halting(self: Delivery, *options: Any, **more: Any) -> int:
            nonlocal words
            words += _there(once)
            if words == number:
                words += 1  # not once more when it has gone on
                _halt()
            return quick(self, *options, **more)

        Delivery.send = halting  # type: ignore[method-assign]

    return change


def halt_at_rename(number: int) -> Before:
    """Stop for good before the n-th time that something takes another's name or place."""

    def change() -> None:
        quick, renames = Path.rename, 0

        def halting(self: Path, target: str | Path) -> Path:
            nonlocal renames
            renames += 1
            if renames == number:
                _halt()
            return quick(self, target)

        Path.rename = halting  # type: ignore[method-assign,assignment]

    return change


def halted(scene: Scene, process: Process) -> Callable[[], bool]:
    """Whether a command has stopped where it should."""
    return (scene.folder / f".halted-{process.pid}").is_file


def go_on(scene: Scene, process: Process) -> None:
    """Let a command that has stopped go on."""
    (scene.folder / f".go-{process.pid}").touch()


def slow_disk() -> None:
    """Make every file take a tenth of a second to be on disk, in this process."""
    quick = os.fsync

    def slow(file: int) -> None:
        time.sleep(0.1)
        quick(file)

    os.fsync = slow


def _there(pattern: str) -> bool:
    return not pattern or any(True for _ in Path().glob(pattern))


def _halt() -> None:
    """Wait to be killed, or to be told to go on."""
    Path(f".halted-{os.getpid()}").touch()
    end = time.monotonic() + 2 * PATIENCE
    while not Path(f".go-{os.getpid()}").is_file():
        if time.monotonic() > end:
            os._exit(70)  # whoever should have killed it is gone
        time.sleep(0.01)
