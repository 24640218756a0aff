"""The matrix product of queries and gallery alone, by every library that is available."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

Array = NDArray[np.float32]
Product = Callable[[slice], Array]
GEMMS = ("torch.mm", "NumPy", "oneDNN linear", "oneDNN 1x1 convolution")
OWN_GEMM = {"NumPy": "NumPy", "oneDNN": "oneDNN linear"}  # the library that our scores use -> its product alone


def products(queries: Array, gallery: Array, step: int) -> dict[str, Product]:
    """Return by library a function of rows that multiplies these queries with the gallery: [q, G].

    queries [Q, D], gallery [G, D]; a block has at most `step` queries and may be overwritten by the next one.
    """
    q, g = torch.from_numpy(queries), torch.from_numpy(gallery)
    out = np.empty((min(step, len(queries)), len(gallery)), np.float32)

    def by_numpy(rows: slice) -> Array:
        return np.matmul(queries[rows], gallery.T, out=out[: rows.stop - rows.start])

    def by_torch(rows: slice) -> Array:
        return torch.mm(q[rows], g.T, out=torch.from_numpy(out[: rows.stop - rows.start])).numpy()

    if not torch.backends.mkldnn.is_available():
        return {"torch.mm": by_torch, "NumPy": by_numpy}
    packed = g.to_mkldnn()  # a copy of the gallery, which our scores do not need
    weights = g[:, :, None, None]  # [G, D, 1, 1]

    def linear(rows: slice) -> Array:
        with torch.inference_mode():
            return F.linear(q[rows].to_mkldnn(), packed).to_dense().numpy()

    def convolution(rows: slice) -> Array:
        with torch.inference_mode():
            return F.conv2d(q[rows].T[None, :, :, None], weights)[0, :, :, 0].T.numpy()

    return dict(zip(GEMMS, (by_torch, by_numpy, linear, convolution), strict=True))


def blocks_of(queries: int, step: int) -> list[slice]:
    """Return slices of at most `step` queries that cover all."""
    return [slice(start, min(start + step, queries)) for start in range(0, queries, step)]
