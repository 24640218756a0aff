"""PRCC: people walking past three cameras, in other clothes at the third.

Yang, Wu, Zheng: "Person Re-identification by Contour Sketch under Moderate Clothing Change", TPAMI 2019.
Layout    rgb/train/<pid>/<camera>_cropped_rgb<n>.jpg, rgb/test/<camera>/<pid>/cropped_rgb<n>.jpg; n has 3 or 4 digits.
          rgb/val shows the training people again and sketch/ holds contours: neither is used.
Clothes   cameras A and B show one outfit of a person, C another.
Counts    train 150 people, 17,896 pictures (A 5,952, B 5,317, C 6,627), 300 outfits;
          test 71 other people: A 3,384 (gallery), B 3,873 and C 3,543 (queries).
Protocol  CC ranks C against all of A, SC ranks B against all of A. General (B and C against A) is ours.
"""

import re
from pathlib import Path

from rlq.data.readers.listing import missing_parts, pictures_of_people
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published(
    {
        "train": {"pictures": 17_896, "identities": 150, "clothes": 300, "cameras": 3},
        "query": {"pictures": 7_416, "identities": 71, "cameras": 2},
        "gallery": {"pictures": 3_384, "identities": 71, "cameras": 1},
        "test": {"identities": 71, "clothes": 142},
    },
    {"CC": 3_543, "SC": 3_873},
)
LAYOUT = "rgb/train/<pid>/A_cropped_rgb001.jpg and rgb/test/{A,B,C}/<pid>/cropped_rgb001.jpg"
PARTS = ("rgb/train", "rgb/test")
PERSON = re.compile(r"\d+")
TRAIN_NAME = re.compile(r"(?P<camera>[ABC])_cropped_rgb\d{3,4}\.jpg")
TEST_NAME = re.compile(r"cropped_rgb\d{3,4}\.jpg")
CAMERAS = ("A", "B", "C")

PROTOCOLS = (
    Protocol("CC", "GENERAL", frozenset("C"), frozenset("A")),
    Protocol("SC", "GENERAL", frozenset("B"), frozenset("A")),
    Protocol("General", "GENERAL", frozenset("BC"), frozenset("A"), note="not in the paper"),
)


def holds_prcc(folder: Path) -> bool:
    """Return whether this folder has PRCC's layout."""
    return not missing_parts(folder, PARTS)


def read_prcc(root: Path, name: str = "prcc") -> ReidData:
    """Read all training and test pictures; camera A of the test is the gallery, B and C are queries."""
    root = root.resolve()
    test = {camera: _read_test(root, camera) for camera in CAMERAS}
    return ReidData(name, root, _read_train(root), [*test["B"], *test["C"]], test["A"], PROTOCOLS, single_shot=True)


def _read_train(root: Path) -> list[Record]:
    records = []
    for pid, path, match in _pictures(root / "rgb" / "train", TRAIN_NAME, "A_cropped_rgb001.jpg"):
        camera = match["camera"]
        records.append(Record(path, pid, camera, _clothes(pid, camera), "train", f"{pid}_{path.stem}"))
    return records


def _read_test(root: Path, camera: str) -> list[Record]:
    split = "gallery" if camera == "A" else "query"
    records = []
    for pid, path, _ in _pictures(root / "rgb" / "test" / camera, TEST_NAME, "cropped_rgb001.jpg"):
        # cameras share file names, so the key includes the camera
        records.append(Record(path, pid, camera, _clothes(pid, camera), split, f"{camera}/{pid}_{path.stem}"))
    return records


def _pictures(folder: Path, pattern: re.Pattern[str], example: str) -> list[tuple[str, Path, re.Match[str]]]:
    return pictures_of_people(folder, PERSON, pattern, title="PRCC", example=example, layout=LAYOUT)


def _clothes(pid: str, camera: str) -> str:
    return f"{pid}C" if camera == "C" else pid
