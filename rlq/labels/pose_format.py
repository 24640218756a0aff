"""What the formats of pose detectors share: people with COCO's 17 joints, and numbers in JSON."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rlq.core.errors import DataError
from rlq.core.files import parsed_json

JOINTS = 17
LARGEST = 1e9  # no coordinate, confidence or score is


class Person(NamedTuple):
    """One person of one picture, as a file has it."""

    place: str  # in the file, for messages
    picture: str  # as the file names it
    score: float | None  # NaN: no finite number; None: the file has none
    joints: np.ndarray  # [17, 3] float64 (x, y in pixels, confidence); NaN: no number
    listed: int = JOINTS  # joints that the file has of this person

    @property
    def is_finite(self) -> bool:
        """Whether every number about this person is one."""
        small = (np.abs(self.joints) < LARGEST).all()  # false for NaN too
        return bool(small) and (self.score is None or abs(self.score) < LARGEST)


def load_json(path: Path, what: str) -> Any:
    """The content of a JSON file. Raises DataError with line and column; `what` names the kind of file."""
    try:
        return parsed_json(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}, column {error.colno}: no valid JSON ({error.msg})") from error
    except OSError as error:
        raise DataError(f"{path}: no readable {what} ({error.strerror or error})") from error
    except ValueError as error:  # not UTF-8, thousands of digits, or brackets in brackets
        raise DataError(f"{path}: no readable {what} ({error})") from error


def joint_rows(values: Any, place: str) -> np.ndarray:
    """A flat list x, y, confidence, ... or a list of such triples -> float64 [J, 3]; null is NaN."""
    if isinstance(values, list) and values and all(isinstance(triple, list) for triple in values):
        if any(len(triple) != 3 for triple in values):
            raise DataError(f"{place}: each joint needs x, y and a confidence")
        values = [number for triple in values for number in triple]
    if not isinstance(values, list) or not set(map(type, values)) <= {int, float, type(None)}:
        raise DataError(f"{place}: its keypoints are no list of numbers")
    if len(values) % 3:
        raise DataError(f"{place}: has {len(values)} numbers; each joint needs x, y and a confidence")
    return np.array([_number(value) for value in values]).reshape(-1, 3)


def score_of(value: Any, place: str) -> float:
    """A person's score; null is NaN."""
    if type(value) not in (int, float, type(None)):
        raise DataError(f"{place}: its score is {value!r}, which is no number")
    return _number(value)


def _number(value: float | None) -> float:
    try:
        return np.nan if value is None else float(value)
    except OverflowError:  # an integer of hundreds of digits
        return np.inf
