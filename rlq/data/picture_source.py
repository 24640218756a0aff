"""Batches of pictures for a network in evaluation mode: one place that knows size, workers, device and console."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.settings import DataSettings
from rlq.data.batches import PlainBatch, collate_plain
from rlq.data.datasets import PlainPictures, in_order, loader
from rlq.data.degradation import Degrading
from rlq.data.pictures import PictureReader, read_picture
from rlq.data.transforms import TestTransform
from rlq.data.worker_pool import PATIENCE, clear_worker_errors


@dataclass(frozen=True)
class PictureSource:
    """How pictures are read, resized and batched, and the device of the batches."""

    size: tuple[int, int]  # height, width in pixels
    place: Place
    console: Console
    batch: int = 128  # pictures
    workers: int = 0  # loader processes
    patience: int = PATIENCE  # seconds for one batch
    reader: PictureReader = read_picture

    @classmethod
    def of(
        cls, data: DataSettings, place: Place, console: Console, reader: PictureReader = read_picture
    ) -> "PictureSource":
        """Return the source that an experiment's settings describe."""
        return cls(data.size, place, console, data.test_batch, data.workers, data.patience, reader)

    def batches(
        self,
        paths: Sequence[Path],
        *,
        label: str,
        order: Sequence[int] | None = None,
        degrading: Degrading | None = None,
    ) -> Iterator[PlainBatch]:
        """Yield all pictures in order, or those at the places `order`; `degrading` goes by places in `paths`."""
        pictures = PlainPictures(paths, TestTransform(self.size), degrading=degrading, reader=self.reader)
        chosen = range(len(paths)) if order is None else order
        groups = [[chosen[i] for i in group] for group in in_order(len(chosen), self.batch)]
        source = loader(
            pictures, groups, collate_plain, workers=self.workers, patience=self.patience, device=self.place.device
        )
        with clear_worker_errors():
            yield from self.console.progress(source, label)
