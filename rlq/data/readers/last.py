"""LaST: actors in films, over long periods.

Shu, Wang, Wang, Zhang, Wang, Wu: "Large-Scale Spatio-Temporal Person Re-Identification: Algorithms and Benchmark",
IEEE TCSVT 2021.
Layout    train/<pid>/, test/gallery/<pid>/ and test/query/ with pictures <pid>_..._<clothes>.jpg; the fields between
          are the film and the frame. val/, laid out like test/, is not used.
Clothes   labelled in training only, within a person.
Counts    train 5,000 people, 71,248 pictures; test: query 10,176 of 5,805 people, gallery 125,353 of 5,806. RLQ's
          paper prints 5,807 and 16,035 training outfits, the authors' code 16,012 of an older release.
Protocol  General. There are no cameras: every picture is its own camera, so that nothing is junk.
"""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from sys import intern

from rlq.data.readers.listing import missing_parts, named_pictures, pictures_of_people
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published(
    {
        "train": {"pictures": 71_248, "identities": 5_000, "clothes": 16_035},
        "query": {"pictures": 10_176, "identities": 5_805},
        "gallery": {"pictures": 125_353, "identities": 5_806},
        "test": {"pictures": 135_529, "identities": 5_806},
    },
    {"General": 10_176},
)
LAYOUT = "train/<pid>, test/gallery/<pid> and test/query with pictures such as 000002_001_00012_0345_01_003.jpg"
PARTS = ("train", "test/query", "test/gallery")
EXAMPLE = "000002_001_00012_0345_01_003.jpg"
PERSON = re.compile(r"\d{6}")
# The widths of the inner fields vary, and the only documented part of a test name is the person at its beginning.
TRAIN_NAME = re.compile(r"(?P<pid>\d{6})_(?:\d+_)+(?P<clothes>\d{3})\.jpg")
TEST_NAME = re.compile(r"(?P<pid>\d{6})(?:_\d+)+\.jpg")

PROTOCOLS = (Protocol("General", "GENERAL"),)
UNLABELLED = "LaST has clothes labels for training pictures only"


def holds_last(folder: Path) -> bool:
    """Return whether this folder has LaST's layout."""
    return not missing_parts(folder, PARTS)


def read_last(root: Path, name: str = "last") -> ReidData:
    """Read all training and test pictures; test clothes are a placeholder, the person's pid."""
    root = root.resolve()
    cameras = map(str, count())  # a number per picture of the whole data set
    return ReidData(
        name,
        root,
        _read_people(root / "train", TRAIN_NAME, "train", cameras),
        _read_query(root / "test" / "query", cameras),
        _read_people(root / "test" / "gallery", TEST_NAME, "gallery", cameras),
        PROTOCOLS,
        refused={"CC": UNLABELLED, "SC": UNLABELLED},
    )


def _read_people(folder: Path, pattern: re.Pattern[str], split: str, cameras: Iterator[str]) -> list[Record]:
    pictures = pictures_of_people(folder, PERSON, pattern, title="LaST", example=EXAMPLE, layout=LAYOUT)
    return [_record(path, match, split, next(cameras)) for _, path, match in pictures]


def _read_query(folder: Path, cameras: Iterator[str]) -> list[Record]:
    pictures = named_pictures(folder, TEST_NAME, title="LaST", example=EXAMPLE, layout=LAYOUT)
    return [_record(path, match, "query", next(cameras)) for path, match in pictures]


def _record(path: Path, match: re.Match[str], split: str, camera: str) -> Record:
    pid = intern(match["pid"])
    clothes = intern(f"{pid}_{match['clothes']}") if split == "train" else pid
    return Record(path, pid, camera, clothes, split, f"{pid}_{match.string.removesuffix('.jpg')}")
