"""Read pictures as all of rlq sees them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from PIL import ExifTags, Image

from rlq.core.errors import DataError
from rlq.core.files import content_of
from rlq.data.image_header import UNREADABLE, refusal

# What cannot be decoded is told by us, once and by name.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

SIDEWAYS = (5, 6, 7, 8)  # orientations of EXIF that exchange height and width


class Kept(Protocol):
    """Pictures that were decoded before."""

    def find(self, path: Path) -> np.ndarray | None:
        """What `decode_picture` would give, or None."""


_kept: dict[str, Kept] = {}


def look_first_in(kept: Mapping[str, Kept]) -> None:
    """Have `read_picture` look in these, by name, before it decodes; a name that is known is replaced."""
    _kept.update(kept)


def kept_pictures() -> dict[str, Kept]:
    """Where `read_picture` looks first; for another process, which knows of none."""
    return dict(_kept)


def read_picture(path: Path) -> np.ndarray:
    """RGB uint8 [H, W, 3], turned as its EXIF orientation says, whatever the file's own mode."""
    for kept in _kept.values():
        picture = kept.find(path)
        if picture is not None:
            return picture
    return decode_picture(path)


def decode_picture(path: Path) -> np.ndarray:
    """The same, from the file itself."""
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
    """(width, height) of each picture as `read_picture` gives it, from the files' headers alone: int64 [N, 2]."""
    return np.array([_size(path) for path in paths], np.int64).reshape(-1, 2)


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            # the size that Pillow gives of a TIFF is the one after turning
            turned = picture.format != "TIFF" and picture.getexif().get(ExifTags.Base.Orientation, 1) in SIDEWAYS
    except UNREADABLE as error:
        raise DataError(f"{path}: not a picture that can be decoded ({error})") from error
    return (height, width) if turned else (width, height)
