"""Places with little room, or that nobody may write to: a small file system of their own where the machine lets us
mount one, else a limit on the size of files."""

import ctypes
import errno
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

NEW_NAMESPACE, PRIVATE, READ_ONLY, REMOUNT, DETACH = 0x20000, (1 << 18) | (1 << 14), 1, 32, 2
BY_MOUNT, BY_LIMIT = "on a small file system", "by file-size limit"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - as Linux calls it
_libc = ctypes.CDLL(None, use_errno=True)


@cache
def may_mount() -> bool:
    """Give this process mounts of its own, which end with it; false for somebody who may not."""
    return _separated()


def _separated() -> bool:
    return _libc.unshare(NEW_NAMESPACE) == 0 and _libc.mount(b"none", b"/", None, PRIVATE, None) == 0


class Room:
    """A mounted folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, size: int, *, read_only: bool = False) -> None:
        """So many bytes from now on."""
        _mount(self.folder, size, REMOUNT | (READ_ONLY if read_only else 0))


@contextmanager
def room(folder: Path, size: int) -> Iterator[Room]:
    """The folder with room for so many bytes; what is in it stays, before and after."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f"{folder.name}-aside")
    shutil.copytree(folder, aside)
    _mount(folder, 1 << 30, 0)
    place = Room(folder)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        place.resize(size)
        yield place
    finally:
        shutil.rmtree(aside)
        place.resize(1 << 30)
        shutil.copytree(folder, aside)
        _check(_libc.umount2(os.fsencode(folder), DETACH))
        shutil.rmtree(folder)
        aside.rename(folder)


def limited(size: int) -> Callable[[], None]:
    """For a new process: no file may grow beyond this."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def little_shared_memory(size: int) -> Callable[[], None]:
    """For a new process: so much /dev/shm."""

    def limit() -> None:
        assert _separated()  # or whoever started it would have as little
        _mount(SHARED_MEMORY, size, 0)

    return limit


def _mount(folder: Path, size: int, flags: int) -> None:
    _check(_libc.mount(b"none", os.fsencode(folder), b"tmpfs", flags, f"size={size}".encode()))


def _check(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), errno.errorcode.get(ctypes.get_errno(), "?"))
