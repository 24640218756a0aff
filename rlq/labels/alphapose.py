"""AlphaPose's result file: a list with one entry per person, or people keyed by picture.

Real files leave out pictures without people and hold several people per picture in any order. They have confidences
above 1, joints outside of the picture, and 17, 26 or 136 joints, of which the first 17 are COCO's.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rlq.core.errors import DataError
from rlq.core.files import write_file
from rlq.labels.pose_format import JOINTS, Person, joint_rows, score_of

KNOWN_JOINTS = (17, 26, 136)


def alphapose_people(content: Any, path: Path) -> Iterator[Person]:
    """Yield every person in the content of a result file."""
    if isinstance(content, list):
        yield from _listed(content, path)
    elif isinstance(content, dict):
        yield from _keyed(content, path)
    else:
        raise DataError(f"{path}: expected a list of people or people keyed by picture, found {type(content).__name__}")


def write_alphapose(path: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write the list form, an entry per line, whole or not at all."""
    lines = ",\n".join(json.dumps(entry, allow_nan=False) for entry in entries)
    write_file(path, f"[{lines}]\n")


def _listed(content: list, path: Path) -> Iterator[Person]:
    for number, entry in enumerate(content):
        name = entry.get("image_id") if isinstance(entry, dict) else None
        if type(name) is int:
            name = str(name)
        if not isinstance(name, str) or not name:
            raise DataError(f"{path}: entry {number}: has no image_id; AlphaPose writes one per person")
        yield _person(entry, name, f"{path}: entry {number} ({name})")


def _keyed(content: dict, path: Path) -> Iterator[Person]:
    for name, entries in content.items():
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            if not isinstance(entry, dict) or "keypoints" not in entry:
                raise DataError(
                    f"{path}: picture {name!r}: expected people with keypoints and a score, as AlphaPose writes them "
                    "by default; its formats cmu and open have another order of joints"
                )
            yield _person(entry, name, f"{path}: person {number} ({name})")


def _person(entry: dict, name: str, place: str) -> Person:
    rows = joint_rows(entry.get("keypoints"), place)
    if len(rows) not in KNOWN_JOINTS:
        supported = ", ".join(map(str, KNOWN_JOINTS))
        raise DataError(
            f"{place}: has {len(rows)} joints; lists of {supported} begin with COCO's 17. CrowdPose (14) and MPII (16) "
            "have no face and another order; run the detector with a model that was trained on COCO or Halpe"
        )
    score = score_of(entry["score"], place) if "score" in entry else None
    return Person(place, name, score, rows[:JOINTS], len(rows))
