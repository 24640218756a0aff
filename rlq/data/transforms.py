"""From a picture to the network's input, for training and for testing.

The steps and constants of CAL (Gu et al. 2022, arXiv 2204.06890), which RLQ keeps. Every call is seeded by the caller,
so what a picture looks like depends neither on the worker that loads it nor on what was loaded before. Pictures stay
bytes until whole batches are normalised (`normalise`): a quarter of the memory to fill and to hand over. Inputs are
[3, H, W] whose channels lie together in memory: no copy here, and the order that convolutions like best.
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

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # before the import, which would ask a server for news
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
    """A training picture before it is normalised, and what happened to it."""

    pixels: np.ndarray  # uint8 [H, W, 3]
    erased: Rectangle  # to be filled once it is normalised
    flipped: bool


class Augmented(NamedTuple):
    """A training input and what happened to it."""

    image: np.ndarray  # float32 [3, H, W]
    flipped: bool


class TrainTransform:
    """Resize, crop from an enlarged picture or not, flip or not, normalise, erase a rectangle or not."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.steps = A.Compose(
            [EnlargeAndCrop(p=0.5), A.HorizontalFlip(p=0.5), DrawRectangle(p=0.5)],
            strict=True,
            save_applied_params=True,
        )

    def __call__(self, picture: np.ndarray, seed: int) -> Augmented:
        """picture uint8 [h, w, 3] -> float32 [3, H, W]; equal seeds, equal results."""
        pixels, erased, flipped = self.draw(picture, seed)
        return Augmented(_one(pixels, erased), flipped)

    def draw(self, picture: np.ndarray, seed: int) -> Drawn:
        """The same without normalising and filling, which whole batches do at once."""
        # One stream for all steps: `set_random_seed` would give each its own copy of the same one, and then flipping,
        # cropping and erasing always happen together. None of them draws from NumPy's.
        self.steps.set_random_state(UNUSED, random.Random(seed))
        result = self.steps(image=resize(picture, self.size))
        applied = dict(result["applied_transforms"])
        erased = applied["DrawRectangle"]["rectangle"] if "DrawRectangle" in applied else NOWHERE
        return Drawn(result["image"], erased, "HorizontalFlip" in applied)


class TestTransform:
    """Resize and normalise."""

    __test__ = False  # the name is no test's

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """picture uint8 [h, w, 3] -> float32 [3, H, W]."""
        return _one(resize(picture, self.size), NOWHERE)


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Antialiased bilinear resize to (height, width), as Pillow does it up to one grey level; OpenCV's does not smooth.

    uint8 [h, w, 3] -> uint8 [H, W, 3]. torch does it 6 times as fast as Pillow, if it sees that the channels are last:
    by the stride of the first dimension too, which torch's `unsqueeze` sets right before permuting and NumPy does not.
    """
    if picture.shape[:2] == tuple(size):
        return picture
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).unsqueeze(0).permute(0, 3, 1, 2)  # [1, 3, h, w]
    resized = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)  # [1, 3, H, W]
    return resized.permute(0, 2, 3, 1)[0].numpy()  # [H, W, 3]


def normalise(pixels: Tensor, erased: Sequence[Rectangle] = (), device: torch.device | str = "cpu") -> Tensor:
    """Bytes to network inputs, on the device that is to have them: the mean off, over the deviation, then erased.

    pixels uint8 [B, H, W, 3], a rectangle per picture or none at all -> float32 [B, 3, H, W], channels last in memory.
    """
    count, height, width, channels = pixels.shape
    device = torch.device(device)
    mean, scale, fill = _constants(width, device)
    rows = pixels.to(device, non_blocking=True).reshape(count, height, width * channels)
    if device.type == "cpu":
        # NumPy asks for large pages, which makes new memory five times as cheap; and one picture stays in the caches
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
    """Enlarge a picture by 1.125 and cut its old size from a uniform place: one decision for both."""

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

    It only draws: what fills the rectangle is in normalised units, and batches are normalised later.
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
    """Start a loader process: one thread each, as the processes already share the cores."""
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the main one decides what it means


def _one(pixels: np.ndarray, erased: Rectangle) -> np.ndarray:
    return normalise(torch.from_numpy(np.ascontiguousarray(pixels)).unsqueeze(0), [erased])[0].numpy()


def _enlarged(height: int, width: int) -> tuple[int, int]:
    return round(height * ENLARGEMENT), round(width * ENLARGEMENT)


@lru_cache(maxsize=16)
def _constants(width: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and 1 / deviation of grey levels 0..255, and what erases, for every number of a row of pixels: float32
    [W * 3] each."""
    mean = np.array(MEAN, np.float32) * np.float32(255)
    scale = np.reciprocal(np.array(DEVIATION, np.float32) * np.float32(255))
    fill = np.array(ERASED_FILL, np.float32)
    with torch.inference_mode(False):  # whoever asks first, training uses them too
        mean_row, scale_row, fill_row = (
            torch.from_numpy(np.tile(one, width)).to(device) for one in (mean, scale, fill)
        )
    return mean_row, scale_row, fill_row
