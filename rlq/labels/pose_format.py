"""The common part of the formats of pose detectors: people with COCO's 17 joints, and numbers in JSON."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rlq.core.errors import DataError
from rlq.core.files import parsed_json

JOINTS = 17
LARGEST = 1e9  # coordinates, confidences and scores are smaller


class Person(NamedTuple):
    """One person in one picture, as a file lists them."""

    place: str  # in the file, for messages
    picture: str  # as the file names it
    score: float | None  # NaN: null in the file; None: absent
    joints: np.ndarray  # [17, 3] float64 (x, y in pixels, confidence); NaN: null in the file
    listed: int = JOINTS  # number of joints in the file

    @property
    def is_finite(self) -> bool:
        """Return whether every number of this person is finite and of a plausible size."""
        small = (np.abs(self.joints) < LARGEST).all()  # false for NaN too
        return bool(small) and (self.score is None or abs(self.score) < LARGEST)


def load_json(path: Path, what: str) -> Any:
    """Return the content of a JSON file. Raises DataError with line and column; `what` names the kind of file."""
    try:
        return parsed_json(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}, column {error.colno}: invalid JSON ({error.msg})") from error
    except OSError as error:
        raise DataError(f"{path}: the {what} cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # not UTF-8, a number of thousands of digits, or deeply nested brackets
        raise DataError(f"{path}: the {what} cannot be read ({error})") from error


def joint_rows(values: Any, place: str) -> np.ndarray:
    """Return a flat list x, y, confidence, ... or a list of such triples as float64 [J, 3]; null becomes NaN."""
    if isinstance(values, list) and values and all(isinstance(triple, list) for triple in values):
        if any(len(triple) != 3 for triple in values):
            raise DataError(f"{place}: each joint needs x, y and a confidence")
        values = [number for triple in values for number in triple]
    if not isinstance(values, list) or not set(map(type, values)) <= {int, float, type(None)}:
        raise DataError(f"{place}: its keypoints are not a list of numbers")
    if len(values) % 3:
        raise DataError(f"{place}: has {len(values)} numbers; each joint needs x, y and a confidence")
    return np.array([_number(value) for value in values]).reshape(-1, 3)


def score_of(value: Any, place: str) -> float:
    """Return a person's score; null becomes NaN."""
    if type(value) not in (int, float, type(None)):
        raise DataError(f"{place}: its score is {value!r}, which is not a number")
    return _number(value)


def _number(value: float | None) -> float:
    try:
        return np.nan if value is None else float(value)
    except OverflowError:  # an integer of hundreds of digits
        return np.inf
