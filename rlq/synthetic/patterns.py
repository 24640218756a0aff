"""Patterns of cloth: stripes, bars, checks, dots, a print on the chest, two tones."""

from math import cos, radians, sin

import numpy as np

from rlq.synthetic.canvas import Part
from rlq.synthetic.wardrobe import Garment


def mark_pattern(
    parts: np.ndarray,
    garment: Garment,
    pair: tuple[Part, Part],
    trunk: tuple[np.ndarray, np.ndarray],
    unit: float,
    yaw: float,
) -> None:
    """Replace the first part of a pair by the second, in place, where the garment's pattern has its second colour.

    parts [H, W]; trunk: chest and pelvis in pixels, with which the pattern moves; unit: pixels per stature.
    """
    if garment.pattern == "plain":
        return
    first, second = pair
    chest, pelvis = trunk
    rows = np.arange(parts.shape[0], dtype=np.float32)[:, None] - chest[1]
    columns = np.arange(parts.shape[1], dtype=np.float32)[None, :] - chest[0]
    period, long = garment.period * unit, pelvis[1] - chest[1]
    match garment.pattern:
        case "stripes":
            marked = (rows // period) % 2 < 1
        case "bars":
            marked = (columns // period) % 2 < 1
        case "checks":
            marked = (rows // period + columns // period) % 2 < 1
        case "dots":
            marked = (rows % period - period / 2) ** 2 + (columns % period - period / 2) ** 2 < (0.3 * period) ** 2
        case "two_tone":
            marked = rows > (0.5 * long if first == Part.UPPER else 0.45 * unit)
        case "print":  # in the middle of the front, so it is not visible from behind
            aside, wide = sin(radians(yaw)) * 0.1 * unit, max(0.02, cos(radians(yaw))) * period * 1.3
            marked = ((columns - aside) / wide) ** 2 + ((rows - 0.35 * long) / (period * 1.3)) ** 2 < 1
        case other:
            raise ValueError(f"{other!r} is not a pattern")
    parts[(parts == first) & marked] = second
