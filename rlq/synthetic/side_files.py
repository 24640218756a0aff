"""What other tools and people would have made: AlphaPose's detections, the authors' lists of gender."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rlq.synthetic.canvas import HEIGHT, WIDTH
from rlq.synthetic.people import Person

# How well the pose detector does on a good and on a bad picture: pixels of jitter, share of pictures without a
# detection, share of joints lost.
GOOD, BAD = (1.3, 0.01, 0.01), (3.2, 0.10, 0.05)
SECOND_PERSON = 0.05  # share of the pictures with one


def detect(image_id: str, keypoints: np.ndarray, bad: bool, rng: np.random.Generator) -> list[dict[str, Any]]:
    """What AlphaPose writes about one picture, given the truth [17, 3]: no entry, one, or two in any order."""
    jitter, missing, lost = BAD if bad else GOOD
    if rng.random() < missing:
        return []
    spread = np.where(keypoints[:, 2:] > 0, jitter, 2.5 * jitter)  # hidden joints are guessed
    at = keypoints[:, :2] + rng.normal(0, 1, (17, 2)) * spread
    sure = np.where(keypoints[:, 2] > 0, rng.normal(0.90, 0.07, 17), rng.uniform(0.1, 0.5, 17))
    sure = np.clip(sure - (0.15 if bad else 0.0), 0.05, 1.08)  # AlphaPose's confidences do pass 1
    sure[rng.random(17) < lost] = 0.0
    entries = [_entry(image_id, at, sure, float(sure.sum() / 17 + rng.uniform(1.6, 2.2)))]
    if rng.random() < SECOND_PERSON:
        shrunk = (at - [WIDTH / 2, HEIGHT / 2]) * rng.uniform(0.3, 0.5) + [rng.choice((12, WIDTH - 12)), HEIGHT / 2]
        other = _entry(image_id, shrunk, sure * 0.5, float(rng.uniform(0.3, 1.2)))
        entries.insert(int(rng.integers(2)), other)
    return entries


def _entry(image_id: str, at: np.ndarray, sure: np.ndarray, score: float) -> dict[str, Any]:
    low, high = at.min(axis=0) - 8, at.max(axis=0) + 8
    rows = np.column_stack([at.round(2), sure.round(4)])
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [float(number) for number in rows.ravel()],
        "score": round(score, 4),
        "box": [round(float(number), 2) for number in (*low, *(high - low))],
        "idx": [0.0],
    }


def write_gender(path: Path, rows: Iterable[tuple[str, str, Person]]) -> None:
    """The authors' list of (category, pid, person): 1 is male."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Category", "ID", "Gender"])
        for category, pid, person in rows:
            writer.writerow([category, pid, int(person.gender == "male")])


def write_people(path: Path, rows: Iterable[tuple[str, str, Person]]) -> None:
    """The truth about everybody, by split and pid; nothing in training reads it."""
    people: dict[str, dict[str, Any]] = {}
    for category, pid, person in rows:
        people.setdefault(category, {})[pid] = {
            "gender": person.gender,
            "age": person.age,
            "hair": person.hair.style,
            "beard": person.face.beard,
            "glasses": person.face.glasses,
            **{name: round(value, 5) for name, value in person.truth().items()},
        }
    path.write_text(json.dumps(people, indent=1), encoding="utf-8")
