"""Masks of human parsers as files: palette PNGs whose numbers are labels and whose colours are for the eye only."""

from pathlib import Path

import numpy as np
from PIL import Image


def label_palette() -> list[int]:
    """The 256 x 3 colours of an SCHP mask: the bits of the label, dealt out to red, green and blue."""
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
    """A label picture uint8 [H, W] as a palette PNG, the form that SCHP writes."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)  # turns it into mode P
    image.save(path, compress_level=3)
