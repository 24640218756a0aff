"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rlq.errors import DataError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path in the folder of `path`, with its suffix, that takes its place at the end: readers see the old file or
    the new one. The folder is made where it is missing. Raises DataError when it cannot be written."""
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is gone after a success
            partial.unlink()
