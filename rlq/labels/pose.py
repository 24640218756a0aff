"""Turn the keypoints of a pose detector into vectors that describe a pose.

Keypoints are the 17 of COCO: 0 nose, 1-2 eyes, 3-4 ears, 5-6 shoulders, 7-8 elbows, 9-10 wrists, 11-12 hips,
13-14 knees, 15-16 ankles; left before right.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, get_args

import numpy as np

from rlq.core.errors import DataError
from rlq.data.records import Record
from rlq.labels.pose_format import JOINTS

LINES = (
    *((0, 1), (0, 2), (1, 3), (2, 4)),  # face
    *((5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),  # shoulders and arms
    *((11, 13), (12, 14), (13, 15), (14, 16)),  # legs
)
SCALED_SIZE = (192, 384)  # width, height that all poses are scaled to
MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)

Variant = Literal[
    "lengths_angles",
    "lengths_angles_coordinates",
    "angles",
    "normalised_lengths_angles",
    "normalised_lengths_angles_coordinates",
    "normalised_angles",
]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


class Matched(NamedTuple):
    """Keypoints in the order of some records."""

    keypoints: np.ndarray  # [N, 17, 3] float64, zeros where no person was found
    found: np.ndarray  # [N] bool


def pose_vector(
    keypoints: np.ndarray, size: tuple[int, int] | np.ndarray, variant: Variant = "lengths_angles"
) -> np.ndarray:
    """Measure lengths (pixels) and angles (degrees) of 13 body lines, in a picture scaled to 192 x 384.

    keypoints [..., 17, 2 or more] in pixels, size (width, height) [..., 2] -> float64 [..., 26].
    As in the released code of RLQ, coordinates are truncated to integers before and after scaling, and confidences are
    not used. Variants: with 34 coordinates (60 numbers), angles only (13), and each of these measured on coordinates
    divided by the scaled picture's width and height.
    """
    if variant not in VARIANTS:
        raise ValueError(f"unknown pose vector {variant!r}; known: {', '.join(VARIANTS)}")
    points = scaled(keypoints, size)  # [..., 17, 2]
    if variant.startswith("normalised"):
        points = points / SCALED_SIZE
    first, second = np.array(LINES).T
    along = points[..., first, :] - points[..., second, :]  # [..., 13, 2]
    angles = np.degrees(np.arctan2(along[..., 1], along[..., 0]))  # [..., 13]
    if variant.endswith("lengths_angles"):
        return np.concatenate([np.hypot(along[..., 0], along[..., 1]), angles], axis=-1)
    if variant.endswith("coordinates"):
        lengths = np.hypot(along[..., 0], along[..., 1])
        return np.concatenate([lengths, angles, points.reshape(*points.shape[:-2], 2 * JOINTS)], axis=-1)
    return angles


def scaled(keypoints: np.ndarray, size: tuple[int, int] | np.ndarray) -> np.ndarray:
    """Scale keypoints of a picture of this (width, height) to whole pixels of 192 x 384: float64 [..., 17, 2]."""
    keypoints = np.asarray(keypoints, np.float64)
    if keypoints.shape[-2] != JOINTS or keypoints.shape[-1] < 2:
        raise ValueError(f"keypoints have shape {list(keypoints.shape)}; wanted [..., {JOINTS}, 2 or 3]")
    factor = np.array(SCALED_SIZE) / np.asarray(size, np.float64)  # [..., 2]
    return np.trunc(np.trunc(keypoints[..., :2]) * factor[..., None, :])


def mirrored(keypoints: np.ndarray, size: tuple[int, int] | np.ndarray) -> np.ndarray:
    """Return the keypoints of the mirrored picture, left and right exchanged: [..., 17, 2 or 3] -> the same shape."""
    flipped = np.array(keypoints, np.float64)[..., MIRRORED, :]
    width = np.asarray(size, np.float64)[..., 0]
    flipped[..., 0] = width[..., None] - 1 - flipped[..., 0]
    return flipped


def match(keypoints: Mapping[str, np.ndarray], records: Sequence[Record], root: Path) -> Matched:
    """Find the keypoints of each record by `match_names`; in a record without a name, no person was found."""
    joints, found = np.zeros((len(records), JOINTS, 3)), np.zeros(len(records), bool)
    for index, name in enumerate(match_names(keypoints, records, root)):
        if name is not None:
            joints[index], found[index] = keypoints[name], True
    return Matched(joints, found)


def match_names(names: Iterable[str], records: Sequence[Record], root: Path) -> list[str | None]:
    """Return the name of each record among `names`, None for a record without one: [N].

    It is the record's path relative to `root`, otherwise the name that agrees with the path in the most parts, where
    one is an ending of the other; the picture's suffix (.jpg) may be missing. Pass all records that the names may refer
    to, because a name that fits two of them is refused.
    """
    paths = [record.path.relative_to(root).parts for record in records]
    parts_of = {name: _relative(name, root).parts for name in sorted(names)}
    index_of = {path: index for index, path in enumerate(paths)}
    matches: list[str | None] = [None] * len(records)
    by_last: dict[str, list[str]] = {}
    for name, parts in parts_of.items():
        if parts in index_of:
            matches[index_of[parts]] = name  # a whole path fits no other record
        elif parts:
            by_last.setdefault(parts[-1], []).append(name)
    fits: dict[str, int] = {}  # name -> number of pictures that it fits
    for index, path in enumerate(paths):
        candidates = [name for last in (path[-1], PurePosixPath(path[-1]).stem) for name in by_last.get(last, ())]
        agreement = {name: _agreement(path, parts_of[name]) for name in candidates}
        fitting = [name for name in agreement if agreement[name]]
        fits.update((name, fits.get(name, 0) + 1) for name in fitting)
        if fitting and matches[index] is None:
            best, *others = sorted(fitting, key=lambda name: -agreement[name])
            matches[index] = best
            if others and agreement[others[0]] == agreement[best]:
                raise DataError(
                    f"{best!r} and {others[0]!r} of the keypoints both fit {'/'.join(path)} below {root}; name "
                    "pictures by their path relative to that folder, each once"
                )
    ambiguous = sorted({name for name in matches if name is not None and fits.get(name, 1) > 1})
    if ambiguous:
        example = "/".join(paths[matches.index(ambiguous[0])])
        raise DataError(
            f"{len(ambiguous)} picture names of the keypoints fit several pictures below {root}, such as "
            f"{ambiguous[:3]}; name pictures by their path relative to that folder, as in {example}"
        )
    if parts_of and not any(matches):
        example = f"; its pictures are named like {'/'.join(paths[0])}" if paths else ""
        raise DataError(
            f"none of the {len(parts_of)} pictures with keypoints, such as {next(iter(parts_of))!r}, is in "
            f"{root}{example}: are the keypoints those of another data set?"
        )
    return matches


def picture_name(record: Record, root: Path) -> str:
    """Return a picture's path relative to its data set, which is how keypoint files name it."""
    return record.path.relative_to(root).as_posix()


def _relative(name: str, root: Path) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/").removeprefix(f"{root.as_posix()}/"))


def _agreement(path: tuple[str, ...], parts: tuple[str, ...]) -> float:
    """Return in how many parts a name agrees with a relative path, 0.5 less without .jpg; 0 if it does not fit."""
    common = min(len(parts), len(path))
    if parts[-common:-1] != path[-common:-1]:
        return 0
    if parts[-1] == path[-1]:
        return common
    return common - 0.5 if parts[-1] == PurePosixPath(path[-1]).stem else 0
