"""Read files of torch.save without executing anything in them."""

import io
import pickle
import pickletools
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch

from rlq.core.errors import DataError

# Errors that torch's reader may raise for files of another kind.
UNREADABLE = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError),
    *(LookupError, AssertionError, TypeError, AttributeError),
    *(zipfile.BadZipFile, struct.error, OverflowError, MemoryError),
)

OLD_PICKLES = 5  # pickles at the beginning of a file of torch before 1.6


def load_plain(path: Path, what: str) -> Any:
    """Return tensors and plain data from a file, on the CPU.

    Raise DataError if it is missing, broken or contains anything else; `what` is the kind of file in the message.
    """
    try:
        compressed = compressed_parts(path)
        if compressed:
            raise ValueError(f"it is a compressed archive ({compressed[0]}), which torch.save never writes")
        if allocates_bytearray(path):
            raise ValueError("reading it would allocate memory of any size, which weights do not need")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"there is no {what} {path}") from error
    except UNREADABLE as error:
        raise DataError(f"{path} is not a {what}: {first_line(error)}") from error


def compressed_parts(path: Path) -> list[str]:
    """Return the parts of a zip archive that may unpack to more than the memory can hold.

    These are compressed parts, which torch.save does not write, and parts larger than the whole file.
    """
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    size = path.stat().st_size
    compressed = [part.filename for part in parts if part.compress_type != zipfile.ZIP_STORED or part.file_size > size]
    return compressed or [part.filename for part in parts[:1] if sum(part.file_size for part in parts) > size]


def allocates_bytearray(path: Path) -> bool:
    """Return whether reading a file of torch.save would create a bytearray.

    torch allows that, and a few bytes in the file could then allocate all the memory.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            return any(_names_bytearray(io.BytesIO(archive.read(name))) for name in names)
    with path.open("rb") as file:
        return any(_names_bytearray(file) for _ in range(OLD_PICKLES))


def _names_bytearray(pickled: IO[bytes]) -> bool:
    """Return whether the next pickle of a stream names bytearray; other content is left to torch."""
    with suppress(ValueError, LookupError, AssertionError, OverflowError, MemoryError):
        for _, words, _ in pickletools.genops(pickled):
            if isinstance(words, str) and words.endswith("bytearray"):
                return True
    return False


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if it has no message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
