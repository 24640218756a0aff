"""Recoloured copies of training pictures, and the clothes classes that they add (RLQ, arXiv 2505.12580).

A parsing mask (LIP labels) tells upper from lower clothes, and each gets a colour.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image

from rlq.core.errors import DataError
from rlq.data.image_header import UNREADABLE
from rlq.data.lip import LOWER, UPPER, WORN, Lip
from rlq.data.parallel import parallel_map
from rlq.data.pictures import picture_sizes
from rlq.data.records import Record

USABLE_SHARE = 0.01  # of the picture; a smaller garment is probably a mistake of the parser
COLOUR_WEIGHT = 0.7  # the original keeps 0.3
GREY_STEPS = {"L;2": 85, "L;4": 17}  # Pillow spreads greys of 2 and 4 bits over 0..255; labels must not be spread
TEST_FOLDERS = ("query", "gallery", "test")

Labels = Literal["pairs", "person", "none"]

COLOURS = {  # RGB of CSS
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "purple": (128, 0, 128),
    "red": (255, 0, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "orange": (255, 165, 0),
    "yellow": (255, 255, 0),
    "pink": (255, 192, 203),
}
PALETTES = {
    9: tuple(COLOURS),
    6: ("green", "blue", "purple", "red", "yellow", "pink"),  # the authors' choice for LaST
}


class Recoloured(NamedTuple):
    """A recoloured picture; pair = upper colour * colours + lower colour."""

    picture: np.ndarray  # uint8 [H, W, 3]
    pair: int


@dataclass(frozen=True)
class ClothesClasses:
    """All clothes classes: the real ones, then those of recoloured copies, as offsets instead of a dense matrix."""

    own: np.ndarray  # [real classes]: the identity that each belongs to
    identities: int
    colours: int = 9
    labels: Labels = "pairs"  # a class per person and pair of colours | one per person | copies have none (-1)

    @property
    def per_person(self) -> int:
        """Return how many classes recolouring adds to each identity."""
        return {"pairs": self.colours**2, "person": 1, "none": 0}[self.labels]

    @property
    def total(self) -> int:
        return len(self.own) + self.identities * self.per_person

    @property
    def owner(self) -> np.ndarray:
        """Return the identity of every class: int32 [total]."""
        added = np.repeat(np.arange(self.identities), self.per_person)
        return np.concatenate([self.own, added]).astype(np.int32)

    def recoloured(self, pid: int, pair: int) -> int:
        """Return the class of a recoloured copy of identity `pid`, -1 where copies have no class."""
        if self.labels == "none":
            return -1
        return len(self.own) + pid * self.per_person + (pair if self.labels == "pairs" else 0)


def head_megabytes(classes: ClothesClasses, width: int) -> float:
    """Return the memory of the clothes head in MB: float32 weights [classes, width], gradient, Adam's two moments."""
    return 4 * 4 * classes.total * width / 1e6


@dataclass(frozen=True)
class Recolouring:
    """The masks of a data set and the classes of recoloured copies of its training pictures."""

    classes: ClothesClasses
    masks: Path  # folder; a mask's path below it equals its picture's path below `root`
    root: Path
    unusable_upper: frozenset[str] = frozenset()  # picture keys
    unusable_lower: frozenset[str] = frozenset()

    def copy_of(
        self, picture: np.ndarray, record: Record, pid: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, int]:
        """Return a recoloured copy of a picture of identity `pid`, and its clothes class."""
        path = mask_path(self.masks, record.path, self.root)
        try:
            result = recolour(
                picture,
                read_mask(path),
                rng,
                colours=self.classes.colours,
                unusable_upper=record.key in self.unusable_upper,
                unusable_lower=record.key in self.unusable_lower,
            )
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        return result.picture, self.classes.recoloured(pid, result.pair)


def recolour(
    picture: np.ndarray,
    mask: np.ndarray,
    rng: np.random.Generator,
    *,
    colours: int = 9,
    unusable_upper: bool = False,
    unusable_lower: bool = False,
) -> Recoloured:
    """Give upper and lower clothes a colour each, drawn independently.

    If either garment is unusable (by the authors' lists or by its size), everything worn gets one colour.
    picture uint8 [H, W, 3], mask uint8 [H, W] of LIP labels.
    """
    if mask.shape != picture.shape[:2]:
        raise ValueError(f"the mask is {list(mask.shape)}, its picture {list(picture.shape[:2])} (height, width)")
    upper, lower = (int(colour) for colour in rng.integers(colours, size=2))
    painted = picture.copy()
    if not unusable_upper and not unusable_lower:
        above, below = _shows(mask, UPPER), _shows(mask, LOWER)
        if _enough(above) and _enough(below):
            _paint(painted, above, _levels(colours, upper))
            _paint(painted, below, _levels(colours, lower))
            return Recoloured(painted, upper * colours + lower)
    _paint(painted, _shows(mask, WORN), _levels(colours, upper))
    return Recoloured(painted, upper * colours + upper)


def palette(colours: int) -> np.ndarray:
    """Return a palette's colours in RGB: uint8 [colours, 3]."""
    return np.array([COLOURS[name] for name in PALETTES[colours]], np.uint8)


def usable(mask: np.ndarray, labels: Sequence[int]) -> bool:
    """Return whether these labels cover at least 1% of the picture."""
    return _enough(_shows(mask, labels))


