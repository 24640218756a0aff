"""Batches as loader processes make them and as training steps and evaluations receive them.

Loader processes send pictures as bytes. The main process finishes a batch (`finished`): it normalises the pictures and
fills erased rectangles on the target device. Floats would take four times the memory, and allocating shared memory is
slow.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from rlq.data.transforms import Drawn, Rectangle, normalise


class Batch(NamedTuple):
    """Rows of a target batch: each picture, followed by its recoloured and its degraded copy if it has them."""

    images: Tensor  # [B, 3, H, W] float32; uint8 [B, H, W, 3] until the batch is finished
    pids: Tensor  # [B] int64
    clothes: Tensor  # [B] int64, -1: without a class
    labels: Mapping[str, Tensor]  # more classes by name, such as pose and gender: [B] int64 each
    paths: tuple[str, ...]  # one per row
    unchanged: int = 0  # degraded copies that equal their pictures, which were too small for the pixelation drawn
    erased: Sequence[Rectangle] = ()  # one per row, until the batch is finished

    def finished(self, device: torch.device | str = "cpu") -> Self:
        """Return the batch with its pictures on a device, as a network takes them.

        Labels stay on the CPU, where reading them does not wait for the device.
        """
        return self._replace(images=normalise(self.images, self.erased, device), erased=())

    @property
    def rows(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """Return the batch with its tensors on a device."""
        return _moved(self, device)


class PairBatch(NamedTuple):
    """High-quality pictures and degraded versions of them, each transformed by itself."""

    hq: Tensor  # [B, 3, H, W] float32; uint8 [B, H, W, 3] until the batch is finished
    lq: Tensor  # [B, 3, H, W]
    paths: tuple[str, ...]  # one per pair
    unchanged: int  # pairs whose two versions are equal, because the picture was too small for the pixelation drawn
    erased: Sequence[Rectangle] = ()  # of all hq, then of all lq, until the batch is finished

    def finished(self, device: torch.device | str = "cpu") -> Self:
        """Return the batch on a device, its pictures as a network takes them."""
        hq = normalise(self.hq, self.erased[: self.rows], device)
        lq = normalise(self.lq, self.erased[self.rows :], device)
        return self._replace(hq=hq, lq=lq, erased=()).to(device)

    @property
    def rows(self) -> int:
        """Return the number of pairs."""
        return self.hq.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """Return the batch with its tensors on a device."""
        return _moved(self, device)


class PlainBatch(NamedTuple):
    """Pictures whose features are computed."""

    images: Tensor  # [B, 3, H, W] float32; uint8 [B, H, W, 3] until the batch is finished
    indices: Tensor  # [B] int64: indices into the list of pictures

    def finished(self, device: torch.device | str = "cpu") -> Self:
        """Return the batch on a device, its pictures as a network takes them."""
        return self._replace(images=normalise(self.images, (), device)).to(device)

    @property
    def rows(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """Return the batch with its tensors on a device."""
        return _moved(self, device)


class Row(NamedTuple):
    """One row of a future `Batch`."""

    drawn: Drawn
    pid: int
    clothes: int
    labels: Mapping[str, int]  # the same names in all rows of a set
    path: str
    unchanged: bool = False  # a degraded copy that equals its picture


class Pair(NamedTuple):
    """One item of `ExternalPairs`."""

    hq: Drawn
    lq: Drawn
    path: str
    changed: bool


def collate_target(items: Sequence[Sequence[Row]]) -> Batch:
    """Join the rows of several pictures into a batch."""
    drawn, pids, clothes, labels, paths, unchanged = zip(*(row for rows in items for row in rows), strict=True)
    return Batch(
        images=_bytes([row.pixels for row in drawn]),
        pids=torch.tensor(pids),
        clothes=torch.tensor(clothes),
        labels={name: torch.tensor([row[name] for row in labels]) for name in labels[0]},
        paths=paths,
        unchanged=sum(unchanged),
        erased=[row.erased for row in drawn],
    )


def collate_pairs(items: Sequence[Pair]) -> PairBatch:
    """Stack pairs into a batch."""
    hq, lq, paths, changed = zip(*items, strict=True)
    hq_pixels, lq_pixels = (_bytes([drawn.pixels for drawn in side]) for side in (hq, lq))
    return PairBatch(hq_pixels, lq_pixels, paths, changed.count(False), [drawn.erased for drawn in (*hq, *lq)])


def collate_plain(items: Sequence[tuple[np.ndarray, int]]) -> PlainBatch:
    """Stack pictures into a batch."""
    pixels, indices = zip(*items, strict=True)
    return PlainBatch(_bytes(pixels), torch.tensor(indices))


def _moved(batch: Any, device: torch.device | str) -> Any:
    def moved(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {name: moved(value) for name, value in part.items()}
        return part.to(device, non_blocking=True) if isinstance(part, Tensor) else part

    return type(batch)(*map(moved, batch))


def _bytes(pixels: Sequence[np.ndarray]) -> Tensor:
    """Stack pictures, uint8 [H, W, 3] each -> [B, H, W, 3]."""
    return torch.from_numpy(np.stack(pixels))
