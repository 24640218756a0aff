"""Parsing masks as files: palette PNGs whose pixels are labels; the colours only make them easier to look at."""

from pathlib import Path

import numpy as np
from PIL import Image


def label_palette() -> list[int]:
    """Return the 256 x 3 colours of an SCHP mask: the bits of a label are distributed over red, green and blue."""
    palette = []
    for label in range(256):
        colour, rest = [0, 0, 0], label
        for bit in range(8):
            for channel in range(3):
                colour[channel] |= ((rest >> channel) & 1) << (7 - bit)
            rest >>= 3
        palette += colour
    return palette


PALETTE = label_palette()


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write labels uint8 [H, W] as a palette PNG, as SCHP does."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)  # changes the mode to P
    image.save(path, compress_level=3)
