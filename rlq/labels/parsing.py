"""Masks of human parsers: label sets, their conversion to LIP's labels, and checks that a mask can be used."""

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

# The label sets that SCHP is trained on, in the order of their labels: the set's name -> LIP's name.
ATR = {
    "background": "background",
    "hat": "hat",
    "hair": "hair",
    "sunglasses": "sunglasses",
    "upper clothes": "upper clothes",
    "skirt": "skirt",
    "trousers": "trousers",
    "dress": "dress",
    "belt": "trousers",  # LIP has no belt
    "left shoe": "left shoe",
    "right shoe": "right shoe",
    "face": "face",
    "left leg": "left leg",
    "right leg": "right leg",
    "left arm": "left arm",
    "right arm": "right arm",
    "bag": "background",  # LIP has no bag
    "scarf": "scarf",
}
# Pascal-Person-Part has body parts and no clothes: the torso becomes upper clothes and the legs become trousers, even
# where they are bare. It does not distinguish left from right.
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
FEWEST_MASKS = 20  # fewer masks are too few to guess their label set


class Source(NamedTuple):
    """A parser's mask, its picture, and the LIP mask to write."""

    file: Path
    picture: Path
    target: Path
    labels: LabelSet


class Reading(NamedTuple):
    """The result of reading a parser's mask."""

    problem: str = ""  # why it cannot be imported
    labels: frozenset[int] = frozenset()  # in its own label set, not LIP's


class Finding(NamedTuple):
    """The result of checking a mask of the data set."""

    state: Literal["good", "missing", "size", "unreadable"]
    problem: str = ""
    labels: frozenset[int] = frozenset()
    upper: bool = False  # whether the upper clothes are large enough to be recoloured by themselves
    lower: bool = False  # the same for the lower clothes


def read_labels(path: Path, labels: LabelSet = "lip") -> np.ndarray:
    """Read labels of a set from a palette or greyscale PNG or a .npy of integers: uint8 [H, W].

    Raises DataError for colour pictures, for logits, and for labels that the set does not have.
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


def check_source(source: Source) -> Reading:
    """Read a parser's mask, and compare its size with its picture's."""
    try:
        mask = read_labels(source.file, source.labels)
        problem = size_problem((mask.shape[1], mask.shape[0]), source.picture)
    except DataError as error:
        return Reading(str(error))
    return Reading(f"{source.file}: {problem}") if problem else Reading(labels=_labels_in(mask))


def likelier_set(labels: LabelSet, seen: Mapping[int, int], masks: int) -> LabelSet | None:
    """Return the label set that masks probably have instead of `labels`, None if `labels` is plausible.

    `seen` holds how many of the `masks` show each label. Most masks of a smaller set are valid in LIP too. Pascal's
    labels end at 6, and nearly all masks show its torso. ATR's end at 17, below LIP's shoes, and most masks show a
    face, whose number is the rare scarf in LIP.
    """
    if masks < FEWEST_MASKS:
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


def check_mask(pair: tuple[Path, Path]) -> Finding:
    """Check the mask of (picture, mask) by reading it as training does."""
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
        raise DataError(f"{path}: the mask cannot be read ({error})") from error
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{path}: a mask is an array [height, width] of integers; this one is {list(array.shape)} of "
            f"{array.dtype}" + (", as a parser's logits are" if array.ndim == 3 else "")
        )
    return array
