"""Side files that other tools and people make: AlphaPose's detections, the authors' lists of gender."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rlq.synthetic.canvas import HEIGHT, WIDTH
from rlq.synthetic.people import Person

# Errors of the pose detector on a clean and on a degraded picture: pixels of jitter, share of pictures without a
# detection, share of joints lost.
CLEAN, DEGRADED = (1.3, 0.01, 0.01), (3.2, 0.10, 0.05)
SECOND_PERSON = 0.05  # share of pictures with a second person


def detect(image_id: str, keypoints: np.ndarray, is_degraded: bool, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return AlphaPose's entries for one picture, given the true joints [17, 3]: none, one, or two in any order."""
    jitter, missing, lost = DEGRADED if is_degraded else CLEAN
    if rng.random() < missing:
        return []
    spread = np.where(keypoints[:, 2:] > 0, jitter, 2.5 * jitter)  # hidden joints are guessed
    at = keypoints[:, :2] + rng.normal(0, 1, (17, 2)) * spread
    confidences = np.where(keypoints[:, 2] > 0, rng.normal(0.90, 0.07, 17), rng.uniform(0.1, 0.5, 17))
    confidences = np.clip(confidences - (0.15 if is_degraded else 0.0), 0.05, 1.08)  # AlphaPose's can exceed 1
    confidences[rng.random(17) < lost] = 0.0
    entries = [_entry(image_id, at, confidences, float(confidences.sum() / 17 + rng.uniform(1.6, 2.2)))]
    if rng.random() < SECOND_PERSON:
        shrunk = (at - [WIDTH / 2, HEIGHT / 2]) * rng.uniform(0.3, 0.5) + [rng.choice((12, WIDTH - 12)), HEIGHT / 2]
        other = _entry(image_id, shrunk, confidences * 0.5, float(rng.uniform(0.3, 1.2)))
        entries.insert(int(rng.integers(2)), other)
    return entries


def _entry(image_id: str, at: np.ndarray, confidences: np.ndarray, score: float) -> dict[str, Any]:
    low, high = at.min(axis=0) - 8, at.max(axis=0) + 8
    rows = np.column_stack([at.round(2), confidences.round(4)])
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [float(number) for number in rows.ravel()],
        "score": round(score, 4),
        "box": [round(float(number), 2) for number in (*low, *(high - low))],
        "idx": [0.0],
    }


def write_gender(path: Path, rows: Iterable[tuple[str, str, Person]]) -> None:
    """Write the authors' list of genders, given (category, pid, person); 1 is male."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Category", "ID", "Gender"])
        for category, pid, person in rows:
            writer.writerow([category, pid, int(person.gender == "male")])


def write_people(path: Path, rows: Iterable[tuple[str, str, Person]]) -> None:
    """Write the true properties of all people, by split and pid; training does not read them."""
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
