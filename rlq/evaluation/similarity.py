"""Cosine scores in blocks of queries, for as many pictures as the features alone fit in memory."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlq.core.errors import DataError
from rlq.core.shapes import check_shapes
from rlq.evaluation.metrics import ScoreBlocks

if TYPE_CHECKING:
    import torch

ROWS = 1024  # gallery rows that are converted at a time
# Multiplications from which oneDNN's faster product repays the seconds that importing torch takes. The choice depends
# on the sizes and the processor only, never on a measurement: the last bits of a score must not vary between runs.
LARGE = 2.5e11

Features = Any  # NumPy array or torch tensor [N, D]
Product = Callable[[NDArray[np.float32], NDArray[np.float32]], None]


def cosine_scores(query_features: Features, gallery_features: Features, *, device: str | None = None) -> ScoreBlocks:
    """A function from a slice of queries to their cosines [q, G] with the whole gallery, float32, higher = more alike.

    Features [Q, D] and [G, D] of any length, NumPy arrays or torch tensors; a zero vector scores 0 with everybody.
    The block is overwritten by the next call. The gallery is never copied: its lengths divide the product instead.
    Gallery pictures with the same features score exactly the same, so that they tie wherever they stand.
    `device` names a GPU for the product, which then holds the gallery; tensors on a GPU are used where they are.
    """
    if device is None and getattr(gallery_features, "is_cuda", False):
        device = str(gallery_features.device)
    sizes = check_shapes(query_features=(query_features, "Q D"), gallery_features=(gallery_features, "G D"))
    query_lengths, gallery_lengths = lengths(query_features, "query"), lengths(gallery_features, "gallery")
    if device is not None and device.split(":")[0] != "cpu":
        product = _on_device(gallery_features, device)
    elif library_for(sizes["Q"], sizes["G"], sizes["D"]) == "oneDNN":
        product = _by_onednn(_array(gallery_features))
    else:
        product = _by_numpy(_array(gallery_features))
    copies, originals = repeated_rows(gallery_features, gallery_lengths)
    divisor = gallery_lengths.astype(np.float32)  # [G]
    buffer = np.empty((0, len(divisor)), np.float32)

    def block(rows: slice) -> NDArray[np.float32]:
        nonlocal buffer
        chosen = (_array(query_features[rows]) / query_lengths[rows, None]).astype(np.float32)  # [q, D]
        if len(chosen) > len(buffer):
            buffer = np.empty((len(chosen), len(divisor)), np.float32)
        scores = buffer[: len(chosen)]  # [q, G]
        product(chosen, scores)
        scores /= divisor
        for start in range(0, len(copies), ROWS):
            scores[:, copies[start : start + ROWS]] = scores[:, originals[start : start + ROWS]]
        return scores

    return block


def library_for(queries: int, gallery: int, width: int) -> Literal["NumPy", "oneDNN"]:
    """Which library multiplies features of these sizes on a CPU."""
    return "oneDNN" if queries * gallery * width > LARGE and _onednn_is_faster() else "NumPy"


def lengths(features: Features, side: str) -> NDArray[np.float64]:
    """Euclidean lengths [N], 1 for a zero vector; features that are not finite are an error that says where."""
    squares = np.empty(len(features), np.float64)
    for start in range(0, len(features), 64):  # few enough rows to stay in the processor's cache
        part = _array(features[start : start + 64]).astype(np.float64)
        squares[start : start + 64] = np.einsum("nd,nd->n", part, part)
    # Beyond float32 a number becomes infinite in the product.
    broken = np.flatnonzero(~(squares < np.finfo(np.float32).max))
    if len(broken):
        raise DataError(
            f"{len(broken)} of {len(features)} {side} features hold nan, infinity or numbers too large, "
            f"the first is row {broken[0]}"
        )
    return np.where(squares == 0, 1, np.sqrt(squares))


def repeated_rows(features: Features, row_lengths: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that equal an earlier one, and that earlier one. Matrix products round the same row differently by place."""
    _, group, size = np.unique(row_lengths, return_inverse=True, return_counts=True)
    first: dict[bytes, int] = {}
    copies, originals = [], []
    for row in np.flatnonzero(size[group] > 1).tolist():  # rarely any: equal rows have equal lengths
        content = (_array(features[row]) + 0.0).tobytes()  # + 0.0, as -0 equals 0
        original = first.setdefault(hashlib.blake2b(content, digest_size=16).digest(), row)
        if original != row:
            copies.append(row)
            originals.append(original)
    return np.array(copies, np.intp), np.array(originals, np.intp)


def _by_numpy(gallery: NDArray) -> Product:
    def product(queries: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        if gallery.dtype == np.float32:
            np.matmul(queries, gallery.T, out=out)
            return
        for start in range(0, len(gallery), ROWS):  # never the whole gallery in another precision
            part = gallery[start : start + ROWS].astype(np.float32)
            np.matmul(queries, part.T, out=out[:, start : start + ROWS])

    return product


def _by_onednn(gallery: NDArray) -> Product:
    """On processors where the other libraries leave the wide instructions unused, about twice their speed."""
    import torch
    import torch.nn.functional as F

    def product(queries: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        with torch.inference_mode(), _full_precision():
            inputs, scores = torch.from_numpy(queries).to_mkldnn(), torch.from_numpy(out)
            for start in range(0, len(gallery), ROWS):
                part = np.require(gallery[start : start + ROWS], np.float32, ["C", "W"])
                block = F.linear(inputs, torch.from_numpy(part).to_mkldnn())
                scores[:, start : start + ROWS] = block.to_dense()

    return product


def _on_device(features: Features, device: str) -> Product:
    import torch

    gallery = torch.as_tensor(features).detach().to(device, torch.float32)

    def product(queries: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        with torch.inference_mode(), _full_precision():
            torch.from_numpy(out).copy_(torch.from_numpy(queries).to(device) @ gallery.T)

    return product


def _onednn_is_faster() -> bool:
    """On AMD: MKL and NumPy's OpenBLAS take older kernels there."""
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform != "linux" or "AuthenticAMD" not in cpuinfo.read_text():
        return False
    import torch

    return torch.backends.mkldnn.is_available()


@contextmanager
def _full_precision() -> Iterator[None]:
    """float32 products in float32, even if training allows TF32 or bfloat16 in its own."""
    import torch

    backends = (
        torch.backends.cuda.matmul,
        torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]  # torch puts it there while it loads
    )
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


def _array(features: Features) -> NDArray:
    """The same numbers as a NumPy array, without a copy where there can be one memory."""
    if isinstance(features, np.ndarray):
        array = features
    else:
        tensor: torch.Tensor = features.detach().cpu()
        array = (tensor.float() if tensor.element_size() < 4 else tensor).numpy()
    if array.dtype.kind not in "fiu":
        raise DataError(f"features should be real numbers, not {array.dtype}")
    return array
