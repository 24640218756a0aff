"""The data set that labels are made for."""

from pathlib import Path

import torch

from rlq.console import Console
from rlq.data.catalogue import data_set, read
from rlq.data.records import ReidData
from rlq.distributed import Place
from rlq.errors import DataError
from rlq.synthetic.embedded import ensure_embedded


def read_pictures(name: str, root: Path, console: Console) -> ReidData:
    """A set of single pictures; a built-in one is made when it is not there. Raises DataError for sets of tracklets."""
    if not data_set(name).holds(root):  # else `root` is the set's own folder
        ensure_embedded(name, root, Place(torch.device("cpu")), console)
    data = read(name, root)
    if data.holds_tracklets:
        raise DataError(f"{name} holds tracklets; labels are made for sets of single pictures only")
    return data
