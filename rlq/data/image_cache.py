"""Decoded pictures in one file, which all runs and loader processes of a machine read instead of decoding again.

The file holds the sizes of the pictures, then their pixels; its name says of which pictures, in which state. A picture
that has changed since is not read from it. The folder is bounded: a new file takes the place of those that have not
been used for longest, but of none that a process has open (it holds a shared lock, which goes with the process). A file
that was cut short is written anew, and what a killed process left half-written is removed.
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

from rlq.core.cache import derived_file, file_state, oldest_first, short_digest
from rlq.core.errors import DataError
from rlq.core.files import remove_partial, written_whole
from rlq.data.parallel import parallel_map
from rlq.data.pictures import decode_picture, picture_sizes

MANY = 5000  # pictures from which on it pays to start processes for them
SUFFIX = ".pictures"
HEADER = np.dtype("<i8")
SHARE = 0.5  # of what the disk has for the cache, where no limit is set
GB = 1e9


class Decoded:
    """Pictures that `keep_decoded` wrote; a process that this is sent to opens the file for itself."""

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
        """The picture of this path, a copy of one's own; None if it is not here, or is another one by now."""
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
        """Open and map the file, with a lock that says so; false where somebody has removed it by hand."""
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


def keep_decoded(paths: Sequence[Path], folder: Path, name: str, limit_gb: float | None = None) -> Decoded:
    """Decode these pictures into `folder/<name>-<digest>.pictures`, unless that is there already and whole.

    All such files together take `limit_gb` at most, or half of what the disk has for them. A second process that wants
    the same waits for the first. Raises DataError when there is no room, or no right to write.
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
            with _housekeeping(folder):  # nobody removes it before it is open
                os.utime(file)  # used just now
                return Decoded(file, paths, states)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error


def _whole(file: Path, count: int) -> bool:
    """Whether a file is there and as long as its header says."""
    try:
        length, sizes = file.stat().st_size, np.fromfile(file, HEADER, 2 * count).reshape(-1, 2)
    except (OSError, ValueError):  # an odd number of sizes
        return False
    return len(sizes) == count and bool((sizes > 0).all()) and length == _length(sizes)


def _length(sizes: np.ndarray) -> int:
    """Bytes of a file of pictures of these sizes [N, 2]."""
    return HEADER.itemsize * sizes.size + 3 * sum(height * width for height, width in sizes.tolist())


def _write(paths: Sequence[Path], file: Path, limit_gb: float | None) -> None:
    sizes = picture_sizes(paths)[:, ::-1]  # [N, 2] height, width
    needed, pictures = _length(sizes), f"the {len(paths)} decoded pictures of {file.name}"
    processes = (os.cpu_count() or 1) if len(paths) >= MANY else 1
    with _housekeeping(file.parent):
        _remove_partial(file)
        _make_room(needed, file.parent, limit_gb, pictures)
    with written_whole(file) as temporary, temporary.open("r+b") as output:
        output.truncate(needed)  # whoever makes room meanwhile counts all of it
        output.write(np.ascontiguousarray(sizes, HEADER).tobytes())
        for path, size, picture in zip(paths, sizes, parallel_map(decode_picture, paths, processes), strict=True):
            if picture.shape[:2] != tuple(size):
                raise DataError(f"{path} is {picture.shape[:2]} high and wide, its header says {tuple(size)}")
            output.write(picture.tobytes())


def _make_room(needed: int, folder: Path, limit_gb: float | None, pictures: str) -> None:
    """Remove files until so many bytes more may be written. Raises DataError when that is not enough, at once if it
    could never be."""
    free = shutil.disk_usage(folder).free
    sizes = {file: file.stat().st_size for file in folder.glob(f"*{SUFFIX}")}  # unfinished ones too
    taken = sum(sizes.values())
    limit = (taken + free) * SHARE if limit_gb is None else limit_gb * GB
    why = f"half of the room that {folder} has" if limit_gb is None else "data.cache_gb"
    finished = [file for file in sizes if not file.name.startswith(".")]
    for file in oldest_first(finished) if needed <= limit else []:
        if taken + needed <= limit and needed <= free:
            return
        if _removed(file):
            taken, free = taken - sizes[file], free + sizes[file]
    if taken + needed > limit or needed > free:
        raise DataError(
            f"{pictures} take {needed / GB:.1f} GB, where {max(0.0, limit - taken) / GB:.1f} GB are left of the "
            f"{limit / GB:.1f} GB of {why}, and {free / GB:.1f} GB of the disk"
        )


def _removed(file: Path) -> bool:
    """Remove a file unless some process has it open."""
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        file.unlink()
        return True


def _remove_partial(file: Path) -> None:
    """Remove what killed processes left of this file, whose lock is held, and of others that nobody writes now."""
    remove_partial(file.parent, file.name)
    for partial in sorted(file.parent.glob(f".*{SUFFIX}")):
        name = partial.name[1:].partition(".")[2]
        with suppress(Timeout), FileLock(file.with_name(name).with_suffix(".lock"), timeout=0):
            remove_partial(file.parent, name)


@contextmanager
def _housekeeping(folder: Path) -> Iterator[None]:
    """One process at a time opens or removes files of the folder; none waits here for pictures to be decoded."""
    with FileLock(folder / ".housekeeping.lock"):
        yield
