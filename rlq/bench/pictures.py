"""Made pictures for benchmarks: smooth colours with grain as JPEGs of quality 90, each with a mask of two garments."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from rlq.core.seeding import generator
from rlq.data.clothes import ClothesClasses, Recolouring, mask_path
from rlq.data.datasets import ExternalPairs, TargetPictures
from rlq.data.degradation import DegradationRanges
from rlq.data.masks import write_mask
from rlq.data.pictures import PictureReader, read_picture
from rlq.data.records import Record, class_indices
from rlq.data.samplers import Draw
from rlq.data.transforms import TrainTransform

FILE_SIZES = ((128, 64), (256, 128), (384, 192))  # height, width in pixels
QUALITY = 90
GRAIN = 9.0  # deviation in grey levels; files then have about 4, 14 and 31 KB
PER_PERSON = 4


class PictureFolder:
    """A folder of pictures and their masks, as the data sets of a training run."""

    def __init__(self, folder: Path, picture_size: tuple[int, int], count: int) -> None:
        self.picture_size = picture_size
        self.root, self.masks = folder / f"{picture_size[0]}", folder / f"{picture_size[0]}_masks"
        self.records = [self._write(number) for number in range(count)]
        self.labels = class_indices(self.records)

    @property
    def paths(self) -> list[Path]:
        """The files of the pictures."""
        return [record.path for record in self.records]

    @property
    def kilobytes(self) -> float:
        """Mean size of a file."""
        return sum(path.stat().st_size for path in self.paths) / len(self.paths) / 1000

    def one_row(self, size: tuple[int, int], reader: PictureReader = read_picture) -> TargetPictures:
        """Return each picture once, as in the plain pipeline."""
        return TargetPictures(self.records, self.labels, TrainTransform(size), seed=1, reader=reader)

    def cap(self, size: tuple[int, int]) -> TargetPictures:
        """Return each picture with its recoloured copy, as in the CAP pass."""
        classes = ClothesClasses(self.labels.owner, len(self.labels.pid_names))
        recolouring = Recolouring(classes, self.masks, self.root)
        return TargetPictures(self.records, self.labels, TrainTransform(size), seed=1, recolouring=recolouring)

    def tad(self, size: tuple[int, int], ranges: DegradationRanges) -> ExternalPairs:
        """Return each picture with its degraded version, as in the TAD pass."""
        return ExternalPairs(self.records, TrainTransform(size), ranges, seed=1)

    def draws(self, count: int, batch: int) -> list[list[Draw]]:
        """Return batches of `count` samples in all, which go through the pictures as often as needed."""
        return [
            [Draw(0, at, at % len(self.records)) for at in range(start, start + batch)]
            for start in range(0, count, batch)
        ]

    def _write(self, number: int) -> Record:
        pid = f"{number // PER_PERSON:04}"
        record = Record(self.root / f"{number:04}.jpg", pid, "A", f"{pid}A", "train", f"{number:04}")
        record.path.parent.mkdir(parents=True, exist_ok=True)
        picture = cv2.cvtColor(make_picture(self.picture_size, number), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(record.path), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        mask = mask_path(self.masks, record.path, self.root)
        mask.parent.mkdir(parents=True, exist_ok=True)
        write_mask(mask, _garments(self.picture_size))
        return record


@contextmanager
def temporary_pictures(picture_size: tuple[int, int], count: int) -> Iterator[PictureFolder]:
    """Make pictures in a folder that is removed at the end of the block."""
    with TemporaryDirectory(prefix="rlq-bench-") as folder:
        yield PictureFolder(Path(folder), picture_size, count)


def make_picture(size: tuple[int, int], number: int) -> np.ndarray:
    """Return the picture of a number: uint8 [H, W, 3]."""
    height, width = size
    rng = generator("bench picture", height, number)
    coarse = rng.integers(0, 256, (max(1, height // 16), max(1, width // 16), 3), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, GRAIN, (height, width, 1)), 0, 255).astype(np.uint8)


def _garments(size: tuple[int, int]) -> np.ndarray:
    """Return the mask of a coat above trousers, each about a fifth of the picture."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    mask[height // 5 : height // 2, width // 6 : -width // 6] = 5
    mask[height // 2 : -height // 8, width // 5 : -width // 5] = 9
    return mask
