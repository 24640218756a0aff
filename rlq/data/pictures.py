"""Read pictures; every part of rlq that needs pixels uses `read_picture` or takes a `PictureReader`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from PIL import ExifTags, Image

from rlq.core.errors import DataError
from rlq.core.files import content_of
from rlq.data.image_header import UNREADABLE, refusal

# OpenCV's own messages do not name the file; our errors do.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


PictureReader = Callable[[Path], np.ndarray]  # returns what `read_picture` returns; data sets send it to workers


class DecodedSource(Protocol):
    """Pictures that were decoded before."""

    def find(self, path: Path) -> np.ndarray | None:
        """Return what `read_picture` would return, None for a picture that it does not have."""


@dataclass(frozen=True)
class CachedReader:
    """A picture reader that looks in sources of decoded pictures first, and decodes the file if none has it."""

    sources: Sequence[DecodedSource] = ()

    def __call__(self, path: Path) -> np.ndarray:
        """Return the picture as RGB uint8 [H, W, 3]."""
        for source in self.sources:
            picture = source.find(path)
            if picture is not None:
                return picture
        return read_picture(path)


def read_picture(path: Path) -> np.ndarray:
    """Decode a picture of any mode as RGB uint8 [H, W, 3], rotated by its EXIF orientation."""
    try:
        data = content_of(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    reason = refusal(data)
    if reason:
        raise DataError(f"{path}: not a picture that can be decoded ({reason})")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DataError(f"{path}: not a picture that can be decoded ({error.err})") from error
    if picture is None:
        raise DataError(f"{path}: not a picture that can be decoded ({len(data)} bytes)")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def picture_sizes(paths: Iterable[Path]) -> np.ndarray:
    """Return (width, height) of each picture as `read_picture` returns it, from the headers alone: int64 [N, 2]."""
    return np.array([_size(path) for path in paths], np.int64).reshape(-1, 2)


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            # Pillow returns the size of a TIFF after its rotation
            turned = picture.format != "TIFF" and picture.getexif().get(ExifTags.Base.Orientation, 1) in SIDEWAYS
    except UNREADABLE as error:
        raise DataError(f"{path}: not a picture that can be decoded ({error})") from error
    return (height, width) if turned else (width, height)
