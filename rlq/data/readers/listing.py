"""List the pictures of a folder in an order that never varies, with what their names say.

Only names are matched, never the folders above them; hidden files and files that are no pictures are left alone. A
set may have hundreds of thousands of pictures, so folders are listed once and no file is asked for anything.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.files import leads_out

# A picture of another kind than the set's own is told as oddly named; left alone, it would be lost without a word.
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
SHOWN = 3


def named_pictures(
    folder: Path, pattern: re.Pattern[str], *, title: str, example: str, layout: str
) -> list[tuple[Path, re.Match[str]]]:
    """The pictures in a folder, by name, each with its match of `pattern`.

    Raises DataError when there is no such folder, when it holds no picture, and when pictures are called otherwise.
    """
    names = _picture_names(_entries(folder, title, layout))
    matches = _matched([("", name) for name in names], pattern, folder=folder, title=title, example=example)
    return [(folder / name, match) for name, match in zip(names, matches, strict=True)]


def pictures_of_people(
    folder: Path,
    person: re.Pattern[str],
    pattern: re.Pattern[str],
    *,
    title: str,
    example: str,
    layout: str,
    beside: frozenset[str] = frozenset(),
) -> list[tuple[str, Path, re.Match[str]]]:
    """The pictures in the folders of people below a folder, by person and name: person, path, match of `pattern`.

    Folders named in `beside` are left alone. Raises DataError as `named_pictures` does, and when other folders or
    pictures lie there, or a name that tells its person (a group `pid`) is in the folder of another.
    """
    entries = [entry for entry in _entries(folder, title, layout) if entry.name not in beside]
    people = sorted(entry.name for entry in entries if entry.is_dir() and not is_hidden(entry))
    odd = [name for name in people if not person.fullmatch(name)]
    odd += _picture_names(entry for entry in entries if not entry.is_dir())
    if odd:
        raise DataError(
            f"{title}: {folder} should hold folders of people only, not {len(odd)} others: {odd[:SHOWN]}; "
            f"the set holds {layout}"
        )
    found = [(pid, name) for pid in people for name in _picture_names(_entries(folder / pid, title, layout))]
    matches = _matched(found, pattern, folder=folder, title=title, example=example)
    if "pid" in pattern.groupindex:
        _check_people(found, matches, folder, title)
    folders = {pid: folder / pid for pid in people}
    return [(pid, folders[pid] / name, match) for (pid, name), match in zip(found, matches, strict=True)]


def absent(root: Path, names: Sequence[str]) -> list[int]:
    """Places in `names`, POSIX paths below `root`, of those that are not there; lists each folder only once."""
    listed: dict[str, set[str]] = {}
    missing = []
    for place, path in enumerate(names):
        folder, _, name = path.rpartition("/")
        if folder not in listed:
            below = root / folder
            listed[folder] = {entry.name for entry in below.iterdir()} if below.is_dir() else set()
        if name not in listed[folder]:
            missing.append(place)
    return missing


def leading_out(root: Path, names: Sequence[str]) -> list[int]:
    """Places in `names`, POSIX paths below `root` that are there, of those that links lead out of it; of files, only
    those that are links themselves are followed."""
    home = root.resolve()
    links: dict[str, set[str] | None] = {}  # folder -> its links; None: the folder itself lies elsewhere
    found = []
    for place, path in enumerate(names):
        folder, _, name = path.rpartition("/")
        if folder not in links:
            below = (root / folder).resolve()
            inside = below.is_relative_to(home)
            links[folder] = {entry.name for entry in os.scandir(below) if entry.is_symlink()} if inside else None
        known = links[folder]
        if known is None or (name in known and leads_out(root / path, home)):
            found.append(place)
    return found


def missing_parts(folder: Path, parts: Iterable[str]) -> list[str]:
    """The files and folders, of those that make up a data set, that a folder does not have."""
    return [part for part in parts if not (folder / part).exists()]


def is_hidden(path: Path | os.DirEntry) -> bool:
    """Such as .DS_Store, and the ._name twins that some archives hold."""
    return path.name.startswith(".")


def _entries(folder: Path, title: str, layout: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{title}: {folder} is not a folder; the set holds {layout}") from error
    except OSError as error:
        raise DataError(f"{title}: {folder} cannot be listed: {error.strerror or error}") from error


def _picture_names(entries: Iterable[os.DirEntry]) -> list[str]:
    return sorted(entry.name for entry in entries if entry.name.lower().endswith(PICTURES) and not is_hidden(entry))


def _matched(
    found: list[tuple[str, str]], pattern: re.Pattern[str], *, folder: Path, title: str, example: str
) -> list[re.Match[str]]:
    """What each name says; `found` has pairs of person, or "", and name."""
    matches = [match for _, name in found if (match := pattern.fullmatch(name))]
    if len(matches) == len(found) > 0:
        return matches
    odd = [f"{person}/{name}" if person else name for person, name in found if not pattern.fullmatch(name)]
    if not odd:
        raise DataError(f"{title}: {folder} has no pictures such as {example}; is the archive unpacked whole?")
    raise DataError(
        f"{title}: {folder} has {len(found)} pictures, {len(odd)} of them not named like {example}: {odd[:SHOWN]}"
    )


def _check_people(found: list[tuple[str, str]], matches: list[re.Match[str]], folder: Path, title: str) -> None:
    strangers = [f"{pid}/{name}" for (pid, name), match in zip(found, matches, strict=True) if match["pid"] != pid]
    if strangers:
        raise DataError(
            f"{title}: {folder} has {len(strangers)} pictures in the folder of another person than their names say: "
            f"{strangers[:SHOWN]}"
        )
