"""Read the data set that a command needs; a built-in one is written if it does not exist."""

from pathlib import Path

import torch

from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.data.catalogue import data_set, read
from rlq.data.readers.celeb_reid import CameraReading
from rlq.data.records import ReidData
from rlq.synthetic.built_in import ensure_built_in

ALONE = Place(torch.device("cpu"))


def ensure_set(name: str, root: Path, place: Place, console: Console) -> None:
    """Write a built-in set below `root`, unless `root` is the folder of such a set itself."""
    if not data_set(name).holds(root):
        ensure_built_in(name, root, place, console)


def read_set(
    name: str, root: Path, console: Console, *, place: Place = ALONE, celeb_camera: CameraReading = "first_digit"
) -> ReidData:
    """Read any data set of the catalogue. Raises DataError as its reader does."""
    ensure_set(name, root, place, console)
    return read(name, root, celeb_camera=celeb_camera)


def read_picture_set(name: str, root: Path, console: Console) -> ReidData:
    """Read a data set of single pictures. Raises DataError for data sets of tracklets."""
    return read_set(name, root, console).only_pictures("labelling")
