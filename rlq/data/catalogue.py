"""The data sets by name: where to look for each and who reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from rlq.data import celeb_reid, prcc
from rlq.data.celeb_reid import CameraReading
from rlq.data.records import Counts, ReidData
from rlq.errors import DataError


@dataclass(frozen=True)
class DataSet:
    """How to find and read one data set."""

    title: str
    folders: tuple[str, ...]  # its usual names below data.root
    layout: str  # what its folder holds, for people
    holds: Callable[[Path], bool]  # whether a folder has that layout
    read: Callable[[Path, str, CameraReading], ReidData]  # folder, name, reading of Celeb-reID's file names
    counts: Counts | None = None  # what its authors report


def _read_prcc(folder: Path, name: str, celeb_camera: CameraReading) -> ReidData:
    return prcc.read_prcc(folder, name)


def _read_celeb(folder: Path, name: str, celeb_camera: CameraReading) -> ReidData:
    return celeb_reid.read_celeb_reid(folder, name, camera=celeb_camera)


CATALOGUE: dict[str, DataSet] = {
    "prcc": DataSet("PRCC", ("prcc", "PRCC"), prcc.LAYOUT, prcc.holds_prcc, _read_prcc, prcc.COUNTS),
    "celeb_reid": DataSet(
        "Celeb-reID",
        ("Celeb-reID", "celeb_reid"),
        celeb_reid.LAYOUT,
        celeb_reid.holds_celeb_reid,
        _read_celeb,
        celeb_reid.COUNTS,
    ),
    "celeb_reid_light": DataSet(
        "Celeb-reID-light",
        ("Celeb-reID-light", "celeb_reid_light"),
        celeb_reid.LAYOUT,
        celeb_reid.holds_celeb_reid,
        _read_celeb,
        celeb_reid.LIGHT_COUNTS,
    ),
    "synthetic": DataSet("Synthetic pedestrians", ("synthetic/prcc",), prcc.LAYOUT, prcc.holds_prcc, _read_prcc),
    "synthetic_celeb": DataSet(
        "Synthetic pedestrians, external set",
        ("synthetic/Celeb-reID",),
        celeb_reid.LAYOUT,
        celeb_reid.holds_celeb_reid,
        _read_celeb,
    ),
}


def read(name: str, root: Path, *, celeb_camera: CameraReading = "first_digit") -> ReidData:
    """Read a data set from its own folder, or from a parent that holds its usual folder."""
    return data_set(name).read(find(name, root), name, celeb_camera)


def find(name: str, root: Path) -> Path:
    """The folder of a data set; the error lists every place tried."""
    wanted = data_set(name)
    tried = [root, *(root / folder for folder in wanted.folders)]
    for folder in tried:
        if wanted.holds(folder):
            return folder
    places = ", ".join(str(folder.absolute()) for folder in tried)
    raise DataError(
        f"{wanted.title} ({name}) is not below data.root = {root}; tried {places}; its folder holds {wanted.layout}"
    )


def data_set(name: str) -> DataSet:
    """What the catalogue knows about a name."""
    if name not in CATALOGUE:
        near = get_close_matches(name, CATALOGUE, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise DataError(f"unknown data set {name!r}{hint} Known: {', '.join(sorted(CATALOGUE))}")
    return CATALOGUE[name]