def read_mask(path: Path) -> np.ndarray:
    """Read a palette PNG of LIP labels: uint8 [H, W]. The colours of its palette are ignored."""
    labels = read_label_png(path)
    if labels.max(initial=0) >= len(Lip):
        raise DataError(f"{path}: holds label {labels.max()}; LIP masks hold 0 to {len(Lip) - 1}")
    return labels.astype(np.uint8)


def read_label_png(path: Path) -> np.ndarray:
    """Read the labels of a palette or greyscale PNG of any depth, in any label set: integers [H, W]."""
    try:
        with Image.open(path) as image:
            problem = _no_labels(image)
            step = next((GREY_STEPS[tile.args] for tile in image.tile if tile.args in GREY_STEPS), 1)
            labels = np.array(image) if problem is None else None
    except UNREADABLE as error:
        raise DataError(f"{path}: the mask cannot be read ({error})") from error
    if labels is None:
        raise DataError(f"{path}: {problem}")
    return labels.astype(np.uint8) if labels.dtype == bool else labels // step if step > 1 else labels


def mask_problems(records: Sequence[Record], masks: Path, root: Path, processes: int = 1) -> list[tuple[Path, str]]:
    """Return every mask that would stop training, with the reason, in the order of `records`.

    Only headers are read: missing files, files that are no masks, and masks of another size than their pictures are
    found. A broken body or a label above 19 is found only when the whole mask is read.
    """
    pairs = [(path, mask_path(masks, path, root)) for record in records for path in record.pictures]
    problems = parallel_map(_mask_problem, pairs, processes)
    return [(mask, problem) for (_, mask), problem in zip(pairs, problems, strict=True) if problem]


def size_problem(mask_size: tuple[int, int], picture: Path) -> str | None:
    """Return what is wrong with a mask of this (width, height) for a picture, None if it fits; reads headers only."""
    width, height = picture_sizes([picture])[0].tolist()
    if (width, height) == mask_size:
        return None
    return f"the mask is {mask_size[0]} x {mask_size[1]} (width x height), its picture {width} x {height}: {picture}"


def read_unusable(path: Path) -> frozenset[str]:
    """Read a list of picture keys, one per line without a header, in any of the authors' spellings.

    "255_C_cropped_rgb064", "255_C_cropped_rgb064.jpg" and "255/C_cropped_rgb064.jpg" name the same picture. Lists may
    name pictures of other splits, so look up training keys only.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the list of pictures cannot be read ({error})") from error
    return frozenset(_key(line.strip()) for line in lines if line.strip())


def missing_masks(paths: Collection[Path]) -> list[Path]:
    """Return those of the paths that do not exist, sorted."""
    return sorted(path for path in paths if not path.is_file())


def mask_path(folder: Path, picture: Path, root: Path) -> Path:
    """Return the path of a picture's mask: <folder>/<path relative to the data set's root>.png."""
    return folder / picture.relative_to(root).with_suffix(".png")


def _mask_problem(pair: tuple[Path, Path]) -> str | None:
    picture, mask = pair
    if not mask.is_file():
        return "there is no such file"
    try:
        with Image.open(mask) as image:
            return _no_labels(image) or size_problem(image.size, picture)
    except UNREADABLE as error:
        return f"the mask cannot be read ({error})"
    except DataError as error:  # the picture cannot be read
        return str(error)


def _no_labels(image: Image.Image) -> str | None:
    """Return why the pixels of an image are not labels, None if they are."""
    if image.format != "PNG":
        return f"a mask is a palette PNG whose pixels are labels; this one is {image.format}, which changes them"
    if image.mode in ("P", "L", "1") or image.mode.startswith("I"):
        return None
    return (
        f"a mask is a palette PNG (mode P) whose pixels are labels; this one has mode {image.mode}, whose pixels are "
        "colours"
    )


def _key(line: str) -> str:
    name = PurePosixPath(line.replace("\\", "/"))
    stem = name.stem if name.suffix.lower() in (".jpg", ".jpeg", ".png") else name.name
    folder = name.parent.name
    if folder in TEST_FOLDERS:  # training pictures can have the same names
        return f"{folder}/{stem}"
    return f"{folder}_{stem}" if folder.isdecimal() else stem


def _shows(mask: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """Return where a mask has one of these labels: uint8 [H, W] of 0 and 1."""
    table = np.zeros(256, np.uint8)
    table[list(labels)] = 1
    return cv2.LUT(mask, table)


def _enough(where: np.ndarray) -> bool:
    return cv2.countNonZero(where) / where.size >= USABLE_SHARE


def _paint(picture: np.ndarray, where: np.ndarray, levels: np.ndarray) -> None:
    """Change the grey levels of a region in place; only the region's bounding box is looked up."""
    left, top, width, height = cv2.boundingRect(where)
    if width:
        box = picture[top : top + height, left : left + width]
        cv2.copyTo(cv2.LUT(box, levels), where[top : top + height, left : left + width], box)


@cache
def _levels(colours: int, colour: int) -> np.ndarray:
    """Return the look-up table that mixes each grey level with a colour of a palette: uint8 [1, 256, 3]."""
    mixed = (1 - COLOUR_WEIGHT) * np.arange(256)[:, None] + COLOUR_WEIGHT * palette(colours)[colour].astype(np.float64)
    levels = np.rint(mixed).astype(np.uint8)[None]
    levels.flags.writeable = False  # the cached table is shared by all pictures
    return levels
