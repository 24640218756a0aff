"""The artefacts: each beside the plain form of it, whether they agree, and what other forms of motion blur would bring.

One process with one thread, in which all variants take turns.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import torch

from rlq.bench.findings import Cell, Findings, Goal, Table
from rlq.bench.measuring import Options, Times, in_fresh_process, take_turns
from rlq.bench.pictures import make_picture
from rlq.bench.plain_pipeline import spoil
from rlq.data.degradation import Degradation, degrade, motion_kernel

FORMS = ((384, 192), (128, 64))
DRAWN = (  # small, middle and large of each kind's range in the recipe
    *(Degradation("pixelation", size) for size in (16, 40, 63)),
    *(Degradation("gaussian", size, sigma=sigma) for size, sigma in ((5, 0.5), (13, 1.2), (21, 2.0))),
    *(Degradation("motion", size, angle=angle) for size, angle in ((8, 30), (11, 75), (12, 0), (15, 137), (19, 30))),
)
MOTION_SIZES, MOTION_ANGLES = range(8, 21), range(0, 180, 5)
LARGEST_DIRECT = 11  # side of the largest kernel that OpenCV does not take through the Fourier transform


class Measured(NamedTuple):
    """One size of pictures."""

    times: dict[Degradation, dict[str, Times]]  # own and plain
    pictures: int  # that each of the times is of
    differing: dict[Degradation, int]  # bytes in which own and plain differ
    forms: dict[int, dict[str, Times]]  # of motion blur, by size of the kernel
    forms_differ: dict[str, int]  # bytes per million in which a form differs from filter2D, over the whole range


def bench(options: Options) -> Findings:
    """Both sizes of pictures."""
    count = 4 if options.quick else 24
    found = {form: in_fresh_process(measure, form, count, options.rounds) for form in FORMS}
    motion = [
        times["own"].over(times["plain"])
        for m in found.values()
        for one, times in m.times.items()
        if one.kind == "motion"
    ]
    differing = sum(sum(n for one, n in m.differing.items() if one.kind != "pixelation") for m in found.values())
    goals = [
        Goal("motion blur: bytes unlike cv2.filter2D, and Gaussian unlike its plain form", "<=", 0, float(differing)),
        Goal("motion blur: own time / cv2.filter2D, median", "<=", 1.1, float(np.median(motion))),
    ]
    note = (
        "What the artefacts add to the loader is in `rlq bench data`. Motion blur stays OpenCV's filter2D: up to "
        f"{LARGEST_DIRECT} x {LARGEST_DIRECT} it sums over the pixels of the kernel that are not zero already, and "
        "beyond that it goes through the Fourier transform, whose rounding decides about means that lie half way "
        "between two grey levels; the sparse forms are faster there, but other bytes than the recipe's."
    )
    return Findings([_own_table(found), *(_forms_table(form, m) for form, m in found.items())], goals, [note])


def measure(form: tuple[int, int], count: int, rounds: int) -> Measured:
    """One size of pictures, on one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    pictures = [make_picture(form, number) for number in range(count)]
    times, differing = {}, {}
    for artefact in DRAWN:
        variants = {
            "own": partial(_all, pictures, partial(degrade, degradation=artefact)),
            "plain": partial(_all, pictures, partial(spoil, artefact=artefact)),
        }
        times[artefact] = take_turns(variants, rounds=rounds)
        differing[artefact] = _differing(degrade(pictures[0], artefact), spoil(pictures[0], artefact))
    forms = {}
    for size in (8, 11, 12, 15, 19):
        kernels = [motion_kernel(size, angle) for angle in range(10, 180, 40)]
        forms[size] = take_turns(
            {name: partial(_all_kernels, pictures[:2], kernels, form_) for name, form_ in FORMS_OF_MOTION.items()},
            rounds=rounds,
        )
    return Measured(times, count, differing, forms, _forms_differ(pictures[0]))


def tight_filter(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """filter2D with the part of a kernel that is not zero, its centre where it was."""
    rows, columns = np.nonzero(kernel)
    centre = kernel.shape[0] // 2
    top, left = min(rows.min(), centre), min(columns.min(), centre)
    bottom, right = max(rows.max(), centre) + 1, max(columns.max(), centre) + 1
    part = np.ascontiguousarray(kernel[top:bottom, left:right])
    return cv2.filter2D(picture, -1, part, anchor=(int(centre - left), int(centre - top)))


def shift_and_add(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The sum of shifted pictures, one for each pixel of the kernel that is not zero."""
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


FORMS_OF_MOTION: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "filter2D": _filter2d,
    "filter2D, tight kernel": tight_filter,
    "shift and add": shift_and_add,
}


def _all(pictures: list[np.ndarray], function: Callable[[np.ndarray], np.ndarray]) -> None:
    for picture in pictures:
        function(picture)


def _all_kernels(
    pictures: list[np.ndarray], kernels: list[np.ndarray], form: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    for kernel in kernels:
        for picture in pictures:
            form(picture, kernel)


def _differing(one: np.ndarray, other: np.ndarray) -> int:
    return int((one != other).sum()) if one.shape == other.shape else max(one.size, other.size)


def _forms_differ(picture: np.ndarray) -> dict[str, int]:
    """Bytes per million that are not those of filter2D, over all kernels of the recipe in steps of 5 degrees."""
    found, total = dict.fromkeys(FORMS_OF_MOTION, 0), 0
    for size in MOTION_SIZES:
        for angle in MOTION_ANGLES:
            kernel = motion_kernel(size, angle)
            wanted = _filter2d(picture, kernel)
            total += wanted.size
            for name, form in FORMS_OF_MOTION.items():
                found[name] += _differing(form(picture, kernel), wanted)
    return {name: round(differ / total * 1e6) for name, differ in found.items()}


def _own_table(found: dict[tuple[int, int], Measured]) -> Table:
    rows = []
    for artefact in DRAWN:
        row: list[str | float | int] = [f"{artefact.kind} {artefact.size}" + _detail(artefact)]
        for m in found.values():
            times = m.times[artefact]
            row += [
                m.pictures / times["own"].median,
                m.pictures / times["plain"].median,
                times["plain"].over(times["own"]),
                m.differing[artefact],
            ]
        rows.append(row)
    columns = ["artefact"]
    for height, width in found:
        columns += [f"{height}x{width}: own", "plain", "plain / own, time", "bytes that differ"]
    return Table(
        "Artefacts, one thread, pictures/s",
        columns,
        rows,
        "Plain: Pillow's resize; OpenCV's sepFilter2D with its own kernel, rounded and clipped by NumPy; filter2D.",
    )


def _detail(artefact: Degradation) -> str:
    return {"gaussian": f", sigma {artefact.sigma}", "motion": f", {artefact.angle} degrees"}.get(artefact.kind, "")


def _forms_table(form: tuple[int, int], m: Measured) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, *(times[name].over(times["filter2D"]) for times in m.forms.values()), m.forms_differ[name])
        for name in FORMS_OF_MOTION
    ]
    return Table(
        f"Forms of motion blur at {form[0]}x{form[1]}, time over that of filter2D, by size of the kernel",
        ("form", *(f"{size} x {size}" for size in m.forms), "bytes per million that differ"),
        rows,
    )
