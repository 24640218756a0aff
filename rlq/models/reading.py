"""Read what torch.save wrote, without executing anything in it."""

import pickle
from pathlib import Path
from typing import Any

import torch

from rlq.errors import DataError

# What torch's reader has been seen to raise, or may, at bytes that are none of its files.
UNREADABLE = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError),
    *(LookupError, AssertionError, TypeError, AttributeError),
)


def load_plain(path: Path, what: str) -> Any:
    """Tensors and plain data from a file, on the CPU. Raises DataError when it is missing, broken or holds more; `what`
    names the kind of file in messages."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"there is no {what} {path}") from error
    except UNREADABLE as error:
        raise DataError(f"{path} is not a {what}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What an error says first; its kind where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
