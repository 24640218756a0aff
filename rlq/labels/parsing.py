"""Masks of human parsers: their label sets, how theirs become LIP's, and whether a mask serves to recolour clothes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from rlq.core.errors import DataError
from rlq.core.files import written_whole
from rlq.core.safe_arrays import UNREADABLE
from rlq.data.clothes import read_label_png, read_mask, size_problem, usable
from rlq.data.lip import LIP_NAMES, LOWER, SHOES, UPPER
from rlq.data.masks import write_mask

LabelSet = Literal["lip", "atr", "pascal"]
LABEL_SETS: tuple[LabelSet, ...] = get_args(LabelSet)
SUFFIXES = (".png", ".npy")

# The sets that SCHP is trained on, in the order of their labels: their name -> LIP's.
ATR = {
    "background": "background",
    "hat": "hat",
    "hair": "hair",
    "sunglasses": "sunglasses",
    "upper clothes": "upper clothes",
    "skirt": "skirt",
    "trousers": "trousers",
    "dress": "dress",
    "belt": "trousers",  # LIP knows no belt; it is worn with them
    "left shoe": "left shoe",
    "right shoe": "right shoe",
    "face": "face",
    "left leg": "left leg",
    "right leg": "right leg",
    "left arm": "left arm",
    "right arm": "right arm",
    "bag": "background",  # nor a bag
    "scarf": "scarf",
}
# Pascal-Person-Part has parts of bodies and no clothes: the torso stands for upper clothes and the legs for trousers,
# bare or not; it tells no left from right.
PASCAL = {
    "background": "background",
    "head": "face",
    "torso": "upper clothes",
    "upper arms": "left arm",
    "lower arms": "left arm",
    "upper legs": "trousers",
    "lower legs": "trousers",
}
NAMES: dict[LabelSet, tuple[str, ...]] = {"lip": LIP_NAMES, "atr": tuple(ATR), "pascal": tuple(PASCAL)}
TO_LIP: dict[LabelSet, np.ndarray] = {  # uint8 [labels of the set]
    "lip": np.arange(len(LIP_NAMES), dtype=np.uint8),
    "atr": np.array([LIP_NAMES.index(name) for name in ATR.values()], np.uint8),
    "pascal": np.array([LIP_NAMES.index(name) for name in PASCAL.values()], np.uint8),
}
ATR_FACE = list(ATR).index("face")
PASCAL_TORSO = list(PASCAL).index("torso")
TELLING = 20  # fewer masks tell nothing about their set


class Source(NamedTuple):
    """A parser's mask, the picture it is of, and where it goes as a LIP mask."""

    file: Path
    picture: Path
    target: Path
    labels: LabelSet


class Reading(NamedTuple):
    """What came of reading a parser's mask."""

    problem: str = ""  # why it cannot be taken
    labels: frozenset[int] = frozenset()  # its own, not yet LIP's


class Finding(NamedTuple):
    """What a mask of the set is like."""

    state: Literal["good", "missing", "size", "unreadable"]
    problem: str = ""
    labels: frozenset[int] = frozenset()
    upper: bool = False  # whether enough of the picture is upper clothes to be given a colour of their own
    lower: bool = False


def read_labels(path: Path, labels: LabelSet = "lip") -> np.ndarray:
    """The labels of a set from a palette or greyscale PNG or a .npy of integers: uint8 [H, W].

    Raises DataError for pictures in colour, for logits, and for labels that the set does not have.
    """
    numbers = _read_npy(path) if path.suffix.lower() == ".npy" else read_label_png(path)
    count = len(NAMES[labels])
    outside = numbers[(numbers < 0) | (numbers >= count)]
    if len(outside):
        raise DataError(
            f"{path}: holds label {outside[0]}; masks of {labels} hold 0 to {count - 1}; known sets: "
            + ", ".join(f"{name} (0 to {len(NAMES[name]) - 1})" for name in LABEL_SETS)
        )
    return numbers.astype(np.uint8)


def look_at_source(source: Source) -> Reading:
    """Read a parser's mask whole, and compare its size with its picture's."""
    try:
        mask = read_labels(source.file, source.labels)
        problem = size_problem((mask.shape[1], mask.shape[0]), source.picture)
    except DataError as error:
        return Reading(str(error))
    return Reading(f"{source.file}: {problem}") if problem else Reading(labels=_labels_in(mask))


def other_set(labels: LabelSet, seen: Mapping[int, int], masks: int) -> LabelSet | None:
    """The set that masks are more likely of than of `labels`, by how many of the `masks` show each label.

    The sets overlap, so most masks of a smaller one pass for LIP's. Pascal's end at 6, and nearly all show its torso;
    ATR's end at 17, where LIP's shoes begin, and mostly show a face, whose number is LIP's rare scarf.
    """
    if masks < TELLING:
        return None
    if labels != "pascal" and max(seen) < len(PASCAL) and 2 * seen.get(PASCAL_TORSO, 0) > masks:
        return "pascal"
    if labels == "lip" and not any(label in seen for label in SHOES) and 2 * seen.get(ATR_FACE, 0) > masks:
        return "atr"
    return None


def convert(source: Source) -> None:
    """Write a parser's mask as a palette PNG of LIP labels, whole or not at all."""
    mask = TO_LIP[source.labels][read_labels(source.file, source.labels)]  # [H, W]
    with written_whole(source.target) as partial:
        write_mask(partial, mask)


def look_at(pair: tuple[Path, Path]) -> Finding:
    """Read the mask of (picture, mask) as training will."""
    picture, path = pair
    if not path.is_file():
        return Finding("missing")
    try:
        mask = read_mask(path)
        problem = size_problem((mask.shape[1], mask.shape[0]), picture)
    except DataError as error:
        return Finding("unreadable", str(error))
    if problem:
        return Finding("size", f"{path}: {problem}")
    return Finding("good", "", _labels_in(mask), usable(mask, UPPER), usable(mask, LOWER))


def _labels_in(mask: np.ndarray) -> frozenset[int]:
    return frozenset(np.flatnonzero(np.bincount(mask.ravel())).tolist())


def _read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise DataError(f"{path}: no readable mask ({error})") from error
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{path}: a mask is an array [height, width] of whole numbers; this one is {list(array.shape)} of "
            f"{array.dtype}" + (", as a parser's logits are" if array.ndim == 3 else "")
        )
    return array
