"""Decoded pictures in one file, which all runs and loader processes of a machine read instead of decoding again.

The file holds the sizes of the pictures, then their pixels; the digest in its name covers the pictures' paths and
states. A picture that has changed since is decoded from its own file. The total size is limited: writing a new file
deletes the least recently used ones, except those that a process has open (it holds a shared lock until it ends). A
truncated file is written again, and unfinished files of killed processes are removed.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from rlq.core.cache import derived_file, file_state, oldest_first
from rlq.core.digest import short_digest
from rlq.core.errors import DataError
from rlq.core.files import remove_partial, written_whole
from rlq.data.parallel import parallel_map
from rlq.data.pictures import picture_sizes, read_picture

MANY = 5000  # pictures from which starting processes pays off
SUFFIX = ".pictures"
HEADER = np.dtype("<i8")
SHARE = 0.5  # of the free space and what the cache has already, if no limit is set
GB = 1e9


class DecodedPictures:
    """Pictures in a file that `keep_decoded` wrote; a process that receives this object opens the file by itself."""

    def __init__(self, file: Path, paths: Sequence[Path], states: Sequence[tuple[int, int] | None]) -> None:
        self.file = file
        self.sizes = np.fromfile(file, HEADER, 2 * len(paths)).reshape(-1, 2)  # [N, 2] height, width
        lengths = 3 * self.sizes.prod(axis=1)
        self.offsets = HEADER.itemsize * self.sizes.size + np.cumsum(lengths) - lengths  # [N]
        self.places = {str(path): place for place, path in enumerate(paths)}
        self.states = list(states)
        self._bytes: np.memmap | None = None
        self._open: BinaryIO | None = None
        self._map()

    def find(self, path: Path) -> np.ndarray | None:
        """Return a copy of the picture with this path, None if it is not in the file or has changed since."""
        place = self.places.get(str(path))
        if place is None or file_state(path) != self.states[place]:
            return None
        if self._bytes is None and not self._map():
            return None
        assert self._bytes is not None  # as it has just been mapped
        height, width = self.sizes[place]
        start = self.offsets[place]
        return np.array(self._bytes[start : start + 3 * height * width]).reshape(height, width, 3)

    def _map(self) -> bool:
        """Open, lock and map the file; return false if somebody has deleted it."""
        try:
            self._open = self.file.open("rb")
        except FileNotFoundError:
            self.places = {}
            return False
        fcntl.flock(self._open, fcntl.LOCK_SH)
        self._bytes = np.memmap(self._open, np.uint8, "r")
        return True

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_bytes": None, "_open": None}


def keep_decoded(paths: Sequence[Path], folder: Path, name: str, limit_gb: float | None = None) -> DecodedPictures:
    """Decode these pictures into `folder/<name>-<digest>.pictures`, unless a whole file exists already.

    All such files together take at most `limit_gb`, or half of the disk space that is free or theirs. A second process
    that needs the same file waits for the first. Raises DataError without room or permission to write.
    """
    states = [file_state(path) for path in paths]
    if None in states:
        raise DataError(f"{paths[states.index(None)]} does not exist")
    content = "\n".join(f"{path.absolute()} {state}" for path, state in zip(paths, states, strict=True))
    file = derived_file(folder, name, short_digest(content), SUFFIX)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            if not _whole(file, len(paths)):
                file.unlink(missing_ok=True)
                _write(paths, file, limit_gb)
            with _housekeeping(folder):  # no other process deletes it before it is open
                os.utime(file)  # mark it as used
                return DecodedPictures(file, paths, states)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error


def _whole(file: Path, count: int) -> bool:
    """Return whether a file exists and is as long as its header says."""
    try:
        length, sizes = file.stat().st_size, np.fromfile(file, HEADER, 2 * count).reshape(-1, 2)
    except (OSError, ValueError):  # an odd number of sizes
        return False
    return len(sizes) == count and bool((sizes > 0).all()) and length == _length(sizes)


def _length(sizes: np.ndarray) -> int:
    """Return how many bytes a file of pictures of these sizes [N, 2] has."""
    return HEADER.itemsize * sizes.size + 3 * sum(height * width for height, width in sizes.tolist())


def _write(paths: Sequence[Path], file: Path, limit_gb: float | None) -> None:
    sizes = picture_sizes(paths)[:, ::-1]  # [N, 2] height, width
    needed, pictures = _length(sizes), f"the {len(paths)} decoded pictures of {file.name}"
    processes = (os.cpu_count() or 1) if len(paths) >= MANY else 1
    with _housekeeping(file.parent):
        _remove_partial(file)
        _make_room(needed, file.parent, limit_gb, pictures)
    with written_whole(file) as temporary, temporary.open("r+b") as output:
        output.truncate(needed)  # other processes that make room count its full size
        output.write(np.ascontiguousarray(sizes, HEADER).tobytes())
        for path, size, picture in zip(paths, sizes, parallel_map(read_picture, paths, processes), strict=True):
            if picture.shape[:2] != tuple(size):
                raise DataError(f"{path} decodes to (height, width) {picture.shape[:2]}, its header says {tuple(size)}")
            output.write(picture.tobytes())


def _make_room(needed: int, folder: Path, limit_gb: float | None, pictures: str) -> None:
    """Delete old files until `needed` bytes can be written.

    Raises DataError if that is not enough, without deleting anything if it could never be enough.
    """
    free = shutil.disk_usage(folder).free
    sizes = {file: file.stat().st_size for file in folder.glob(f"*{SUFFIX}")}  # unfinished ones too
    taken = sum(sizes.values())
    limit = (taken + free) * SHARE if limit_gb is None else limit_gb * GB
    limit_name = f"half of the room that {folder} has" if limit_gb is None else "data.cache_gb"
    finished = [file for file in sizes if not file.name.startswith(".")]
    for file in oldest_first(finished) if needed <= limit else []:
        if taken + needed <= limit and needed <= free:
            return
        if _removed(file):
            taken, free = taken - sizes[file], free + sizes[file]
    if taken + needed > limit or needed > free:
        raise DataError(
            f"{pictures} take {needed / GB:.1f} GB, where {max(0.0, limit - taken) / GB:.1f} GB are left of the "
            f"{limit / GB:.1f} GB of {limit_name}, and {free / GB:.1f} GB of the disk"
        )


def _removed(file: Path) -> bool:
    """Delete a file unless a process has it open; return whether it was deleted."""
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        file.unlink()
        return True


def _remove_partial(file: Path) -> None:
    """Remove what killed processes left of this file, whose lock is held, and of others that no process is writing."""
    remove_partial(file.parent, file.name)
    for partial in sorted(file.parent.glob(f".*{SUFFIX}")):
        name = partial.name[1:].partition(".")[2]
        with suppress(Timeout), FileLock(file.with_name(name).with_suffix(".lock"), timeout=0):
            remove_partial(file.parent, name)


@contextmanager
def _housekeeping(folder: Path) -> Iterator[None]:
    """Let one process at a time open or delete files of the folder; pictures are decoded outside of this lock."""
    with FileLock(folder / ".housekeeping.lock"):
        yield
