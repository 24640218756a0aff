"""Celeb-reID: photographs of celebrities from the web, in new clothes nearly every time; and Celeb-reID-light.

Huang, Xu, Wu, Zhong, Zhang: "Beyond Scalar Neuron: Adopting Vector-Neuron Capsules for Long-Term Person
Re-Identification", IEEE TCSVT 2020.
Layout    {train,query,gallery}/<pid>_<y>_<z>.jpg: y numbers a person's pictures (not quite uniquely), z has no meaning.
          The test numbers its people from 1 again: equal pids of train and test are different people, and many file
          names occur in both for different pictures.
Clothes   not annotated, so every picture is a class of its own.
Counts    train 632 people, 20,208 pictures; test 420 other people: query 2,972, gallery 11,006.
          light: train 490 people, 9,021; test 100 people: query 887, gallery 934.
Protocol  query against gallery. There are no cameras. The authors' loader uses the first digit of y as the camera, so
          that matches with equal digits are junk; the published numbers of CAL and RLQ do the same.
"""

import re
from pathlib import Path
from typing import Literal

from rlq.data.readers.listing import missing_parts, named_pictures
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published(
    {
        "train": {"pictures": 20_208, "identities": 632},
        "query": {"pictures": 2_972, "identities": 420},
        "gallery": {"pictures": 11_006, "identities": 420},
        "test": {"pictures": 13_978, "identities": 420},
    },
    {"General": 2_972},
)
LIGHT_PUBLISHED = Published(
    {
        "train": {"pictures": 9_021, "identities": 490},
        "query": {"pictures": 887, "identities": 100},
        "gallery": {"pictures": 934, "identities": 100},
        "test": {"pictures": 1_821, "identities": 100},
    }
)
LAYOUT = "train, query and gallery with pictures such as 1_1_0.jpg"
NAME = re.compile(r"(?P<pid>\d+)_(?P<y>\d+)_(?P<z>\d+)\.jpg")
SPLITS = ("train", "query", "gallery")
PROTOCOLS = (Protocol("General", "GENERAL"),)

CameraReading = Literal["first_digit", "y", "none"]


def holds_celeb_reid(folder: Path) -> bool:
    """Return whether this folder has Celeb-reID's layout."""
    return not missing_parts(folder, SPLITS)


def read_celeb_reid(root: Path, name: str = "celeb_reid", *, camera: CameraReading = "first_digit") -> ReidData:
    """Read all pictures; `camera` says what serves as the camera: the first digit of y, y itself, or nothing."""
    root = root.resolve()
    train, query, gallery = (_read_split(root, split, camera) for split in SPLITS)
    return ReidData(name, root, train, query, gallery, PROTOCOLS, pids_restart=True)


def _read_split(root: Path, split: str, camera: CameraReading) -> list[Record]:
    pictures = named_pictures(root / split, NAME, title="Celeb-reID", example="1_1_0.jpg", layout=LAYOUT)
    return [
        Record(
            path=path,
            pid=match["pid"],
            camera=_camera(match["y"], path.stem, split, camera),
            clothes=path.stem if split == "train" else f"{split}/{path.stem}",
            split=split,
            key=path.stem,
        )
        for path, match in pictures
    ]


def _camera(y: str, stem: str, split: str, reading: CameraReading) -> str:
    if reading == "first_digit":
        return y[0]
    if reading == "y":
        return y
    return f"{split}/{stem}"  # a camera per picture, so that no two agree
