"""List the pictures of a folder in a fixed order, with the fields of their names.

Only names are matched, not the folders above them; hidden files and files of other types are ignored. A data set can
have hundreds of thousands of pictures, so folders are listed once and no file is opened or queried.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.files import leads_out

# A picture of another type than the data set's is reported as wrongly named; ignored, it would be lost silently.
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
SHOWN = 3


def named_pictures(
    folder: Path, pattern: re.Pattern[str], *, title: str, example: str, layout: str
) -> list[tuple[Path, re.Match[str]]]:
    """Return the pictures in a folder, sorted by name, each with its match of `pattern`.

    Raises DataError if the folder is missing or holds no picture, or if a picture's name does not match.
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
    """Return the pictures in the folders of people below a folder, sorted: person, path, match of `pattern`.

    Folders named in `beside` are ignored. Raises DataError as `named_pictures` does, and if there are other folders or
    pictures, or if a name's person (the group `pid`) differs from its folder.
    """
    entries = [entry for entry in _entries(folder, title, layout) if entry.name not in beside]
    people = sorted(entry.name for entry in entries if entry.is_dir() and not is_hidden(entry))
    others = [name for name in people if not person.fullmatch(name)]
    others += _picture_names(entry for entry in entries if not entry.is_dir())
    if others:
        raise DataError(
            f"{title}: {folder} should hold folders of people only, not {len(others)} others: {others[:SHOWN]}; "
            f"the set holds {layout}"
        )
    pictures = [(pid, name) for pid in people for name in _picture_names(_entries(folder / pid, title, layout))]
    matches = _matched(pictures, pattern, folder=folder, title=title, example=example)
    if "pid" in pattern.groupindex:
        _check_people(pictures, matches, folder, title)
    folders = {pid: folder / pid for pid in people}
    return [(pid, folders[pid] / name, match) for (pid, name), match in zip(pictures, matches, strict=True)]


def absent(root: Path, names: Sequence[str]) -> list[int]:
    """Return the indices of `names` (POSIX paths below `root`) that do not exist; each folder is listed once."""
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


def foreign_links(root: Path, names: Sequence[str]) -> list[int]:
    """Return the indices of `names` (existing POSIX paths below `root`) that links lead out of `root`.

    Folders are resolved; files are resolved only if they are links themselves.
    """
    home = root.resolve()
    links: dict[str, set[str] | None] = {}  # folder -> names of its links; None: the folder itself lies elsewhere
    foreign = []
    for place, path in enumerate(names):
        folder, _, name = path.rpartition("/")
        if folder not in links:
            below = (root / folder).resolve()
            inside = below.is_relative_to(home)
            links[folder] = {entry.name for entry in os.scandir(below) if entry.is_symlink()} if inside else None
        names_of_links = links[folder]
        if names_of_links is None or (name in names_of_links and leads_out(root / path, home)):
            foreign.append(place)
    return foreign


def missing_parts(folder: Path, parts: Iterable[str]) -> list[str]:
    """Return those of a data set's files and folders that are missing in a folder."""
    return [part for part in parts if not (folder / part).exists()]


def is_hidden(path: Path | os.DirEntry) -> bool:
    """Return whether a file is hidden, such as .DS_Store, or the ._name twins in some archives."""
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
    pictures: list[tuple[str, str]], pattern: re.Pattern[str], *, folder: Path, title: str, example: str
) -> list[re.Match[str]]:
    """Return the match of each picture's name; `pictures` holds pairs of person, or "", and name."""
    matches = [match for _, name in pictures if (match := pattern.fullmatch(name))]
    if len(matches) == len(pictures) > 0:
        return matches
    misnamed = [f"{person}/{name}" if person else name for person, name in pictures if not pattern.fullmatch(name)]
    if not misnamed:
        raise DataError(f"{title}: {folder} has no pictures such as {example}; is the archive unpacked whole?")
    raise DataError(
        f"{title}: {folder} has {len(pictures)} pictures, {len(misnamed)} of them not named like {example}: "
        f"{misnamed[:SHOWN]}"
    )


def _check_people(pictures: list[tuple[str, str]], matches: list[re.Match[str]], folder: Path, title: str) -> None:
    misplaced = [f"{pid}/{name}" for (pid, name), match in zip(pictures, matches, strict=True) if match["pid"] != pid]
    if misplaced:
        raise DataError(
            f"{title}: {folder} has {len(misplaced)} pictures in the folder of another person than their names say: "
            f"{misplaced[:SHOWN]}"
        )
