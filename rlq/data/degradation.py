"""Degrade uint8 pictures [H, W, 3] at their native size by pixelation, Gaussian (out-of-focus) blur or motion blur.

As in the released code of RLQ (arXiv 2505.12580); the text of the paper gives slightly different ranges. All ranges are
inclusive integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image

from rlq.core.errors import SettingsError

Kind = Literal["pixelation", "motion", "gaussian"]
KINDS: tuple[Kind, ...] = ("pixelation", "motion", "gaussian")  # in this order a uniform number selects one

MIXES: dict[str, dict[Kind, float]] = {
    "prcc": {"pixelation": 0.5, "motion": 0.0, "gaussian": 0.5},
    "deepchange": {"pixelation": 0.5, "motion": 0.0, "gaussian": 0.5},
    "ltcc": {"pixelation": 0.33, "motion": 0.30, "gaussian": 0.37},
    "last": {"pixelation": 0.33, "motion": 0.30, "gaussian": 0.37},
    "pixelation_motion": {"pixelation": 0.5, "motion": 0.5, "gaussian": 0.0},  # for no particular data set
}


@dataclass(frozen=True, slots=True)
class Degradation:
    """One degradation with its parameters; those of other kinds stay 0."""

    kind: Kind
    size: int  # pixelation: shorter side in pixels; blurs: side of the kernel
    sigma: float = 0.0  # gaussian only, in pixels
    angle: int = 0  # motion only, in degrees


@dataclass(frozen=True)
class DegradationRanges:
    """The ranges that degradations are drawn from.

    `gaussian_sigma` "from_kernel" derives the strength from the kernel size, as OpenCV does.
    """

    pixelation: tuple[int, int] = (16, 63)
    gaussian_kernel: tuple[int, int] = (5, 21)  # odd sizes only
    gaussian_sigma: tuple[float, float] | Literal["from_kernel"] = (0.1, 2.0)
    motion_kernel: tuple[int, int] = (8, 19)
    mix: Mapping[Kind, float] = field(default_factory=lambda: dict(MIXES["prcc"]))

    def __post_init__(self) -> None:
        unknown = sorted(set(self.mix) - set(KINDS))
        total = sum(self.mix.values())
        if unknown or min(self.mix.values(), default=0) < 0 or abs(total - 1) > 1e-6:
            raise SettingsError(
                f"a mix of degradations gives shares of {', '.join(KINDS)} that add up to 1; found {dict(self.mix)}"
            )
        if not odd_sizes(self.gaussian_kernel):
            raise SettingsError(f"gaussian_kernel = {list(self.gaussian_kernel)} holds no odd number")


class Degrading(NamedTuple):
    """Which of a list of pictures are degraded, and how: equal seeds and places give equal degradations."""

    ranges: DegradationRanges
    seed: int = 0
    places: range | None = None  # in the list of samples; None: all


Severity = Literal[1, 2, 3, 4, 5]
SEVERITIES: tuple[Severity, ...] = (1, 2, 3, 4, 5)  # of one degradation, mild to strong


def only(ranges: DegradationRanges, kind: Kind) -> DegradationRanges:
    """Return the same ranges restricted to one kind."""
    return replace(ranges, mix={kind: 1.0})


def at_severity(ranges: DegradationRanges, kind: Kind, level: int) -> DegradationRanges:
    """Return ranges of one kind and one strength: level 1 is the mild end of the kind's range, 5 the strong end.

    The levels divide the range into equal steps. Fewer pixels are a stronger pixelation; a Gaussian's sigma steps with
    its kernel. The size of motion blur is fixed, its direction is still drawn. Raises SettingsError for another level.
    """
    if level not in SEVERITIES:
        raise SettingsError(f"severity {level} is none of {SEVERITIES[0]} (mild) to {SEVERITIES[-1]} (strong)")
    share = (level - SEVERITIES[0]) / (SEVERITIES[-1] - SEVERITIES[0])
    alone = only(ranges, kind)
    if kind == "pixelation":
        fewest, most = ranges.pixelation
        return replace(alone, pixelation=_both(_step(range(most, fewest - 1, -1), share)))
    if kind == "motion":
        shortest, longest = ranges.motion_kernel
        return replace(alone, motion_kernel=_both(_step(range(shortest, longest + 1), share)))
    alone = replace(alone, gaussian_kernel=_both(_step(odd_sizes(ranges.gaussian_kernel), share)))
    if ranges.gaussian_sigma == "from_kernel":
        return alone
    low, high = ranges.gaussian_sigma
    return replace(alone, gaussian_sigma=_both(low + share * (high - low)))


def draw_degradation(rng: np.random.Generator, ranges: DegradationRanges) -> Degradation:
    """Draw a kind by the mix, then its parameters uniformly."""
    kind = _draw_kind(rng.random(), ranges.mix)
    if kind == "pixelation":
        return Degradation(kind, _integer(rng, ranges.pixelation))
    if kind == "motion":
        return Degradation(kind, _integer(rng, ranges.motion_kernel), angle=int(rng.integers(180)))
    kernel = int(rng.choice(odd_sizes(ranges.gaussian_kernel)))
    if ranges.gaussian_sigma == "from_kernel":
        return Degradation(kind, kernel, sigma=sigma_from_kernel(kernel))
    return Degradation(kind, kernel, sigma=float(rng.uniform(*ranges.gaussian_sigma)))


def degrade(picture: np.ndarray, degradation: Degradation) -> np.ndarray:
    """Apply a degradation. Blurs keep the size; pixelation returns the small picture, which the caller resizes."""
    if degradation.kind == "pixelation":
        return pixelate(picture, degradation.size)
    if degradation.kind == "motion":
        return motion_blur(picture, degradation.size, degradation.angle)
    return gaussian_blur(picture, degradation.size, degradation.sigma)


def changes(picture: np.ndarray, degradation: Degradation) -> bool:
    """Return whether a degradation changes a picture; pixelation leaves pictures of its size or smaller as they are."""
    return degradation.kind != "pixelation" or min(picture.shape[:2]) > degradation.size


def pixelate(picture: np.ndarray, shorter_side: int) -> np.ndarray:
    """Shrink to this shorter side by Pillow's default filter (bicubic), keeping the aspect; never enlarge."""
    height, width = picture.shape[:2]
    short, long = min(height, width), max(height, width)
    if short <= shorter_side:
        return picture
    other = int(shorter_side * long / short)
    size = (shorter_side, other) if width <= height else (other, shorter_side)
    return np.array(Image.fromarray(picture).resize(size))


