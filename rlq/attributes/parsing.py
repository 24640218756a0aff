"""Masks of human parsers: their label sets, how theirs become LIP's, and whether a mask serves to recolour clothes."""

from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from rlq.data.clothes import LOWER, UPPER, read_label_png, read_mask, size_problem, usable
from rlq.errors import DataError
from rlq.files import written_whole
from rlq.synthetic.side_files import write_mask

LabelSet = Literal["lip", "atr", "pascal"]
LABEL_SETS: tuple[LabelSet, ...] = get_args(LabelSet)
SUFFIXES = (".png", ".npy")

LIP = (
    *("background", "hat", "hair", "glove", "sunglasses", "upper clothes", "dress", "coat", "socks", "trousers"),
    *("jumpsuit", "scarf", "skirt", "face", "left arm", "right arm", "left leg", "right leg"),
    *("left shoe", "right shoe"),
)
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
NAMES: dict[LabelSet, tuple[str, ...]] = {"lip": LIP, "atr": tuple(ATR), "pascal": tuple(PASCAL)}
TO_LIP: dict[LabelSet, np.ndarray] = {  # uint8 [labels of the set]
    "lip": np.arange(len(LIP), dtype=np.uint8),
    "atr": np.array([LIP.index(name) for name in ATR.values()], np.uint8),
    "pascal": np.array([LIP.index(name) for name in PASCAL.values()], np.uint8),
}


class Source(NamedTuple):
    """A parser's mask, the picture it is of, and where it goes as a LIP mask."""

    file: Path
    picture: Path
    target: Path
    labels: LabelSet


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


def source_problem(source: Source) -> str | None:
    """Why a parser's mask cannot be taken, after reading it whole; None when it can."""
    try:
        height, width = read_labels(source.file, source.labels).shape
        problem = size_problem((width, height), source.picture)
    except DataError as error:
        return str(error)
    return f"{source.file}: {problem}" if problem else None


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
    seen = frozenset(np.flatnonzero(np.bincount(mask.ravel())).tolist())
    return Finding("good", "", seen, usable(mask, UPPER), usable(mask, LOWER))


def _read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: no readable mask ({error})") from error
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{path}: a mask is an array [height, width] of whole numbers; this one is {list(array.shape)} of "
            f"{array.dtype}" + (", as a parser's logits are" if array.ndim == 3 else "")
        )
    return array
