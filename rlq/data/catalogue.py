"""The data sets by name: where to look for each and who reads it."""

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
    read: Callable[..., ReidData]  # of its folder and name; with asks_cameras, of `camera` too
    published: Published | None = None  # what its authors report
    parts: tuple[str, ...] = ()  # files and folders that are all there, unless it is half-unpacked
    hint: str = ""  # what to do when it is not there
    asks_cameras: bool = False  # whether data.celeb_camera says how its file names are read


_PRCC = partial(DataSet, layout=prcc.LAYOUT, holds=prcc.holds_prcc, read=prcc.read_prcc, parts=prcc.PARTS)
_CELEB = partial(
    DataSet,
    layout=celeb_reid.LAYOUT,
    holds=celeb_reid.holds_celeb_reid,
    read=celeb_reid.read_celeb_reid,
    parts=celeb_reid.SPLITS,
    asks_cameras=True,
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
    """Read a data set from its own folder, or from a parent that holds its usual folder."""
    wanted = data_set(name)
    options: dict[str, Any] = {"camera": celeb_camera} if wanted.asks_cameras else {}
    return wanted.read(find(name, root), name, **options)


def find(name: str, root: Path) -> Path:
    """The folder of a data set, or the table of one; the error lists every place tried and what is missing there."""
    wanted = data_set(name)
    tried = [root, *(root / folder for folder in wanted.folders)]
    for folder in tried:
        if wanted.holds(folder):
            return folder
    places = ", ".join(str(folder.absolute()) for folder in tried)
    raise DataError(
        f"{wanted.title} ({name}) is not below data.root = {root}; tried {places}; its folder holds {wanted.layout}"
        + "".join(_half_unpacked(wanted, folder) for folder in tried)
        + (f"; {wanted.hint}" if wanted.hint else "")
    )


def _half_unpacked(wanted: DataSet, folder: Path) -> str:
    """What a folder lacks that has some of the parts."""
    missing = missing_parts(folder, wanted.parts)
    if not 0 < len(missing) < len(wanted.parts):
        return ""
    return f"; {folder.absolute()} is half-unpacked or another set's: it has no {', '.join(missing)}"


def data_set(name: str) -> DataSet:
    """What the catalogue knows about a name."""
    if name not in CATALOGUE:
        hint = did_you_mean(name, CATALOGUE)
        known = ", ".join(sorted(CATALOGUE))
        raise DataError(f"unknown data set {name!r}; {hint}{' ' * bool(hint)}Known: {known}")
    return CATALOGUE[name]
