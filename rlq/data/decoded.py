"""Decoded pictures in one file, which all runs and loader processes of a machine read instead of decoding again.

The file holds the sizes of the pictures, then their pixels; its name says of which pictures, in which state. A picture
that has changed since is not read from it.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from rlq.data.parallel import parallel_map
from rlq.data.pictures import decode_picture, picture_sizes
from rlq.errors import DataError
from rlq.files import written_whole

MANY = 5000  # pictures from which on it pays to start processes for them
HEADER = np.dtype("<i8")


class Decoded:
    """Pictures that `keep_decoded` wrote; a process that this is sent to maps the file for itself."""

    def __init__(self, file: Path, paths: Sequence[Path], states: Sequence[tuple[int, int] | None]) -> None:
        self.file = file
        self.sizes = np.fromfile(file, HEADER, 2 * len(paths)).reshape(-1, 2)  # [N, 2] height, width
        lengths = 3 * self.sizes.prod(axis=1)
        self.offsets = HEADER.itemsize * self.sizes.size + np.cumsum(lengths) - lengths  # [N]
        self.places = {str(path): place for place, path in enumerate(paths)}
        self.states = list(states)
        self._bytes: np.memmap | None = None

    def find(self, path: Path) -> np.ndarray | None:
        """The picture of this path, a copy of one's own; None if it is not here, or is another one by now."""
        place = self.places.get(str(path))
        if place is None or _state(path) != self.states[place]:
            return None
        if self._bytes is None:
            self._bytes = np.memmap(self.file, np.uint8, "r")
        height, width = self.sizes[place]
        start = self.offsets[place]
        return np.array(self._bytes[start : start + 3 * height * width]).reshape(height, width, 3)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_bytes": None}


def keep_decoded(paths: Sequence[Path], folder: Path, name: str) -> Decoded:
    """Decode these pictures into `folder/<name>-<digest>.pictures`, unless that is there already.

    A second process that wants the same waits for the first. Raises DataError when the disk has no room for it.
    """
    states = [_state(path) for path in paths]
    if None in states:
        raise DataError(f"{paths[states.index(None)]} is not there")
    told = "\n".join(f"{path.absolute()} {state}" for path, state in zip(paths, states, strict=True))
    file = folder / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        if not file.is_file():
            _write(paths, file)
    return Decoded(file, paths, states)


def _write(paths: Sequence[Path], file: Path) -> None:
    sizes = picture_sizes(paths)[:, ::-1]  # [N, 2] height, width
    needed, free = int(3 * sizes.prod(axis=1).sum()) + 16 * len(paths), shutil.disk_usage(file.parent).free
    if needed > free:
        raise DataError(
            f"the {len(paths)} decoded pictures of {file.name} take {needed / 1e9:.1f} GB, and {file.parent} has "
            f"{free / 1e9:.1f} GB left"
        )
    processes = (os.cpu_count() or 1) if len(paths) >= MANY else 1
    with written_whole(file) as temporary, temporary.open("wb") as output:
        output.write(np.ascontiguousarray(sizes, HEADER).tobytes())
        for path, size, picture in zip(paths, sizes, parallel_map(decode_picture, paths, processes), strict=True):
            if picture.shape[:2] != tuple(size):
                raise DataError(f"{path} is {picture.shape[:2]} high and wide, its header says {tuple(size)}")
            output.write(picture.tobytes())


def _state(path: Path) -> tuple[int, int] | None:
    """Size in bytes and time of a file: another state, another picture."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
