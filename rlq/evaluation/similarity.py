"""Cosine scores in blocks of queries, so that memory has to hold the features but not all scores."""

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
# Number of multiplications from which oneDNN's faster product is worth the seconds of importing torch. The choice
# depends on sizes and processor only, not on a measurement: the last bits of a score must not vary between runs.
LARGE = 2.5e11

Features = Any  # NumPy array or torch tensor [N, D]
Product = Callable[[NDArray[np.float32], NDArray[np.float32]], None]


def cosine_scores(query_features: Features, gallery_features: Features, *, device: str | None = None) -> ScoreBlocks:
    """Return a function from a slice of queries to their cosines [q, G] with the whole gallery, float32.

    Features [Q, D] and [G, D] of any length are NumPy arrays or torch tensors; a zero vector scores 0 with every other.
    The next call overwrites the block. The gallery is not copied: the product is divided by its lengths instead.
    Gallery pictures with the same features get exactly the same score, wherever they are in the gallery.
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
        queries = (_array(query_features[rows]) / query_lengths[rows, None]).astype(np.float32)  # [q, D]
        if len(queries) > len(buffer):
            buffer = np.empty((len(queries), len(divisor)), np.float32)
        scores = buffer[: len(queries)]  # [q, G]
        product(queries, scores)
        scores /= divisor
        for start in range(0, len(copies), ROWS):
            scores[:, copies[start : start + ROWS]] = scores[:, originals[start : start + ROWS]]
        return scores

    return block


def library_for(queries: int, gallery: int, width: int) -> Literal["NumPy", "oneDNN"]:
    """Return the library that multiplies features of these sizes on a CPU."""
    return "oneDNN" if queries * gallery * width > LARGE and _onednn_is_faster() else "NumPy"


def lengths(features: Features, side: str) -> NDArray[np.float64]:
    """Return Euclidean lengths [N], 1 for a zero vector. Raise DataError with the first row that is not finite."""
    squares = np.empty(len(features), np.float64)
    for start in range(0, len(features), 64):  # so few rows that they fit in the processor's cache
        part = _array(features[start : start + 64]).astype(np.float64)
        squares[start : start + 64] = np.einsum("nd,nd->n", part, part)
    # A number beyond the range of float32 would become infinite in the product.
    broken = np.flatnonzero(~(squares < np.finfo(np.float32).max))
    if len(broken):
        raise DataError(
            f"{len(broken)} of {len(features)} {side} features hold nan, infinity or numbers too large, "
            f"the first is row {broken[0]}"
        )
    return np.where(squares == 0, 1, np.sqrt(squares))


def repeated_rows(features: Features, row_lengths: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows that equal an earlier row, and those earlier rows.

    A matrix product may round equal rows differently, depending on their place.
    """
    _, group, size = np.unique(row_lengths, return_inverse=True, return_counts=True)
    first: dict[bytes, int] = {}
    copies, originals = [], []
    for row in np.flatnonzero(size[group] > 1).tolist():  # rarely any, because only equal rows have equal lengths
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
        for start in range(0, len(gallery), ROWS):  # so that the whole gallery is never converted at once
            part = gallery[start : start + ROWS].astype(np.float32)
            np.matmul(queries, part.T, out=out[:, start : start + ROWS])

    return product


def _by_onednn(gallery: NDArray) -> Product:
    """Multiply by oneDNN, about twice as fast on processors where other libraries do not use the wide instructions."""
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
    """Return whether this is a processor of AMD, on which MKL and NumPy's OpenBLAS use older kernels."""
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform != "linux" or "AuthenticAMD" not in cpuinfo.read_text():
        return False
    import torch

    return torch.backends.mkldnn.is_available()


@contextmanager
def _full_precision() -> Iterator[None]:
    """Compute products of float32 in float32, even where training allows TF32 or bfloat16."""
    import torch

    backends = (
        torch.backends.cuda.matmul,
        torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]  # torch adds it while it is imported
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
    """Return the features as a NumPy array, without a copy if memory can be shared."""
    if isinstance(features, np.ndarray):
        array = features
    else:
        tensor: torch.Tensor = features.detach().cpu()
        array = (tensor.float() if tensor.element_size() < 4 else tensor).numpy()
    if array.dtype.kind not in "fiu":
        raise DataError(f"features should be real numbers, not {array.dtype}")
    return array
