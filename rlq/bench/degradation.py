"""The degradations: speed beside their plain forms, agreement with them, and other forms of motion blur.

All variants take turns in one process with one thread.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import torch

from rlq.bench.measurement import Options, Times, in_fresh_process, take_turns
from rlq.bench.pictures import make_picture
from rlq.bench.plain_pipeline import plain_degrade
from rlq.bench.results import Cell, Goal, Results, Table
from rlq.data.degradation import Degradation, degrade, motion_kernel

PICTURE_SIZES = ((384, 192), (128, 64))
DRAWN = (  # small, middle and large values of each kind's range in the recipe
    *(Degradation("pixelation", size) for size in (16, 40, 63)),
    *(Degradation("gaussian", size, sigma=sigma) for size, sigma in ((5, 0.5), (13, 1.2), (21, 2.0))),
    *(Degradation("motion", size, angle=angle) for size, angle in ((8, 30), (11, 75), (12, 0), (15, 137), (19, 30))),
)
MOTION_SIZES, MOTION_ANGLES = range(8, 21), range(0, 180, 5)
LARGEST_DIRECT = 11  # side of the largest kernel for which OpenCV does not use the Fourier transform


class Measured(NamedTuple):
    """One size of pictures."""

    times: dict[Degradation, dict[str, Times]]  # own and plain
    pictures: int  # number of pictures that each of the times is for
    differing: dict[Degradation, int]  # bytes in which own and plain differ
    forms: dict[int, dict[str, Times]]  # of motion blur, by size of the kernel
    forms_differ: dict[str, int]  # bytes per million in which a form differs from filter2D, over the whole range


def bench(options: Options) -> Results:
    """Time both sizes of pictures."""
    count = 4 if options.quick else 24
    measured = {size: in_fresh_process(measure, size, count, options.rounds) for size in PICTURE_SIZES}
    motion = [
        times["own"].ratio_to(times["plain"])
        for m in measured.values()
        for one, times in m.times.items()
        if one.kind == "motion"
    ]
    differing = sum(sum(n for one, n in m.differing.items() if one.kind != "pixelation") for m in measured.values())
    goals = [
        Goal("motion blur: bytes unlike cv2.filter2D, and Gaussian unlike its plain form", "<=", 0, float(differing)),
        Goal("motion blur: own time / cv2.filter2D, median", "<=", 1.1, float(np.median(motion))),
    ]
    note = (
        "`rlq bench data` has the share of the degradations in the loader's time. Motion blur uses OpenCV's filter2D. "
        f"Up to {LARGEST_DIRECT} x {LARGEST_DIRECT} it sums over the pixels of the kernel that are not zero. For "
        "larger kernels it uses the Fourier transform, whose rounding decides means half way between two grey levels. "
        "The sparse forms are faster there, but give other bytes than the recipe."
    )
    return Results([_own_table(measured), *(_forms_table(size, m) for size, m in measured.items())], goals, [note])


def measure(size: tuple[int, int], count: int, rounds: int) -> Measured:
    """Time one size of pictures on one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    pictures = [make_picture(size, number) for number in range(count)]
    times, differing = {}, {}
    for one in DRAWN:
        variants = {
            "own": partial(_degrade_all, pictures, degrade, one),
            "plain": partial(_degrade_all, pictures, plain_degrade, one),
        }
        times[one] = take_turns(variants, rounds=rounds)
        differing[one] = _differing(degrade(pictures[0], one), plain_degrade(pictures[0], one))
    forms = {}
    for side in (8, 11, 12, 15, 19):
        kernels = [motion_kernel(side, angle) for angle in range(10, 180, 40)]
        forms[side] = take_turns(
            {name: partial(_filter_all, pictures[:2], kernels, form) for name, form in MOTION_FORMS.items()},
            rounds=rounds,
        )
    return Measured(times, count, differing, forms, _forms_differ(pictures[0]))


