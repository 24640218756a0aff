"""Read keypoints of pictures from AlphaPose, OpenPose, or COCO's annotations.

Imperfections of real files are accepted: people with numbers that are not finite and people without joints are left out
and counted, and confidences above 1 are kept. Files whose meaning is not clear are refused: unknown joints, or several
people in a picture without scores.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlq.core.errors import DataError
from rlq.labels.alphapose import alphapose_people
from rlq.labels.coco import coco_people, coco_pictures, is_coco
from rlq.labels.openpose import ENDING, is_openpose, openpose_files, openpose_people
from rlq.labels.pose_format import Person, load_json

KEYPOINTS = "keypoints.json"  # in the folder rlq/ of a data set


@dataclass(frozen=True)
class KeypointSummary:
    """What a source of keypoints holds."""

    format: str  # AlphaPose, OpenPose or COCO
    joints: int  # per person in the file: 17, 18, 25, 26 or 136
    pictures: int  # named in the source
    people: int  # usable ones
    several: int  # pictures with more than one usable person
    left_out: int  # people with a number that is not finite
    without_joints: int  # people without any annotated joint
    above_one: int  # joints whose confidence is above 1


@dataclass(frozen=True)
class Keypoints:
    """One person per picture."""

    people: dict[str, np.ndarray]  # picture, as the source names it -> float64 [17, 3] (x, y in pixels, confidence)
    scores: dict[str, float | None]  # of that person; None: a single person, for whom the source has no score
    summary: KeypointSummary


def read_keypoints(source: Path) -> Keypoints:
    """Read the person with the highest score in each picture (the first of equals); pictures are sorted by name.

    `source` is AlphaPose's result JSON, COCO's person keypoint annotations, or the folder that OpenPose wrote, which
    names pictures without their suffix. Raises DataError for other or broken sources and for those without people.
    """
    if source.is_dir():
        files = openpose_files(source)
        return _best_people(source, "OpenPose", openpose_people(files), set(files))
    content = load_json(source, "keypoint file")
    if is_coco(content):
        pictures = set(coco_pictures(content, source).values())
        return _best_people(source, "COCO", coco_people(content, source), pictures)
    if is_openpose(content):
        raise DataError(f"{source}: is OpenPose's result for one picture; name the folder that holds all *{ENDING}")
    return _best_people(source, "AlphaPose", alphapose_people(content, source), set())


def _best_people(source: Path, form: str, everybody: Iterable[Person], pictures: set[str]) -> Keypoints:
    by_picture: dict[str, list[Person]] = {}
    joints = left_out = without_joints = above_one = 0
    for person in everybody:
        pictures.add(person.picture)
        joints = max(joints, person.listed)
        if not person.is_finite:
            left_out += 1
        elif not person.joints.any():
            without_joints += 1
        else:
            above_one += int((person.joints[:, 2] > 1).sum())
            by_picture.setdefault(person.picture, []).append(person)
    if not by_picture:
        reasons = f"{left_out} with numbers that are not finite, {without_joints} without joints"
        raise DataError(f"{source}: holds no usable person ({reasons} left out)")
    best = {picture: _best(by_picture[picture]) for picture in sorted(by_picture)}
    return Keypoints(
        people={picture: person.joints for picture, person in best.items()},
        scores={picture: person.score for picture, person in best.items()},
        summary=KeypointSummary(
            format=form,
            joints=joints,
            pictures=len(pictures),
            people=sum(map(len, by_picture.values())),
            several=sum(len(people) > 1 for people in by_picture.values()),
            left_out=left_out,
            without_joints=without_joints,
            above_one=above_one,
        ),
    )


def _best(people: list[Person]) -> Person:
    """Return the person with the highest score, the first of equals; a single person needs no score."""
    scores = [person.score for person in people if person.score is not None]
    if len(scores) == len(people):
        return people[scores.index(max(scores))]
    unscored = next(person for person in people if person.score is None)
    if len(people) > 1:
        raise DataError(
            f"{unscored.place}: has no score, which is needed to choose one of {len(people)} people in the picture"
        )
    return unscored
