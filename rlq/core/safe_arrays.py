"""NumPy's files from somebody else: what reading them may raise, and how large they may be."""

import tokenize
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path

# What NumPy and zipfile have been seen to raise, or may, at damaged, encrypted, oversized or quite different files.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, SyntaxError, LookupError, AssertionError, AttributeError),
    *(tokenize.TokenError, OverflowError, MemoryError, RuntimeError),  # the first of a header that is no Python
    *(zipfile.BadZipFile, zlib.error, LZMAError),
)
LARGE = 2**28  # bytes that a part may unpack to in any case
MOST_COMPRESSION = 100  # times as much as it takes in the file: no features pack so well


def zip_bombs(path: Path, names: list[str]) -> list[str]:
    """The arrays of an .npz, of these, that unpack to far more than their file holds."""
    with zipfile.ZipFile(path) as parts:
        found = {part.filename.removesuffix(".npy"): part for part in parts.infolist()}
    known = [found[name] for name in names if name in found]
    return [
        p.filename for p in known if p.file_size > LARGE and p.file_size > MOST_COMPRESSION * max(1, p.compress_size)
    ]
