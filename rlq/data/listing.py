"""List the pictures of a folder in an order that never varies, with what their names say."""

import re
from pathlib import Path

from rlq.errors import DataError

ODD_SHOWN = 3


def named_pictures(
    folder: Path, pattern: re.Pattern[str], *, title: str, example: str, layout: str
) -> list[tuple[Path, re.Match[str]]]:
    """The pictures in a folder (of the kind that `example` ends in), by name, each with its match of `pattern`.

    Only the name is matched, never the folders above it. Hidden files and other kinds are left alone. Raises DataError
    when there is no such folder, when it holds no picture, and when pictures are called otherwise.
    """
    if not folder.is_dir():
        raise DataError(f"{title}: {folder} is not a folder; the set holds {layout}")
    suffix = Path(example).suffix
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == suffix and not is_hidden(path))
    return matched(paths, pattern, folder=folder, title=title, example=example)


def matched(
    paths: list[Path], pattern: re.Pattern[str], *, folder: Path, title: str, example: str
) -> list[tuple[Path, re.Match[str]]]:
    """Each path with what its name says. Raises DataError when there is none, or one is called otherwise."""
    names = [(path, pattern.fullmatch(path.name)) for path in paths]
    odd = [path.relative_to(folder).as_posix() for path, match in names if match is None]
    if odd or not paths:
        raise DataError(
            f"{title}: {folder} has {len(paths)} pictures, {len(odd)} of them not named like {example}"
            + (f": {odd[:ODD_SHOWN]}" if odd else "; is the archive unpacked whole?")
        )
    return [(path, match) for path, match in names if match is not None]


def is_hidden(path: Path) -> bool:
    """Such as .DS_Store, and the ._name twins that some archives hold."""
    return path.name.startswith(".")