def tight_filter(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Apply filter2D with the part of a kernel that is not zero, about the same centre."""
    rows, columns = np.nonzero(kernel)
    centre = kernel.shape[0] // 2
    top, left = min(rows.min(), centre), min(columns.min(), centre)
    bottom, right = max(rows.max(), centre) + 1, max(columns.max(), centre) + 1
    part = np.ascontiguousarray(kernel[top:bottom, left:right])
    return cv2.filter2D(picture, -1, part, anchor=(int(centre - left), int(centre - top)))


def shift_and_add(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the sum of shifted pictures, one for each pixel of the kernel that is not zero."""
    size, (height, width) = kernel.shape[0], picture.shape[:2]
    centre = size // 2
    after = size - 1 - centre
    padded = cv2.copyMakeBorder(picture, centre, after, centre, after, cv2.BORDER_REFLECT_101).astype(np.float32)
    total = np.zeros(picture.shape, np.float32)
    for row, column in zip(*np.nonzero(kernel), strict=True):
        total += padded[row : row + height, column : column + width] * kernel[row, column]
    return cv2.convertScaleAbs(total)


def _filter2d(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return cv2.filter2D(picture, -1, kernel)


MOTION_FORMS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "filter2D": _filter2d,
    "filter2D, tight kernel": tight_filter,
    "shift and add": shift_and_add,
}


def _degrade_all(
    pictures: list[np.ndarray], function: Callable[[np.ndarray, Degradation], np.ndarray], degradation: Degradation
) -> None:
    for picture in pictures:
        function(picture, degradation)


def _filter_all(
    pictures: list[np.ndarray], kernels: list[np.ndarray], form: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    for kernel in kernels:
        for picture in pictures:
            form(picture, kernel)


def _differing(one: np.ndarray, other: np.ndarray) -> int:
    """Return how many bytes differ; all of them when the sizes do."""
    return int((one != other).sum()) if one.shape == other.shape else max(one.size, other.size)


def _forms_differ(picture: np.ndarray) -> dict[str, int]:
    """Return by form the bytes per million that differ from filter2D, over all kernels, in steps of 5 degrees."""
    differing, total = dict.fromkeys(MOTION_FORMS, 0), 0
    for size in MOTION_SIZES:
        for angle in MOTION_ANGLES:
            kernel = motion_kernel(size, angle)
            exact = _filter2d(picture, kernel)
            total += exact.size
            for name, form in MOTION_FORMS.items():
                differing[name] += _differing(form(picture, kernel), exact)
    return {name: round(count / total * 1e6) for name, count in differing.items()}


def _own_table(measured: dict[tuple[int, int], Measured]) -> Table:
    rows = []
    for one in DRAWN:
        row: list[str | float | int] = [f"{one.kind} {one.size}" + _detail(one)]
        for m in measured.values():
            times = m.times[one]
            row += [
                m.pictures / times["own"].median,
                m.pictures / times["plain"].median,
                times["plain"].ratio_to(times["own"]),
                m.differing[one],
            ]
        rows.append(row)
    columns = ["artefact"]
    for height, width in measured:
        columns += [f"{height}x{width}: own", "plain", "plain / own, time", "bytes that differ"]
    return Table(
        "Artefacts, one thread, pictures/s",
        columns,
        rows,
        "Plain: Pillow's resize; OpenCV's sepFilter2D with its own kernel, rounded and clipped by NumPy; filter2D.",
    )


def _detail(one: Degradation) -> str:
    return {"gaussian": f", sigma {one.sigma}", "motion": f", {one.angle} degrees"}.get(one.kind, "")


def _forms_table(size: tuple[int, int], m: Measured) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, *(times[name].ratio_to(times["filter2D"]) for times in m.forms.values()), m.forms_differ[name])
        for name in MOTION_FORMS
    ]
    return Table(
        f"Forms of motion blur at {size[0]}x{size[1]}, time over that of filter2D, by size of the kernel",
        ("form", *(f"{side} x {side}" for side in m.forms), "bytes per million that differ"),
        rows,
    )
