"""Sheets of pictures with captions, as matplotlib figures that the caller saves or logs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # [H, W, 3] RGB


def picture_grid(rows: Sequence[Sequence[Picture]], captions: Sequence[Sequence[str]]) -> Figure:
    """Draw pictures in rows, which may differ in length, each under its caption."""
    if [len(row) for row in rows] != [len(row) for row in captions]:
        raise ValueError(f"pictures per row {[len(r) for r in rows]}, captions per row {[len(r) for r in captions]}")
    columns = max(1, max((len(row) for row in rows), default=0))
    figure = Figure(figsize=(1.1 * columns, 2.3 * max(1, len(rows))), layout="constrained")
    grid = figure.subplots(max(1, len(rows)), columns, squeeze=False)
    for row, cells in enumerate(grid):
        for column, axes in enumerate(cells):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if row < len(rows) and column < len(rows[row]):
                axes.imshow(rows[row][column])
                axes.set_title(captions[row][column], fontsize=7)
    return figure
