"""Data sets and batches for torch: labelled target pictures, pairs of good and bad ones, plain pictures.

Samples of training sets are asked for by a `Draw`, and everything random about them comes from its numbers and the
run's seed; the number of workers, and stopping and resuming, change nothing.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rlq.artefacts import ArtefactRanges, changes, degrade, draw_artefact
from rlq.data.clothes import Recolouring
from rlq.data.pictures import Kept, kept_pictures, look_first_in, read_picture
from rlq.data.records import Record, TrainLabels
from rlq.data.samplers import Draw
from rlq.data.transforms import TestTransform, TrainTransform, quiet_worker
from rlq.seeding import generator, seed_from

NO_LABEL = -1


class Batch(NamedTuple):
    """Rows of a target batch: each picture and, next to it, its recoloured and its spoilt copy if there are any."""

    images: Tensor  # [B, 3, H, W] float32
    pids: Tensor  # [B] int64
    clothes: Tensor  # [B] int64, -1: without a class
    poses: Tensor  # [B] int64, -1: no pose labels in use
    genders: Tensor  # [B] int64, -1: no gender labels in use
    paths: tuple[str, ...]  # one per row
    unchanged: int = 0  # spoilt copies of pictures that were too small already for their pixelation

    @property
    def rows(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """The batch with its tensors on a device."""
        return _moved(self, device)


class PairBatch(NamedTuple):
    """The same pictures, good and bad, each transformed on its own."""

    hq: Tensor  # [B, 3, H, W] float32
    lq: Tensor  # [B, 3, H, W]
    paths: tuple[str, ...]  # one per pair
    unchanged: int  # pairs whose picture was too small already for its pixelation

    @property
    def rows(self) -> int:
        """Pairs."""
        return self.hq.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """The batch with its tensors on a device."""
        return _moved(self, device)


class PlainBatch(NamedTuple):
    """Pictures to compute features of."""

    images: Tensor  # [B, 3, H, W] float32
    indices: Tensor  # [B] int64: places in the list of pictures

    @property
    def rows(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """The batch with its tensors on a device."""
        return _moved(self, device)


class Pair(NamedTuple):
    """One item of `ExternalPairs`."""

    hq: Tensor  # [3, H, W]
    lq: Tensor  # [3, H, W]
    path: str
    changed: bool


class TargetPictures(Dataset):
    """Training pictures with all their labels: one row per picture, with `recolouring` a copy in other clothes next to
    it, with `ranges` a copy made bad at its native size, which keeps the clothes."""

    def __init__(
        self,
        records: Sequence[Record],
        labels: TrainLabels,
        transform: TrainTransform,
        seed: int,
        *,
        recolouring: Recolouring | None = None,
        ranges: ArtefactRanges | None = None,
        poses: np.ndarray | None = None,
        mirrored_poses: np.ndarray | None = None,
        genders: np.ndarray | None = None,
        stream: str = "cap",
    ) -> None:
        """poses, mirrored_poses, genders [N]: classes per record; mirrored_poses replace poses in flipped rows."""
        self.records, self.labels, self.transform, self.recolouring = list(records), labels, transform, recolouring
        self.ranges, self.seed, self.stream = ranges, seed, stream
        self.poses = _per_record(poses, "poses", len(self.records))
        self.mirrored_poses = self.poses
        if mirrored_poses is not None:
            self.mirrored_poses = _per_record(mirrored_poses, "mirrored_poses", len(self.records))
        self.genders = _per_record(genders, "genders", len(self.records))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, draw: Draw) -> Batch:
        """The rows of one picture, as a small batch."""
        record, index = self.records[draw.index], draw.index
        pid = int(self.labels.pids[index])
        picture = read_picture(record.path)
        pictures, clothes = [picture], [int(self.labels.clothes[index])]
        if self.recolouring is not None:
            rng = generator(self.seed, self.stream, "recolour", *draw)
            copy, label = self.recolouring.copy_of(picture, record, pid, rng)
            pictures.append(copy)
            clothes.append(label)
        unchanged = 0
        if self.ranges is not None:
            artefact = draw_artefact(generator(self.seed, self.stream, "artefact", *draw), self.ranges)
            pictures.append(degrade(picture, artefact))
            clothes.append(clothes[0])
            unchanged = int(not changes(picture, artefact))
        rows = [
            self.transform(one, seed_from(self.seed, self.stream, "transform", *draw, row))
            for row, one in enumerate(pictures)
        ]
        count = len(rows)
        return Batch(
            images=_stack([row.image for row in rows]),
            pids=torch.full((count,), pid),
            clothes=torch.tensor(clothes),
            poses=torch.tensor([int((self.mirrored_poses if row.flipped else self.poses)[index]) for row in rows]),
            genders=torch.full((count,), int(self.genders[index])),
            paths=(str(record.path),) * count,
            unchanged=unchanged,
        )


class ExternalPairs(Dataset):
    """Good pictures beside the same pictures made bad at their native size."""

    def __init__(
        self,
        records: Sequence[Record],
        transform: TrainTransform,
        ranges: ArtefactRanges,
        seed: int,
        *,
        stream: str = "tad",
    ) -> None:
        self.records, self.transform, self.ranges = list(records), transform, ranges
        self.seed, self.stream = seed, stream

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, draw: Draw) -> Pair:
        path = self.records[draw.index].path
        picture = read_picture(path)
        artefact = draw_artefact(generator(self.seed, self.stream, "artefact", *draw), self.ranges)
        hq, lq = (
            self.transform(one, seed_from(self.seed, self.stream, "transform", *draw, side)).image
            for side, one in (("hq", picture), ("lq", degrade(picture, artefact)))
        )
        return Pair(torch.from_numpy(hq), torch.from_numpy(lq), str(path), changes(picture, artefact))


class PlainPictures(Dataset):
    """Pictures for testing, in order; with `ranges`, each is made bad in a way that only its place and seed decide.

    `spoilt` are the places of those that are made bad, None for all.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        transform: TestTransform,
        *,
        ranges: ArtefactRanges | None = None,
        spoilt: range | None = None,
        seed: int = 0,
    ) -> None:
        self.paths, self.transform, self.ranges, self.seed = list(paths), transform, ranges, seed
        self.spoilt = range(len(self.paths)) if spoilt is None else spoilt

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = read_picture(self.paths[index])
        if self.ranges is not None and index in self.spoilt:
            picture = degrade(picture, draw_artefact(generator(self.seed, "test artefact", index), self.ranges))
        return torch.from_numpy(self.transform(picture)), index


