"""Derived files: results that are slow to compute, kept in `<tracking.folder>/.cache` and computed again when missing.

A derived file's name ends in a digest of everything that its content depends on, so that a file which exists is never
out of date. It is written whole or not at all, and a damaged one is built again. Deleting the folder is always safe.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from rlq.core.errors import DataError
from rlq.core.files import exclusive_access, remove_partial, written_whole

Content = TypeVar("Content")
FOLDER = ".cache"  # below tracking.folder
STALE = 3600  # seconds after which an unfinished file belongs to a process that was killed


def derived_file(folder: Path, name: str, digest: str, suffix: str = "") -> Path:
    """Return the path `folder/<name>-<digest><suffix>`."""
    return folder / f"{name}-{digest}{suffix}"


def file_state(path: Path) -> tuple[int, int] | None:
    """Return a file's size in bytes and modification time in ns, None if it is missing; the state changes with it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def load_or_build(
    file: Path,
    *,
    load: Callable[[Path], Content | None],
    build: Callable[[], Content],
    save: Callable[[Path, Content], None],
    newest: int | None = None,
) -> Content:
    """Return the content of a derived file, or build it and save it for the next time.

    `load` returns None for a damaged file, which is then replaced. `save` writes the content to the path it is given.
    Of the files that differ from this one in their digest only, the `newest` stay. Without room or permission to write,
    the built content is returned all the same.
    """
    content = load(file) if file.is_file() else None
    if content is None:
        content = build()
        with suppress(DataError):
            remove_partial(file.parent, file.name, older=STALE)
            with written_whole(file) as temporary:
                save(temporary, content)
            if newest is not None:
                keep_newest(file, newest)
    return content


def ensure_built(file: Path, write: Callable[[Path], None], *, is_whole: Callable[[Path], bool] = Path.is_file) -> None:
    """Write a derived file unless a whole one exists; other processes that want the same file wait for it.

    `write` writes to the path that it is given. Raises DataError if the file cannot be written.
    """
    with exclusive_access(file):
        if not is_whole(file):
            with written_whole(file) as temporary:
                write(temporary)


def keep_newest(file: Path, count: int) -> None:
    """Delete all but the newest files that are named like this one up to the digest, as other processes may do too."""
    prefix = f"{file.stem.rpartition('-')[0]}-"
    with suppress(OSError):
        named_alike = [path for path in file.parent.iterdir() if path.name.startswith(prefix)]
        for path in oldest_first(path for path in named_alike if path.suffix == file.suffix)[:-count]:
            path.unlink(missing_ok=True)


def oldest_first(files: Iterable[Path]) -> list[Path]:
    """Sort files by modification time, then by name."""
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))
