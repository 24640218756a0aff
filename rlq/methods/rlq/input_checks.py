"""Checks of all pictures and parsing masks before training. What passes a check is marked and not read again."""

import os
from pathlib import Path

from rlq.core.cache import derived_file
from rlq.core.console import Console
from rlq.core.digest import short_digest
from rlq.data.clothes import mask_path, mask_problems, missing_masks
from rlq.data.image_check import inspect, unreadable
from rlq.data.records import ReidData

CHECKED = ".checked"  # below tracking.folder: an empty file for each check without problems


def broken_pictures(data: ReidData, runs: Path, console: Console) -> list[tuple[Path, str]]:
    """Return the pictures of a data set that cannot be read, with reasons; `runs` is tracking.folder."""
    mark = _mark(runs, data.name, data.fingerprint)
    if mark.exists():
        return []
    files = [path for record in data.records for path in record.pictures]
    checks = console.progress(inspect(files, os.cpu_count() or 1), f"pictures of {data.name}", len(files))
    broken = unreadable(files, checks)
    if not broken:
        _set_mark(mark)
    return broken


def broken_masks(data: ReidData, masks: Path, runs: Path, *, sizes: bool) -> list[tuple[Path, str]]:
    """Return the masks at which training would stop, with reasons; `runs` is tracking.folder.

    `sizes`: compare masks with their pictures, which must be readable. Without it, masks only have to exist.
    """
    paths = [mask_path(masks, record.path, data.root) for record in data.train]
    missing = missing_masks(paths)
    if missing:
        return [(path, "there is no such file") for path in missing]
    if not sizes:
        return []
    newest = max(path.stat().st_mtime_ns for path in paths)
    mark = _mark(runs, f"{data.name}-masks", data.fingerprint, masks.absolute(), newest)
    problems = [] if mark.exists() else mask_problems(data.train, masks, data.root, os.cpu_count() or 1)
    if not problems:
        _set_mark(mark)
    return problems


def _mark(runs: Path, name: str, *facts: object) -> Path:
    """Return the file that stands for a check of exactly these facts."""
    return derived_file(runs / CHECKED, name, short_digest(repr(facts)))


def _set_mark(mark: Path) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
