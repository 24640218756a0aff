"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rlq.errors import DataError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path in the folder of `path`, with its suffix, that takes its place at the end: readers see the old file or
    the new one, also after a power cut. The folder is made where it is missing. Raises DataError when it cannot be
    written."""
    partial = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask has it; safetensors would let nobody else read
        yield partial
        partial.chmod(mode)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is gone after a success, and was never there in a folder that is none
            partial.unlink()
