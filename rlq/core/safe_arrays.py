"""Limits for NumPy files of unknown origin: the errors of reading them, and how large they may be."""

import tokenize
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path

# Errors that NumPy and zipfile may raise for damaged, encrypted, oversized or other files.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, SyntaxError, LookupError, AssertionError, AttributeError),
    *(tokenize.TokenError, OverflowError, MemoryError, RuntimeError),  # TokenError: a header that is not Python
    *(zipfile.BadZipFile, zlib.error, LZMAError),
)
LARGE = 2**28  # bytes that a part may always unpack to
MOST_COMPRESSION = 100  # ratio of unpacked and packed size, which no features reach


def zip_bombs(path: Path, names: list[str]) -> list[str]:
    """Return those of the named arrays of an .npz that unpack to far more than their size in the file."""
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename.removesuffix(".npy"): part for part in archive.infolist()}
    named = [parts[name] for name in names if name in parts]
    return [
        p.filename for p in named if p.file_size > LARGE and p.file_size > MOST_COMPRESSION * max(1, p.compress_size)
    ]
