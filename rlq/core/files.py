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

    Missing folders are created. A `durable` file survives a power failure, which costs some milliseconds. Raise
    `refusal` if the file cannot be written.
    """
    partial = _partial(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        mode = partial.stat().st_mode  # of the user's umask; safetensors writes files that only their owner can read
        yield partial
        partial.chmod(mode)
        if durable:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise refusal(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it does not exist after a success, or if the folder cannot be created
            partial.unlink()


def write_file(path: Path, content: str | bytes, *, durable: bool = True, refusal: type[Exception] = DataError) -> None:
    """Write text (UTF-8) or bytes as `written_whole` does."""
    with written_whole(path, durable=durable, refusal=refusal) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Yield a new, empty folder that takes the place of `folder` at the end, with everything in it; after an error
    `folder` is unchanged. Raise DataError if it cannot be written."""
    place = folder.absolute()
    new, old = _partial(place), _partial(place)
    try:
        new.mkdir(parents=True)
        yield new
        if place.exists():
            place.rename(old)  # so that nobody reads the folder while it is being deleted
        new.rename(place)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _partial(path: Path) -> Path:
    """Return the path of a temporary file beside `path`, which `remove_partial` recognises."""
    return path.with_name(f".{secrets.token_hex(4)}.{path.name}")


@contextmanager
def exclusive_access(path: Path) -> Iterator[None]:
    """Lock a file against other processes that call this function, while it is read, changed and written.

    Incomplete files that a killed process left are removed. Raise DataError if the lock cannot be written.
    """
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
    """Remove temporary files that killed processes left in a folder: those of one file or folder, or all.

    The caller holds a lock against other writers, or passes the age in seconds above which files are removed.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        match = _PARTIAL.fullmatch(path.name)
        if match is None or match["name"] != (name or match["name"]):
            continue
        with suppress(OSError):  # another process may have removed it, and a file that stays does no harm
            if path.stat().st_mtime > time.time() - older:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def cut_name(name: str, most: int = 180) -> str:
    """Return the beginning of a name that fits into a file name, whose length is limited in bytes."""
    return name.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def content_of(path: Path) -> bytes:
    """Return the content of a file. Raise OSError as `read_bytes` does, and also for a device, which may never end."""
    with path.open("rb") as file:
        kind = os.fstat(file.fileno()).st_mode
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            raise OSError(errno.EINVAL, "is a device, not a file")
        return file.read()


def leads_out(path: Path, folder: Path) -> bool:
    """Return whether a path below a folder is, or is behind, a link to somewhere else."""
    return not path.resolve().is_relative_to(folder.resolve())


def parsed_json(text: str | bytes) -> Any:
    """Return parsed JSON. Raise ValueError for anything else, also for brackets nested thousands deep."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("brackets are nested thousands deep") from error