def collate_target(items: Sequence[Batch]) -> Batch:
    """Join the rows of several pictures."""
    images, pids, clothes, poses, genders, paths, unchanged = zip(*items)
    labels = (torch.cat(part) for part in (pids, clothes, poses, genders))
    return Batch(torch.cat(images), *labels, tuple(path for part in paths for path in part), sum(unchanged))


def collate_pairs(items: Sequence[Pair]) -> PairBatch:
    """Stack pairs."""
    hq, lq, paths, changed = zip(*items)
    return PairBatch(_together(hq), _together(lq), tuple(paths), sum(not one for one in changed))


def collate_plain(items: Sequence[tuple[Tensor, int]]) -> PlainBatch:
    """Stack pictures."""
    images, indices = zip(*items)
    return PlainBatch(_together(images), torch.tensor(indices))


def loader(
    dataset: Dataset, batches: Any, collate: Callable[[Sequence[Any]], Any], *, workers: int = 0, pin: bool = False
) -> DataLoader:
    """A loader over `batches`, any iterable of lists of what the data set takes; its workers live on between epochs.

    More workers than there are cores get in each other's way, so there are never more.
    """
    workers = min(workers, os.cpu_count() or 1)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        pin_memory=pin,
        persistent_workers=workers > 0,
        worker_init_fn=partial(_begin_worker, kept_pictures()) if workers else None,
    )


def in_order(count: int, batch: int) -> list[range]:
    """Batches of 0..count-1 in order, the last one as long as it may be."""
    return [range(start, min(start + batch, count)) for start in range(0, count, batch)]


def _begin_worker(kept: dict[str, Kept], worker: int) -> None:
    """Start a loader process, which reads pictures as this one does."""
    quiet_worker(worker)
    look_first_in(kept)


def _moved(batch: Any, device: torch.device | str) -> Any:
    return type(batch)(*(part.to(device, non_blocking=True) if isinstance(part, Tensor) else part for part in batch))


def _per_record(labels: np.ndarray | None, name: str, count: int) -> np.ndarray:
    if labels is None:
        return np.full(count, NO_LABEL)
    if np.shape(labels) != (count,):
        raise ValueError(f"{name} has shape {list(np.shape(labels))}; {count} records need [{count}]")
    return np.asarray(labels)


def _stack(images: Sequence[np.ndarray]) -> Tensor:
    return _together([torch.from_numpy(image) for image in images])


def _together(images: Sequence[Tensor]) -> Tensor:
    """[3, H, W] each -> [B, 3, H, W], the channels still next to each other in memory: one plain copy."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
