"""Transform pictures into network inputs, for training and for testing.

The steps and constants are those of CAL (Gu et al. 2022, arXiv 2204.06890), which RLQ keeps. The caller seeds every
call, so a result depends neither on the worker nor on pictures loaded before. Pictures stay bytes until whole batches
are normalised (`normalise`), which needs a quarter of the memory in loader processes. Inputs are [3, H, W] in
channels-last memory order, which needs no copy here and suits convolutions.
"""

import math
import os
import random
import signal
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # before the import, which would ask a server for updates
import albumentations as A
from albumentations.core.transforms_interface import (
    BaseTransformInitSchema,
    ImageOnlyTransform,
)

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
ENLARGEMENT = 1.125
ERASED_AREA = (0.02, 0.4)  # share of the picture
ERASED_ASPECT = (0.3, 1 / 0.3)  # height / width
ERASED_FILL = (0.4914, 0.4822, 0.4465)  # in normalised units, as released
ERASING_TRIES = 100

Rectangle = tuple[int, int, int, int]  # top, left, height, width
NOWHERE: Rectangle = (0, 0, 0, 0)
UNUSED = np.random.default_rng(0)


class Drawn(NamedTuple):
    """A transformed training picture before it is normalised, and the random decisions."""

    pixels: np.ndarray  # uint8 [H, W, 3]
    erased: Rectangle  # filled after normalising
    flipped: bool


class Augmented(NamedTuple):
    """A training input and the random decisions."""

    image: np.ndarray  # float32 [3, H, W]
    flipped: bool


