"""Read the result files of AlphaPose: a list with one entry per person, or persons keyed by picture.

Real files leave out pictures without people, hold several people per picture in any order, and have confidences
above 1, joints outside of the picture, and 17, 26 or 136 joints, of which the first 17 are COCO's.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rlq.errors import DataError

KNOWN_JOINTS = (17, 26, 136)
LARGEST = 1e9  # no coordinate, confidence or score is


def read_alphapose(path: Path) -> dict[str, np.ndarray]:
    """The best-scored person of each picture: image_id -> float64 [17, 3] (x, y in pixels, confidence)."""
    people: dict[str, list[tuple[str, Any, np.ndarray]]] = {}
    for place, image_id, person in _persons(path, _load(path)):
        joints = _joints(person.get("keypoints"), f"{path}: {place} ({image_id})")
        people.setdefault(image_id, []).append((place, person.get("score"), joints))
    if not people:
        raise DataError(f"{path}: holds no person")
    return {image_id: _best(path, image_id, people[image_id]) for image_id in sorted(people)}


def _best(path: Path, image_id: str, people: list[tuple[str, Any, np.ndarray]]) -> np.ndarray:
    """The joints of the highest score, the first one of equals; a person alone needs no score."""
    for place, score, _ in people:
        if not _is_number(score) and (score is not None or len(people) > 1):
            raise DataError(f"{path}: {place} ({image_id}): its score is {score!r}, which is no finite number")
    return max(people, key=lambda person: person[1] or 0)[2]


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}, column {error.colno}: no valid JSON ({error.msg})") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: no readable keypoint file ({error})") from error


def _persons(path: Path, content: Any) -> Iterator[tuple[str, str, dict]]:
    """(place in the file, image_id, person) of every entry."""
    if isinstance(content, list):
        for number, person in enumerate(content):
            image_id = person.get("image_id") if isinstance(person, dict) else None
            if isinstance(image_id, int) and not isinstance(image_id, bool):
                image_id = str(image_id)
            if not isinstance(image_id, str) or not image_id:
                raise DataError(f"{path}: entry {number}: has no image_id; AlphaPose writes one per person")
            yield f"entry {number}", image_id, person
    elif isinstance(content, dict):
        for image_id, persons in content.items():
            for number, person in enumerate(persons if isinstance(persons, list) else [persons]):
                if not isinstance(person, dict) or "keypoints" not in person:
                    raise DataError(
                        f"{path}: picture {image_id!r}: expected people with keypoints and a score as AlphaPose "
                        "writes them; files of OpenPose and COCO order their joints or entries otherwise"
                    )
                yield f"person {number}", image_id, person
    else:
        raise DataError(f"{path}: expected a list of people or people keyed by picture, found {type(content).__name__}")


def _joints(values: Any, place: str) -> np.ndarray:
    """A flat list x, y, confidence, ... or a list of such triples -> float64 [17, 3]."""
    if isinstance(values, list) and values and all(isinstance(triple, list) for triple in values):
        if any(len(triple) != 3 for triple in values):
            raise DataError(f"{place}: each joint needs x, y and a confidence")
        values = [number for triple in values for number in triple]
    if not isinstance(values, list) or not all(_is_number(number) for number in values):
        raise DataError(f"{place}: its keypoints are no list of finite numbers")
    if len(values) not in [3 * joints for joints in KNOWN_JOINTS]:
        known = ", ".join(str(joints) for joints in KNOWN_JOINTS)
        raise DataError(f"{place}: has {len(values)} numbers; {known} joints with x, y and confidence are known")
    return np.array(values[: 3 * KNOWN_JOINTS[0]], np.float64).reshape(-1, 3)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST  # NaN is not
