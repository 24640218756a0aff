"""The data sets by name: where each is looked for and which reader reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rlq.core.errors import DataError
from rlq.core.text import did_you_mean
from rlq.data.readers import ccvid, celeb_reid, deepchange, last, ltcc, ntu, own, prcc, vc_clothes
from rlq.data.readers.celeb_reid import CameraReading
from rlq.data.readers.listing import missing_parts
from rlq.data.records import Published, ReidData


class Reading(NamedTuple):
    """How a data set is read and ranked, where its papers know several ways."""

    celeb_camera: CameraReading = "first_digit"  # what makes a match junk in Celeb-reID
    shots: Literal["multi", "single"] = "multi"  # PRCC's gallery: all of camera A, or 10 draws of one per person


@dataclass(frozen=True)
class DataSet:
    """How to find and read one data set."""

    title: str
    folders: tuple[str, ...]  # its usual names below data.root
    layout: str  # what its folder holds, for people
    holds: Callable[[Path], bool]  # whether a folder has that layout
    read: Callable[..., ReidData]  # takes the folder and the name; if camera_option, `camera` too
    published: Published | None = None  # the numbers that its authors report
    parts: tuple[str, ...] = ()  # files and folders that all exist unless the archive is half-unpacked
    hint: str = ""  # how to get it
    camera_option: bool = False  # whether data.celeb_camera decides how its file names are read


_PRCC = partial(DataSet, layout=prcc.LAYOUT, holds=prcc.holds_prcc, read=prcc.read_prcc, parts=prcc.PARTS)
_CELEB = partial(
    DataSet,
    layout=celeb_reid.LAYOUT,
    holds=celeb_reid.holds_celeb_reid,
    read=celeb_reid.read_celeb_reid,
    parts=celeb_reid.SPLITS,
    camera_option=True,
)

CATALOGUE: dict[str, DataSet] = {
    "prcc": _PRCC("PRCC", ("prcc", "PRCC"), published=prcc.PUBLISHED),
    "ltcc": DataSet(
        "LTCC",
        ("LTCC_ReID", "LTCC-reID", "LTCC-ReID"),
        ltcc.LAYOUT,
        ltcc.holds_ltcc,
        ltcc.read_ltcc,
        ltcc.PUBLISHED,
        ltcc.PARTS,
    ),
    "deepchange": DataSet(
        "DeepChange",
        ("DeepChangeDataset", "DeepChange"),
        deepchange.LAYOUT,
        deepchange.holds_deepchange,
        deepchange.read_deepchange,
        deepchange.PUBLISHED,
        deepchange.PARTS,
    ),
    "last": DataSet("LaST", ("last", "LaST"), last.LAYOUT, last.holds_last, last.read_last, last.PUBLISHED, last.PARTS),
    "celeb_reid": _CELEB("Celeb-reID", ("Celeb-reID", "celeb_reid"), published=celeb_reid.PUBLISHED),
    "celeb_reid_light": _CELEB(
        "Celeb-reID-light", ("Celeb-reID-light", "celeb_reid_light"), published=celeb_reid.LIGHT_PUBLISHED
    ),
    "vc_clothes": DataSet(
        "VC-Clothes",
        ("VC-Clothes", "VC_Clothes"),
        vc_clothes.LAYOUT,
        vc_clothes.holds_vc_clothes,
        vc_clothes.read_vc_clothes,
        vc_clothes.PUBLISHED,
        vc_clothes.SPLITS,
    ),
    "ntu120": DataSet(
        "NTU RGB+D 120, frames",
        ("NTU120",),
        ntu.LAYOUT,
        ntu.holds_ntu,
        ntu.read_ntu,
        ntu.PUBLISHED,
        hint="rlq data ntu-frames takes them from the clips",
    ),
    "ccvid": DataSet(
        "CCVID, tracklets",
        ("CCVID",),
        ccvid.LAYOUT,
        ccvid.holds_ccvid,
        ccvid.read_ccvid,
        ccvid.PUBLISHED,
        ccvid.PARTS,
    ),
    "csv": DataSet("Your own pictures", ("own",), own.LAYOUT, own.holds_own, own.read_own),
    "synthetic": _PRCC("Synthetic pedestrians", ("synthetic/prcc",)),
    "synthetic_celeb": _CELEB("Synthetic pedestrians, external set", ("synthetic/Celeb-reID",)),
}


def read(name: str, root: Path, *, celeb_camera: CameraReading = "first_digit") -> ReidData:
    """Read a data set from its own folder, or from a parent of its usual folder."""
    entry = data_set(name)
    options: dict[str, Any] = {"camera": celeb_camera} if entry.camera_option else {}
    return entry.read(find(name, root), name, **options)


def find(name: str, root: Path) -> Path:
    """Return the folder of a data set, or its table. Raises DataError with every folder tried and what it lacks."""
    entry = data_set(name)
    tried = [root, *(root / folder for folder in entry.folders)]
    for folder in tried:
        if entry.holds(folder):
            return folder
    places = ", ".join(str(folder.absolute()) for folder in tried)
    raise DataError(
        f"{entry.title} ({name}) is not below data.root = {root}; tried {places}; its folder holds {entry.layout}"
        + "".join(_half_unpacked(entry, folder) for folder in tried)
        + (f"; {entry.hint}" if entry.hint else "")
    )


def _half_unpacked(entry: DataSet, folder: Path) -> str:
    """Return what is missing in a folder that has some of the parts, "" for any other folder."""
    missing = missing_parts(folder, entry.parts)
    if not 0 < len(missing) < len(entry.parts):
        return ""
    return f"; {folder.absolute()} is half-unpacked or another set's: it has no {', '.join(missing)}"


def data_set(name: str) -> DataSet:
    """Return the catalogue's entry of a name. Raises DataError with the known names for an unknown one."""
    if name not in CATALOGUE:
        hint = did_you_mean(name, CATALOGUE)
        known = ", ".join(sorted(CATALOGUE))
        raise DataError(f"unknown data set {name!r}; {hint}{' ' * bool(hint)}Known: {known}")
    return CATALOGUE[name]
