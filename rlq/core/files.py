"""Files that appear whole or not at all."""

import errno
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from rlq.core.errors import DataError

_PARTIAL = re.compile(r"\.[0-9a-f]{8}\.(?P<name>.+)")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path in the folder of `path`, with its suffix, that takes its place at the end: readers see the old file or
    the new one, also after a power cut. The folder is made where it is missing. Raises DataError when it cannot be
    written."""
    partial = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask has it; safetensors would let nobody else read
        yield partial
        partial.chmod(mode)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is gone after a success, and was never there in a folder that is none
            partial.unlink()


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Keep others who ask for the same away from a file that is read, changed and written; what a killed process left
    half-written of it is removed. Raises DataError when it cannot be written."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    try:
        remove_partial(path.parent, path.name)
        yield
    finally:
        lock.release()


def remove_partial(folder: Path, name: str | None = None, *, older: float = 0.0) -> None:
    """Remove what `written_whole` left in a folder when its process was killed: of one file, or of all.

    Only for one who keeps others from writing there by a lock; anybody else takes those that nobody has touched for so
    many seconds.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        found = _PARTIAL.fullmatch(path.name)
        if found is None or found["name"] != (name or found["name"]):
            continue
        with suppress(OSError):  # another process may be faster, and a file that stays does no harm
            if path.stat().st_mtime <= time.time() - older:
                path.unlink()


def cut_name(name: str, most: int = 180) -> str:
    """As much of a name as a file's name has room for, which is counted in bytes."""
    return name.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def content_of(path: Path) -> bytes:
    """What is in a file. Raises OSError as `read_bytes` does, and for a device, which a link may lead to and which may
    never end."""
    with path.open("rb") as file:
        kind = os.fstat(file.fileno()).st_mode
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            raise OSError(errno.EINVAL, "is a device, not a file")
        return file.read()


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path below a folder is, or lies behind, a link to somewhere else."""
    return not path.resolve().is_relative_to(folder.resolve())


def parsed_json(text: str | bytes) -> Any:
    """What JSON says. Raises ValueError for everything that is none, also for brackets in brackets, thousands deep."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("brackets in brackets, thousands deep") from error
