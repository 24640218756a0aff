"""COCO's keypoint annotations: people annotated by hand, with a visibility flag per joint instead of a confidence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rlq.core.errors import DataError
from rlq.labels.pose_format import JOINTS, Person, joint_rows

CONFIDENCES = {0: 0.0, 1: 0.5, 2: 1.0}  # flag -> confidence: not annotated, annotated but hidden, visible
NAMES = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)


def is_coco(content: Any) -> bool:
    """Return whether the content of a JSON file has COCO's form."""
    return isinstance(content, dict) and {"images", "annotations"} <= content.keys()


def coco_people(content: dict, path: Path) -> Iterator[Person]:
    """Yield every person in an annotation file; the score is the mean of the confidences."""
    _check_names(content.get("categories"), path)
    pictures = coco_pictures(content, path)
    for number, entry in enumerate(_list(content, "annotations", path)):
        place = f"{path}: annotation {number}"
        if not isinstance(entry, dict) or "keypoints" not in entry:
            raise DataError(f"{place}: has no keypoints; use COCO's files of person keypoints")
        image_id = entry.get("image_id")
        if not isinstance(image_id, int | str) or image_id not in pictures:
            raise DataError(f"{place}: has image_id {image_id!r}, which is not among the images")
        name = pictures[image_id]
        joints = _joints(entry["keypoints"], f"{place} ({name})")
        yield Person(f"{place} ({name})", name, float(joints[:, 2].mean()), joints)


def coco_pictures(content: dict, path: Path) -> dict[int | str, str]:
    """Return the file name of each image_id."""
    pictures: dict[int | str, str] = {}
    for number, image in enumerate(_list(content, "images", path)):
        image_id = image.get("id") if isinstance(image, dict) else None
        if not isinstance(image_id, int | str) or not isinstance(image.get("file_name"), str):
            raise DataError(f"{path}: image {number}: has no id and file_name")
        name = image["file_name"]
        if pictures.setdefault(image_id, name) != name:
            raise DataError(f"{path}: image {number}: id {image_id!r} is {name} here and {pictures[image_id]} before")
    return pictures


def _joints(values: Any, place: str) -> np.ndarray:
    rows = joint_rows(values, place)
    if len(rows) != JOINTS:
        raise DataError(
            f"{place}: has {len(rows)} joints, COCO's people have {JOINTS}; CrowdPose's 14 have no face and another "
            "order"
        )
    flags = rows[:, 2]
    unknown = sorted(set(flags[np.isfinite(flags)].tolist()) - CONFIDENCES.keys())
    if unknown:
        raise DataError(f"{place}: {unknown[0]} is not a visibility flag; COCO's flags are 0, 1 and 2")
    confidence = np.array([CONFIDENCES.get(flag, np.nan) for flag in flags.tolist()])  # [17]
    return np.where(confidence[:, None] == 0, 0.0, np.column_stack([rows[:, :2], confidence]))


def _check_names(categories: Any, path: Path) -> None:
    """Refuse a file whose joints have other names than COCO's, because skeletons of animals can have 17 joints too."""
    for category in categories if isinstance(categories, list) else []:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list) and len(names) == JOINTS and tuple(names) != NAMES:
            name, coco_name = next(pair for pair in zip(names, NAMES, strict=True) if pair[0] != pair[1])
            raise DataError(f"{path}: its joints are not those of COCO's people: {name!r} instead of {coco_name!r}")


def _list(content: dict, key: str, path: Path) -> list:
    if not isinstance(content[key], list):
        raise DataError(f"{path}: {key!r} should be a list as in COCO's files, found {type(content[key]).__name__}")
    return content[key]
