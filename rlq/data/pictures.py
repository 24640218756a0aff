"""Read pictures, and find those that cannot be read before training starts."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from rlq.errors import DataError


def read_picture(path: Path) -> np.ndarray:
    """RGB uint8 [H, W, 3], turned as its EXIF orientation says, whatever the file's own mode."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise DataError(f"{path}: not a picture that can be decoded ({error.err})") from error
    if picture is None:
        raise DataError(f"{path}: not a picture that can be decoded ({len(data)} bytes)")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def picture_sizes(paths: Iterable[Path]) -> np.ndarray:
    """(width, height) of each picture as `read_picture` gives it, from the files' headers alone: int64 [N, 2]."""
    return np.array([_size(path) for path in paths], np.int64).reshape(-1, 2)


def find_unreadable(paths: Iterable[Path], processes: int = 1) -> list[tuple[Path, str]]:
    """Every picture that is missing, broken or cut short, with the reason, in the order of `paths`.

    Stricter than `read_picture`: a decoder may fill up a truncated file with grey and say nothing.
    """
    paths = list(paths)
    if processes <= 1 or len(paths) < 2:
        reasons = map(reason_unreadable, paths)
        return [(path, reason) for path, reason in zip(paths, reasons) if reason]
    chunk = max(1, min(256, len(paths) // (4 * processes)))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        reasons = pool.map(reason_unreadable, paths, chunksize=chunk)
        return [(path, reason) for path, reason in zip(paths, reasons) if reason]


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not a picture that can be decoded ({error})") from error
    return (height, width) if turned else (width, height)


def reason_unreadable(path: Path) -> str | None:
    """Why this file is no readable picture; None when it is one."""
    try:
        data = Path(path).read_bytes()
        if not data:
            return "empty file"
        with Image.open(BytesIO(data)) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:  # as Pillow raises
        return str(error) or type(error).__name__
    return None
