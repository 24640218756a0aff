"""LTCC: people in an office building over two months, some in several outfits.

Qian, Wang, Zhang, Zhu, Fu, Xiang, Jiang, Xue: "Long-Term Cloth-Changing Person Re-identification", ACCV 2020.
Layout    {train,query,test}/<pid>_<clothes>_c<camera>_<frame>.png; test is the gallery. info/ lists the people who
          change clothes and those who do not; it is not used.
Clothes   numbered within a person.
Counts    train 77 people, 9,576 pictures, 256 outfits; test 75 other people, 221 outfits: query 493, gallery 7,050.
          Some papers print 17,138 pictures in all, of an older release; there are 17,119.
Protocol  General, and CC, where pictures of the same camera OR of the same clothes are junk: 392 queries keep a match.
          With AND, there would be 397 queries and other numbers. People of one outfit stay in the gallery. SC (417
          queries) is ours.
"""

import re
from pathlib import Path

from rlq.data.readers.listing import missing_parts, named_pictures
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published(
    {
        "train": {"pictures": 9_576, "identities": 77, "clothes": 256, "cameras": 12},
        "query": {"pictures": 493, "identities": 75, "clothes": 221},
        "gallery": {"pictures": 7_050, "identities": 75, "clothes": 221},
        "test": {"pictures": 7_543, "identities": 75, "clothes": 221},
    },
    {"CC": 392, "SC": 417, "General": 493},
)
LAYOUT = "train, query and test with pictures such as 094_1_c9_015833.png"
PARTS = ("train", "query", "test")
NAME = re.compile(r"(?P<pid>\d{3})_(?P<clothes>\d+)_c(?P<camera>\d{1,2})_(?P<frame>\d{6})\.png")

PROTOCOLS = (
    Protocol("CC", "CC"),
    Protocol("General", "GENERAL"),
    Protocol("SC", "SC", note="not in the paper"),
)


def holds_ltcc(folder: Path) -> bool:
    """Return whether this folder has LTCC's layout."""
    return not missing_parts(folder, PARTS)


def read_ltcc(root: Path, name: str = "ltcc") -> ReidData:
    """Read all pictures; the folder test is the gallery."""
    root = root.resolve()
    train = _read_split(root / "train", "train", "")
    query = _read_split(root / "query", "query", "query/")
    return ReidData(name, root, train, query, _read_split(root / "test", "gallery", "test/"), PROTOCOLS)


def _read_split(folder: Path, split: str, key: str) -> list[Record]:
    """Read one folder; `key` is the prefix of its pictures' names in the authors' side files."""
    pictures = named_pictures(folder, NAME, title="LTCC", example="094_1_c9_015833.png", layout=LAYOUT)
    return [
        Record(path, match["pid"], match["camera"], f"{match['pid']}_{match['clothes']}", split, f"{key}{path.stem}")
        for path, match in pictures
    ]