def gaussian_blur(picture: np.ndarray, kernel: int, sigma: float) -> np.ndarray:
    """Blur with a normalised Gaussian sampled at the kernel's pixels; borders are reflected without the edge pixel."""
    offsets = np.arange(kernel) - (kernel - 1) / 2
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    blurred = cv2.sepFilter2D(picture.astype(np.float32), -1, weights, weights, borderType=cv2.BORDER_REFLECT_101)
    return cv2.convertScaleAbs(blurred)  # rounds half to even and clips, in one pass


def motion_blur(picture: np.ndarray, size: int, angle: int) -> np.ndarray:
    """Average along a line of `size` pixels, rotated by `angle` degrees.

    OpenCV sums kernels of up to 11 x 11 directly and uses the Fourier transform for larger ones, whose rounding decides
    ties. Adding shifted pictures would be 2 to 4 times as fast for the larger ones, but would change the grey level of
    one byte in a thousand (`rlq bench artefacts`).
    """
    return cv2.filter2D(picture, -1, motion_kernel(size, angle))


def motion_kernel(size: int, angle: int) -> np.ndarray:
    """Return a row of ones rotated about the kernel's centre and scaled to sum 1: float32 [size, size]."""
    line = np.zeros((size, size), np.float32)
    line[(size - 1) // 2] = 1
    centre = (size - 1) / 2
    turn = cv2.getRotationMatrix2D((centre, centre), angle, 1.0)
    turned = cv2.warpAffine(line, turn, (size, size), flags=cv2.INTER_LINEAR)
    return turned * (1 / turned.sum())  # a division would round differently, sometimes by one grey level


def sigma_from_kernel(kernel: int) -> float:
    """Return OpenCV's standard deviation for a Gaussian kernel of this size."""
    return 0.3 * ((kernel - 1) / 2 - 1) + 0.8


def odd_sizes(ends: tuple[int, int]) -> range:
    """Return the odd numbers of an inclusive range."""
    return range(ends[0] | 1, ends[1] + 1, 2)


def _draw_kind(uniform: float, mix: Mapping[Kind, float]) -> Kind:
    below = 0.0
    drawable = [kind for kind in KINDS if mix.get(kind, 0) > 0]
    for kind in drawable[:-1]:
        below += mix[kind]
        if uniform < below:
            return kind
    return drawable[-1]  # the last kind takes the rest, so that rounding of the shares leaves no gap


def _step(sizes: range, share: float) -> int:
    return sizes[round(share * (len(sizes) - 1))]


def _both(end: Any) -> tuple[Any, Any]:
    """Return a range of one value."""
    return end, end


def _integer(rng: np.random.Generator, ends: tuple[int, int]) -> int:
    return int(rng.integers(ends[0], ends[1], endpoint=True))
