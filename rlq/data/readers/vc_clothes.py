"""VC-Clothes: people of a video game, who change clothes between its cameras.

Wan, Wu, Qian, Chen, Fu: "When Person Re-identification Meets Changing Clothes", CVPR Workshops 2020.
Layout    {train,query,gallery}/<pid>-<camera>-<clothes>-<n>.jpg, cameras 1 to 4.
Clothes   numbered within a person, so that an outfit is a pair of both numbers.
Counts    train 256 people, 9,449 pictures; test 256 others: query 1,020, gallery 8,591.
Protocol  General ranks all cameras, SC only 2 and 3 (same clothes), CC only 3 and 4 (other clothes), for queries and
          gallery alike; pictures of the query's own camera are junk in each.
"""

import re
from pathlib import Path

from rlq.data.readers.listing import missing_parts, named_pictures
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published(
    {
        "train": {"pictures": 9_449, "identities": 256, "cameras": 4},
        "query": {"pictures": 1_020},
        "gallery": {"pictures": 8_591},
        "test": {"pictures": 9_611, "identities": 256, "cameras": 4},
    }
)
LAYOUT = "train, query and gallery with pictures such as 0001-03-02-07.jpg"
NAME = re.compile(r"(?P<pid>\d+)-(?P<camera>\d+)-(?P<clothes>\d+)-(?P<n>\d+)\.jpg")
SPLITS = ("train", "query", "gallery")

PROTOCOLS = (
    Protocol("CC", "GENERAL", frozenset("34"), frozenset("34")),
    Protocol("SC", "GENERAL", frozenset("23"), frozenset("23")),
    Protocol("General", "GENERAL"),
)


def holds_vc_clothes(folder: Path) -> bool:
    """Return whether this folder has VC-Clothes' layout."""
    return not missing_parts(folder, SPLITS)


def read_vc_clothes(root: Path, name: str = "vc_clothes") -> ReidData:
    """Read all pictures."""
    root = root.resolve()
    train, query, gallery = (_read_split(root, split) for split in SPLITS)
    return ReidData(name, root, train, query, gallery, PROTOCOLS)


def _read_split(root: Path, split: str) -> list[Record]:
    pictures = named_pictures(root / split, NAME, title="VC-Clothes", example="0001-03-02-07.jpg", layout=LAYOUT)
    return [
        Record(
            path=path,
            pid=match["pid"],
            camera=str(int(match["camera"])),  # the protocols name cameras without leading zeros
            clothes=f"{match['pid']}-{match['clothes']}",
            split=split,
            key=path.stem,
        )
        for path, match in pictures
    ]