class TrainTransform:
    """Resize and normalise; with probability 0.5 each, crop from an enlarged picture, flip, and erase a rectangle."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.steps = A.Compose(
            [EnlargeAndCrop(p=0.5), A.HorizontalFlip(p=0.5), DrawRectangle(p=0.5)],
            strict=True,
            save_applied_params=True,
        )

    def __call__(self, picture: np.ndarray, seed: int) -> Augmented:
        """Transform a picture uint8 [h, w, 3] -> float32 [3, H, W]; equal seeds give equal results."""
        pixels, erased, flipped = self.draw(picture, seed)
        return Augmented(_normalised(pixels, erased), flipped)

    def draw(self, picture: np.ndarray, seed: int) -> Drawn:
        """Transform a picture without normalising and filling, which is done for whole batches."""
        # One stream for all steps. `set_random_seed` would give each step a copy of the same stream, so flipping,
        # cropping and erasing would always happen together. No step draws from NumPy's stream.
        self.steps.set_random_state(UNUSED, random.Random(seed))
        result = self.steps(image=resize(picture, self.size))
        applied = dict(result["applied_transforms"])
        erased = applied["DrawRectangle"]["rectangle"] if "DrawRectangle" in applied else NOWHERE
        return Drawn(result["image"], erased, "HorizontalFlip" in applied)


class TestTransform:
    """Resize and normalise."""

    __test__ = False  # keeps pytest from collecting this class because of its name

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Transform a picture uint8 [h, w, 3] -> float32 [3, H, W]."""
        return _normalised(resize(picture, self.size), NOWHERE)


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (height, width) by antialiased bilinear interpolation, equal to Pillow's up to one grey level.

    uint8 [h, w, 3] -> uint8 [H, W, 3]. OpenCV's bilinear resize is not antialiased. torch is 6 times as fast as Pillow
    if it recognises channels-last order, for which the stride of the first dimension must fit too: torch's `unsqueeze`
    before permuting sets it correctly, NumPy's does not.
    """
    if picture.shape[:2] == tuple(size):
        return picture
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).unsqueeze(0).permute(0, 3, 1, 2)  # [1, 3, h, w]
    resized = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)  # [1, 3, H, W]
    return resized.permute(0, 2, 3, 1)[0].numpy()  # [H, W, 3]


def normalise(pixels: Tensor, erased: Sequence[Rectangle] = (), device: torch.device | str = "cpu") -> Tensor:
    """Normalise bytes to network inputs on a device, then fill the erased rectangles.

    pixels uint8 [B, H, W, 3], a rectangle per picture or none at all -> float32 [B, 3, H, W], channels last in memory.
    """
    count, height, width, channels = pixels.shape
    device = torch.device(device)
    mean, scale, fill = _constants(width, device)
    rows = pixels.to(device, non_blocking=True).reshape(count, height, width * channels)
    if device.type == "cpu":
        # NumPy allocates large pages, which is five times as fast, and a single picture fits into the CPU's caches.
        images = torch.from_numpy(np.empty(rows.shape, np.float32))
        for row, image in zip(rows, images, strict=True):
            torch.sub(row, mean, out=image).mul_(scale)
    else:
        images = torch.sub(rows, mean).mul_(scale)
    for image, (top, left, tall, wide) in zip(images, erased or [NOWHERE] * count, strict=True):
        if tall and wide:
            image[top : top + tall, channels * left : channels * (left + wide)] = fill[: channels * wide]
    return images.view(pixels.shape).permute(0, 3, 1, 2)  # [B, 3, H, W]


class EnlargeAndCrop(ImageOnlyTransform):
    """Enlarge a picture by 1.125 and crop its old size from a uniformly drawn place."""

    class InitSchema(BaseTransformInitSchema):
        pass

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p=p)

    def get_params_dependent_on_data(self, params: dict, data: dict) -> dict[str, int]:
        height, width = params["shape"][:2]
        tall, wide = _enlarged(height, width)
        return {"top": self.py_random.randint(0, tall - height), "left": self.py_random.randint(0, wide - width)}

    def apply(self, img: np.ndarray, top: int, left: int, **_: object) -> np.ndarray:
        height, width = img.shape[:2]
        return resize(img, _enlarged(height, width))[top : top + height, left : left + width]


class DrawRectangle(ImageOnlyTransform):
    """Random erasing (Zhong et al. 2017, arXiv 1708.04896): area and aspect are drawn until the rectangle fits.

    Only the rectangle is drawn here. The value that fills it is in normalised units, and batches are normalised later.
    """

    class InitSchema(BaseTransformInitSchema):
        pass

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p=p)

    def get_params_dependent_on_data(self, params: dict, data: dict) -> dict[str, Rectangle]:
        height, width = params["shape"][:2]
        for _ in range(ERASING_TRIES):
            area = self.py_random.uniform(*ERASED_AREA) * height * width
            aspect = self.py_random.uniform(*ERASED_ASPECT)
            tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if tall < height and wide < width:
                top = self.py_random.randint(0, height - tall)
                return {"rectangle": (top, self.py_random.randint(0, width - wide), tall, wide)}
        return {"rectangle": NOWHERE}

    def apply(self, img: np.ndarray, **_: object) -> np.ndarray:
        return img


def quiet_worker(worker: int) -> None:
    """Set up a loader process: one thread each, because the processes already share the cores."""
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process, but only the main one handles it


def _normalised(pixels: np.ndarray, erased: Rectangle) -> np.ndarray:
    return normalise(torch.from_numpy(np.ascontiguousarray(pixels)).unsqueeze(0), [erased])[0].numpy()


def _enlarged(height: int, width: int) -> tuple[int, int]:
    return round(height * ENLARGEMENT), round(width * ENLARGEMENT)


@lru_cache(maxsize=16)
def _constants(width: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean and 1 / deviation of grey levels 0..255 and the erasing value for each number of a pixel row.

    float32 [W * 3] each.
    """
    mean = np.array(MEAN, np.float32) * np.float32(255)
    scale = np.reciprocal(np.array(DEVIATION, np.float32) * np.float32(255))
    fill = np.array(ERASED_FILL, np.float32)
    with torch.inference_mode(False):  # the first call may come from inference, but training uses the cached rows too
        mean_row, scale_row, fill_row = (
            torch.from_numpy(np.tile(colour, width)).to(device) for colour in (mean, scale, fill)
        )
    return mean_row, scale_row, fill_row
