"""From the keypoints of a pose detector to vectors that say how a body is posed.

Keypoints are the 17 of COCO: 0 nose, 1-2 eyes, 3-4 ears, 5-6 shoulders, 7-8 elbows, 9-10 wrists, 11-12 hips,
13-14 knees, 15-16 ankles; left before right.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, get_args

import numpy as np

from rlq.data.records import Record
from rlq.errors import DataError

JOINTS = 17
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

    keypoints: np.ndarray  # [N, 17, 3] float64, zeros where nobody was found
    found: np.ndarray  # [N] bool


def pose_vector(
    keypoints: np.ndarray, size: tuple[int, int] | np.ndarray, variant: Variant = "lengths_angles"
) -> np.ndarray:
    """Lengths (pixels) and angles (degrees) of 13 body lines, in a picture scaled to 192 x 384.

    keypoints [..., 17, 2 or more] in pixels, size (width, height) [..., 2] -> float64 [..., 26].
    As the released code of RLQ: coordinates are cut to integers before and after scaling, confidences play no part.
    Variants: 34 coordinates added (60 numbers), angles alone (13), and each with coordinates divided by the scaled
    picture's width and height before anything is measured.
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
    """Keypoints of a picture of this (width, height), in whole pixels of a 192 x 384 one: float64 [..., 17, 2]."""
    keypoints = np.asarray(keypoints, np.float64)
    if keypoints.shape[-2] != JOINTS or keypoints.shape[-1] < 2:
        raise ValueError(f"keypoints have shape {list(keypoints.shape)}; wanted [..., {JOINTS}, 2 or 3]")
    factor = np.array(SCALED_SIZE) / np.asarray(size, np.float64)  # [..., 2]
    return np.trunc(np.trunc(keypoints[..., :2]) * factor[..., None, :])


def mirrored(keypoints: np.ndarray, size: tuple[int, int] | np.ndarray) -> np.ndarray:
    """The keypoints of the mirrored picture: left and right exchanged. keypoints [..., 17, 2 or 3] -> the same."""
    flipped = np.array(keypoints, np.float64)[..., MIRRORED, :]
    width = np.asarray(size, np.float64)[..., 0]
    flipped[..., 0] = width[..., None] - 1 - flipped[..., 0]
    return flipped


def match(keypoints: Mapping[str, np.ndarray], records: Sequence[Record], root: Path) -> Matched:
    """Find the keypoints of each record: by its path relative to `root`, else by an ending of it that is unambiguous.

    A record whose name the file does not have is one in which nobody was found. Pass all records that the file may
    speak of, because a bare name that fits two of them is refused.
    """
    by_name: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for image_id in keypoints:
        parts = PurePosixPath(image_id.replace("\\", "/")).parts
        if parts:
            by_name.setdefault(parts[-1], []).append((parts, image_id))
    claims: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        image_id = _best_name(record.path.relative_to(root).parts, by_name.get(record.path.name, []))
        if image_id is not None:
            claims.setdefault(image_id, []).append(index)
    ambiguous = sorted(image_id for image_id, indices in claims.items() if len(indices) > 1)
    if ambiguous:
        raise DataError(
            f"{len(ambiguous)} picture names of the keypoints fit several pictures below {root}, such as "
            f"{ambiguous[:3]}; name pictures by their path relative to that folder"
        )
    if keypoints and not claims:
        raise DataError(
            f"none of the {len(keypoints)} pictures with keypoints, such as {min(keypoints)!r}, is in {root}"
        )
    joints, found = np.zeros((len(records), JOINTS, 3)), np.zeros(len(records), bool)
    for image_id, (index,) in claims.items():
        joints[index], found[index] = keypoints[image_id], True
    return Matched(joints, found)


def _best_name(path: tuple[str, ...], candidates: list[tuple[tuple[str, ...], str]]) -> str | None:
    """The name that agrees with a relative path in the most parts; one must be an ending of the other."""
    fitting = []
    for parts, image_id in candidates:
        common = min(len(parts), len(path))
        if parts[-common:] == path[-common:]:
            fitting.append((common, -len(parts), image_id))
    return max(fitting)[2] if fitting else None
