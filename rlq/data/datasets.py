"""Data sets and batches for torch: labelled target pictures, pairs of good and bad ones, plain pictures.

Samples of training sets are asked for by a `Draw`, and everything random about them comes from its numbers and the
run's seed; the number of workers, and stopping and resuming, change nothing.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from rlq.core.seeding import generator, seed_from
from rlq.data.batches import Pair, Row
from rlq.data.clothes import Recolouring
from rlq.data.degradation import DegradationRanges, Degrading, changes, degrade, draw_degradation
from rlq.data.pictures import read_picture
from rlq.data.records import Record, TrainLabels
from rlq.data.samplers import Draw
from rlq.data.transforms import TestTransform, TrainTransform, resize
from rlq.data.worker_pool import PATIENCE, Loader


class Classes(NamedTuple):
    """One label of every record."""

    plain: np.ndarray  # [N] int64
    mirrored: np.ndarray | None = None  # [N] of the mirrored pictures; None: the same

    def of(self, flipped: bool) -> np.ndarray:
        """Return the classes [N] that flipped rows have, or the others."""
        return self.mirrored if flipped and self.mirrored is not None else self.plain


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
        ranges: DegradationRanges | None = None,
        classes: Mapping[str, Classes] | None = None,
        stream: str = "cap",
    ) -> None:
        """`classes` are more labels by name, such as pose and gender."""
        self.records, self.labels, self.transform, self.recolouring = list(records), labels, transform, recolouring
        self.ranges, self.seed, self.stream = ranges, seed, stream
        self.classes = {name: _per_record(of, name, len(self.records)) for name, of in (classes or {}).items()}

    def __len__(self) -> int:
        return len(self.records)

    def path_of(self, draw: Draw) -> Path:
        return self.records[draw.index].path

    def __getitem__(self, draw: Draw) -> list[Row]:
        """The rows of one picture."""
        record, index = self.records[draw.index], draw.index
        pid = int(self.labels.pids[index])
        picture = read_picture(record.path)
        own = int(self.labels.clothes[index])
        made = [(picture, own, False)]
        if self.recolouring is not None:
            rng = generator(self.seed, self.stream, "recolour", *draw)
            made.append((*self.recolouring.copy_of(picture, record, pid, rng), False))
        if self.ranges is not None:
            artefact = draw_degradation(generator(self.seed, self.stream, "artefact", *draw), self.ranges)
            made.append((degrade(picture, artefact), own, not changes(picture, artefact)))
        rows = []
        for row, (one, clothes, unchanged) in enumerate(made):
            drawn = self.transform.draw(one, seed_from(self.seed, self.stream, "transform", *draw, row))
            classes = {name: int(of.of(drawn.flipped)[index]) for name, of in self.classes.items()}
            rows.append(Row(drawn, pid, clothes, classes, str(record.path), unchanged))
        return rows


class ExternalPairs(Dataset):
    """Good pictures beside the same pictures made bad at their native size."""

    def __init__(
        self,
        records: Sequence[Record],
        transform: TrainTransform,
        ranges: DegradationRanges,
        seed: int,
        *,
        stream: str = "tad",
    ) -> None:
        self.records, self.transform, self.ranges = list(records), transform, ranges
        self.seed, self.stream = seed, stream

    def __len__(self) -> int:
        return len(self.records)

    def path_of(self, draw: Draw) -> Path:
        return self.records[draw.index].path

    def __getitem__(self, draw: Draw) -> Pair:
        path = self.records[draw.index].path
        picture = read_picture(path)
        artefact = draw_degradation(generator(self.seed, self.stream, "artefact", *draw), self.ranges)
        hq, lq = (
            self.transform.draw(one, seed_from(self.seed, self.stream, "transform", *draw, side))
            for side, one in (("hq", picture), ("lq", degrade(picture, artefact)))
        )
        return Pair(hq, lq, str(path), changes(picture, artefact))


class PlainPictures(Dataset):
    """Pictures for testing, in order; with `degrading`, some are degraded as only their place and the seed decide."""

    def __init__(self, paths: Sequence[Path], transform: TestTransform, *, degrading: Degrading | None = None) -> None:
        self.paths, self.transform, self.degrading = list(paths), transform, degrading

    def __len__(self) -> int:
        return len(self.paths)

    def path_of(self, index: int) -> Path:
        return self.paths[index]

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        picture, how = read_picture(self.paths[index]), self.degrading
        if how is not None and (how.places is None or index in how.places):
            random = generator(how.seed, "test artefact", index)
            picture = degrade(picture, draw_degradation(random, how.ranges))
        return resize(picture, self.transform.size), index


class FinishingLoader(Loader):
    """A loader whose batches come finished, on the device where they are wanted."""

    def __init__(self, *arguments: Any, device: torch.device | str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._device = device

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch promises an iterator of its own making
        for batch in super().__iter__():
            yield batch.finished(self._device)


def loader(
    dataset: Dataset,
    batches: Any,
    collate: Callable[[Sequence[Any]], Any],
    *,
    workers: int = 0,
    pin: bool = False,
    patience: int = PATIENCE,
    device: torch.device | str = "cpu",
) -> FinishingLoader:
    """A loader over `batches`, any iterable of lists of what the data set takes; its workers live on between epochs.

    More workers than there are cores get in each other's way, so there are never more.
    """
    workers = min(workers, os.cpu_count() or 1)
    return FinishingLoader(dataset, batches, collate, workers=workers, pin=pin, patience=patience, device=device)


def in_order(count: int, batch: int) -> list[range]:
    """Batches of 0..count-1 in order, the last one as long as it may be."""
    return [range(start, min(start + batch, count)) for start in range(0, count, batch)]


def _per_record(classes: Classes, name: str, count: int) -> Classes:
    for labels in classes:
        if labels is not None and np.shape(labels) != (count,):
            raise ValueError(f"{name} has shape {list(np.shape(labels))}; {count} records need [{count}]")
    mirrored = None if classes.mirrored is None else np.asarray(classes.mirrored)
    return Classes(np.asarray(classes.plain), mirrored)
