"""Batches: what loader processes hand over, and what a step or an evaluation is given.

What a loader process hands over is bytes: a batch is `finished` - pictures normalised, rectangles erased - in the main
process, on the device that wants it. Floats would be four times as much to move, and new shared memory is dear.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from rlq.data.transforms import Drawn, Rectangle, normalise


class Batch(NamedTuple):
    """Rows of a target batch: each picture and, next to it, its recoloured and its spoilt copy if there are any."""

    images: Tensor  # [B, 3, H, W] float32; uint8 [B, H, W, 3] until the batch is finished
    pids: Tensor  # [B] int64
    clothes: Tensor  # [B] int64, -1: without a class
    labels: Mapping[str, Tensor]  # more classes by name, such as pose and gender: [B] int64 each
    paths: tuple[str, ...]  # one per row
    unchanged: int = 0  # spoilt copies of pictures that were too small already for their pixelation
    erased: Sequence[Rectangle] = ()  # one per row, until the batch is finished

    def finished(self, device: torch.device | str = "cpu") -> Self:
        """Its pictures on a device, as a network takes them; labels stay on the CPU, where a look at them is free."""
        return self._replace(images=normalise(self.images, self.erased, device), erased=())

    @property
    def rows(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """The batch with its tensors on a device."""
        return _moved(self, device)


class PairBatch(NamedTuple):
    """The same pictures, good and bad, each transformed on its own."""

    hq: Tensor  # [B, 3, H, W] float32; uint8 [B, H, W, 3] until the batch is finished
    lq: Tensor  # [B, 3, H, W]
    paths: tuple[str, ...]  # one per pair
    unchanged: int  # pairs whose picture was too small already for its pixelation
    erased: Sequence[Rectangle] = ()  # of all hq, then of all lq, until the batch is finished

    def finished(self, device: torch.device | str = "cpu") -> Self:
        """The batch on a device, its pictures as a network takes them."""
        hq = normalise(self.hq, self.erased[: self.rows], device)
        lq = normalise(self.lq, self.erased[self.rows :], device)
        return self._replace(hq=hq, lq=lq, erased=()).to(device)

    @property
    def rows(self) -> int:
        """Pairs."""
        return self.hq.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """The batch with its tensors on a device."""
        return _moved(self, device)


class PlainBatch(NamedTuple):
    """Pictures to compute features of."""

    images: Tensor  # [B, 3, H, W] float32; uint8 [B, H, W, 3] until the batch is finished
    indices: Tensor  # [B] int64: places in the list of pictures

    def finished(self, device: torch.device | str = "cpu") -> Self:
        """The batch on a device, its pictures as a network takes them."""
        return self._replace(images=normalise(self.images, (), device)).to(device)

    @property
    def rows(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """The batch with its tensors on a device."""
        return _moved(self, device)


class Row(NamedTuple):
    """One row of a `Batch` to be."""

    drawn: Drawn
    pid: int
    clothes: int
    labels: Mapping[str, int]  # the same names in all rows of a set
    path: str
    unchanged: bool = False  # a spoilt copy that is as good as its picture


class Pair(NamedTuple):
    """One item of `ExternalPairs`."""

    hq: Drawn
    lq: Drawn
    path: str
    changed: bool


def collate_target(items: Sequence[Sequence[Row]]) -> Batch:
    """Join the rows of several pictures."""
    drawn, pids, clothes, labels, paths, unchanged = zip(*(row for rows in items for row in rows), strict=True)
    return Batch(
        images=_bytes([one.pixels for one in drawn]),
        pids=torch.tensor(pids),
        clothes=torch.tensor(clothes),
        labels={name: torch.tensor([row[name] for row in labels]) for name in labels[0]},
        paths=paths,
        unchanged=sum(unchanged),
        erased=[one.erased for one in drawn],
    )


def collate_pairs(items: Sequence[Pair]) -> PairBatch:
    """Stack pairs."""
    hq, lq, paths, changed = zip(*items, strict=True)
    good, bad = (_bytes([one.pixels for one in side]) for side in (hq, lq))
    return PairBatch(good, bad, paths, sum(not one for one in changed), [one.erased for one in (*hq, *lq)])


def collate_plain(items: Sequence[tuple[np.ndarray, int]]) -> PlainBatch:
    """Stack pictures."""
    pixels, indices = zip(*items, strict=True)
    return PlainBatch(_bytes(pixels), torch.tensor(indices))


def _moved(batch: Any, device: torch.device | str) -> Any:
    def moved(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {name: moved(value) for name, value in part.items()}
        return part.to(device, non_blocking=True) if isinstance(part, Tensor) else part

    return type(batch)(*map(moved, batch))


def _bytes(pixels: Sequence[np.ndarray]) -> Tensor:
    """uint8 [H, W, 3] each -> [B, H, W, 3]."""
    return torch.from_numpy(np.stack(pixels))
