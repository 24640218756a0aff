"""Read what torch.save wrote, without executing anything in it."""

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

# What torch's reader has been seen to raise, or may, at bytes that are none of its files.
UNREADABLE = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError),
    *(LookupError, AssertionError, TypeError, AttributeError),
    *(zipfile.BadZipFile, struct.error, OverflowError, MemoryError),
)


OLD_PICKLES = 5  # in a row, at the beginning of a file as torch wrote them before 1.6


def load_plain(path: Path, what: str) -> Any:
    """Tensors and plain data from a file, on the CPU. Raises DataError when it is missing, broken or holds more; `what`
    names the kind of file in messages."""
    try:
        packed = compressed_parts(path)
        if packed:
            raise ValueError(f"it is a packed archive ({packed[0]}), which torch.save never writes")
        if allocates_bytearray(path):
            raise ValueError("it asks for memory of any size when it is read, which weights do not")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"there is no {what} {path}") from error
    except UNREADABLE as error:
        raise DataError(f"{path} is not a {what}: {first_line(error)}") from error


def compressed_parts(path: Path) -> list[str]:
    """Parts of a zip that are not stored as they are, as torch.save stores them: such may unpack to more than the
    memory holds. Also those that claim to be larger than the whole file."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as parts:
        found = parts.infolist()
    size = path.stat().st_size
    packed = [part.filename for part in found if part.compress_type != zipfile.ZIP_STORED or part.file_size > size]
    return packed or [part.filename for part in found[:1] if sum(part.file_size for part in found) > size]


def allocates_bytearray(path: Path) -> bool:
    """Whether reading a file of torch.save would make a bytearray: torch lets it pass, and a few bytes that ask for one
    may ask for all the memory there is."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as parts:
            names = [name for name in parts.namelist() if name.endswith("data.pkl")]
            return any(_names_bytearray(io.BytesIO(parts.read(name))) for name in names)
    with path.open("rb") as file:
        return any(_names_bytearray(file) for _ in range(OLD_PICKLES))


def _names_bytearray(pickled: IO[bytes]) -> bool:
    """Whether the next pickle of a stream does; what is none is left to torch."""
    with suppress(ValueError, LookupError, AssertionError, OverflowError, MemoryError):
        for _, words, _ in pickletools.genops(pickled):
            if isinstance(words, str) and words.endswith("bytearray"):
                return True
    return False


def first_line(error: Exception) -> str:
    """What an error says first; its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
