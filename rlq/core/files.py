"""Files and folders that appear whole or not at all."""

import errno
import json
import os
import re
import secrets
import shutil
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
def written_whole(path: Path, *, durable: bool = True, refusal: type[Exception] = DataError) -> Iterator[Path]:
    """Yield a temporary path with the suffix of `path` and move it there at the end, so that readers see the old file
    or the new one.

    A missing folder is made. `durable`: also after a power cut, which takes the disk some milliseconds. Raises
    `refusal` when the file cannot be written.
    """
    partial = _partial(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask has it; safetensors would let nobody else read
        yield partial
        partial.chmod(mode)
        if durable:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise refusal(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # after a success it is gone, and where the folder cannot be made it never existed
            partial.unlink()


def write_file(path: Path, content: str | bytes, *, durable: bool = True, refusal: type[Exception] = DataError) -> None:
    """Write text (UTF-8) or bytes as `written_whole` does."""
    with written_whole(path, durable=durable, refusal=refusal) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Yield a new, empty folder that takes the place of `folder` at the end, with everything in it; after an error
    `folder` is as it was. Raises DataError when it cannot be written."""
    place = folder.absolute()
    new, old = _partial(place), _partial(place)
    try:
        new.mkdir(parents=True)
        yield new
        if place.exists():
            place.rename(old)  # a folder that is being deleted must not be read as a whole one
        new.rename(place)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _partial(path: Path) -> Path:
    """Return a name for a draft beside `path`, which `remove_partial` recognises."""
    return path.with_name(f".{secrets.token_hex(4)}.{path.name}")


@contextmanager
def exclusive_access(path: Path) -> Iterator[None]:
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
    """Remove the drafts that killed processes left in a folder: those of one file or folder, or all of them.

    The caller holds a lock that keeps others from writing there, or gives the number of seconds for which a draft must
    not have been touched.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        found = _PARTIAL.fullmatch(path.name)
        if found is None or found["name"] != (name or found["name"]):
            continue
        with suppress(OSError):  # another process may be faster, and a file that stays does no harm
            if path.stat().st_mtime > time.time() - older:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
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
