"""Torch data sets: labelled target pictures, pairs of a picture and its degraded version, plain pictures.

A training sample is requested by a `Draw`. Everything random about the sample comes from the draw's numbers and the
run's seed, so the number of workers and resuming do not change it.
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
from rlq.data.pictures import PictureReader, read_picture
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
    """Training pictures with all their labels: one row per picture, and one per copy.

    With `recolouring`, each picture has a copy in other clothes; with `ranges`, a copy degraded at its native size,
    which keeps the clothes label.
    """

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
        reader: PictureReader = read_picture,
    ) -> None:
        """`classes` are more labels by name, such as pose and gender."""
        self.reader = reader
        self.records, self.labels, self.transform, self.recolouring = list(records), labels, transform, recolouring
        self.ranges, self.seed, self.stream = ranges, seed, stream
        self.classes = {name: _per_record(of, name, len(self.records)) for name, of in (classes or {}).items()}

    def __len__(self) -> int:
        return len(self.records)

    def path_of(self, draw: Draw) -> Path:
        return self.records[draw.index].path

    def __getitem__(self, draw: Draw) -> list[Row]:
        """Return the rows of one picture."""
        record, index = self.records[draw.index], draw.index
        pid = int(self.labels.pids[index])
        picture = self.reader(record.path)
        clothes_worn = int(self.labels.clothes[index])
        versions = [(picture, clothes_worn, False)]
        if self.recolouring is not None:
            rng = generator(self.seed, self.stream, "recolour", *draw)
            versions.append((*self.recolouring.copy_of(picture, record, pid, rng), False))
        if self.ranges is not None:
            degradation = draw_degradation(generator(self.seed, self.stream, "artefact", *draw), self.ranges)
            versions.append((degrade(picture, degradation), clothes_worn, not changes(picture, degradation)))
        rows = []
        for row, (pixels, clothes, unchanged) in enumerate(versions):
            drawn = self.transform.draw(pixels, seed_from(self.seed, self.stream, "transform", *draw, row))
            classes = {name: int(of.of(drawn.flipped)[index]) for name, of in self.classes.items()}
            rows.append(Row(drawn, pid, clothes, classes, str(record.path), unchanged))
        return rows


class ExternalPairs(Dataset):
    """Pairs of a picture and the same picture degraded at its native size."""

    def __init__(
        self,
        records: Sequence[Record],
        transform: TrainTransform,
        ranges: DegradationRanges,
        seed: int,
        *,
        stream: str = "tad",
        reader: PictureReader = read_picture,
    ) -> None:
        self.records, self.transform, self.ranges = list(records), transform, ranges
        self.seed, self.stream, self.reader = seed, stream, reader

    def __len__(self) -> int:
        return len(self.records)

    def path_of(self, draw: Draw) -> Path:
        return self.records[draw.index].path

    def __getitem__(self, draw: Draw) -> Pair:
        path = self.records[draw.index].path
        picture = self.reader(path)
        degradation = draw_degradation(generator(self.seed, self.stream, "artefact", *draw), self.ranges)
        hq, lq = (
            self.transform.draw(pixels, seed_from(self.seed, self.stream, "transform", *draw, side))
            for side, pixels in (("hq", picture), ("lq", degrade(picture, degradation)))
        )
        return Pair(hq, lq, str(path), changes(picture, degradation))


class PlainPictures(Dataset):
    """Pictures for testing, in order; with `degrading`, some are degraded as only their place and the seed decide."""

    def __init__(
        self,
        paths: Sequence[Path],
        transform: TestTransform,
        *,
        degrading: Degrading | None = None,
        reader: PictureReader = read_picture,
    ) -> None:
        self.paths, self.transform, self.degrading, self.reader = list(paths), transform, degrading, reader

    def __len__(self) -> int:
        return len(self.paths)

    def path_of(self, index: int) -> Path:
        return self.paths[index]

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        picture, how = self.reader(self.paths[index]), self.degrading
        if how is not None and (how.places is None or index in how.places):
            random = generator(how.seed, "test artefact", index)
            picture = degrade(picture, draw_degradation(random, how.ranges))
        return resize(picture, self.transform.size), index


class FinishingLoader(Loader):
    """A loader whose batches are finished (`Batch.finished`) on a device."""

    def __init__(self, *arguments: Any, device: torch.device | str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._device = device

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch declares a private iterator type
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
    """Return a loader over `batches`, an iterable of lists of keys of the data set; workers stay alive between epochs.

    There are at most as many workers as cores, because more would only slow each other down.
    """
    workers = min(workers, os.cpu_count() or 1)
    return FinishingLoader(dataset, batches, collate, workers=workers, pin=pin, patience=patience, device=device)


def in_order(count: int, batch: int) -> list[range]:
    """Return batches of 0..count-1 in order; the last one may be shorter."""
    return [range(start, min(start + batch, count)) for start in range(0, count, batch)]


def _per_record(classes: Classes, name: str, count: int) -> Classes:
    for labels in classes:
        if labels is not None and np.shape(labels) != (count,):
            raise ValueError(f"{name} has shape {list(np.shape(labels))}; {count} records need [{count}]")
    mirrored = None if classes.mirrored is None else np.asarray(classes.mirrored)
    return Classes(np.asarray(classes.plain), mirrored)
