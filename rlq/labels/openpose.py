"""OpenPose's results: a folder with a file per picture, <picture without .jpg>_keypoints.json.

Cao et al. 2019 (arXiv 1812.08008). Version 1.2 has 25 joints under pose_keypoints_2d, version 1.0 had 18 under
pose_keypoints; a joint that was not found is 0, 0, 0. People have no score, so the mean confidence is used instead.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rlq.core.errors import DataError
from rlq.data.readers.listing import is_hidden
from rlq.labels.pose_format import JOINTS, Person, joint_rows, load_json

ENDING = "_keypoints.json"
KEYS = ("pose_keypoints_2d", "pose_keypoints")
# Number of joints in the file -> the index of each of COCO's 17. Both have the neck at index 1; 25 have the mid-hip.
ORDERS = {
    25: (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11),
    18: (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10),
}


def openpose_files(folder: Path) -> dict[str, Path]:
    """Return the result file of each picture (its path relative to the folder, without .jpg), sorted by name."""
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob(f"*{ENDING}") if not is_hidden(path)}
    if not names:
        raise DataError(f"{folder} holds no file named <picture>{ENDING}, as OpenPose writes them")
    return {name.removesuffix(ENDING): names[name] for name in sorted(names)}


def is_openpose(content: Any) -> bool:
    """Return whether the content of a JSON file is OpenPose's result for one picture."""
    return isinstance(content, dict) and isinstance(content.get("people"), list)


def openpose_people(files: dict[str, Path]) -> Iterator[Person]:
    """Yield every person in these files; an empty file has none."""
    for picture, path in files.items():
        if not path.stat().st_size:
            continue
        content = load_json(path, "result of OpenPose")
        if not is_openpose(content):
            raise DataError(f"{path}: has no list of people, as OpenPose writes it")
        for number, entry in enumerate(content["people"]):
            yield _person(entry, picture, f"{path}: person {number}")


def _person(entry: Any, picture: str, place: str) -> Person:
    key = next((key for key in KEYS if isinstance(entry, dict) and key in entry), None)
    if key is None:
        raise DataError(f"{place}: has neither {KEYS[0]} nor {KEYS[1]}")
    rows = joint_rows(entry[key], place)
    if len(rows) == 0:  # without body joints, as with --body 0
        return Person(place, picture, 0.0, np.zeros((JOINTS, 3)), 0)
    if len(rows) not in ORDERS:
        raise DataError(f"{place}: has {len(rows)} joints; 25 (BODY_25) and 18 (COCO) are supported, MPI's 15 are not")
    joints = rows[list(ORDERS[len(rows)])]
    return Person(place, picture, float(joints[:, 2].mean()), joints, len(rows))
