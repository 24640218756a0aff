"""From a picture to the network's input, for training and for testing.

The steps and constants of CAL (Gu et al. 2022, arXiv 2204.06890), which RLQ keeps. Every call is seeded by the caller,
so what a picture looks like depends neither on the worker that loads it nor on what was loaded before. Results are
[3, H, W] whose channels lie together in memory: no copy here, and the order that convolutions like best.
"""

import math
import os
import random
import signal
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

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


class Augmented(NamedTuple):
    """A training input and what happened to it."""

    image: np.ndarray  # float32 [3, H, W]
    flipped: bool


class TrainTransform:
    """Resize, crop from an enlarged picture or not, flip or not, normalise, erase a rectangle or not."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.steps = A.Compose(
            [
                EnlargeAndCrop(height=size[0], width=size[1], p=0.5),
                A.HorizontalFlip(p=0.5),
                A.Normalize(mean=MEAN, std=DEVIATION),
                EraseRectangle(p=0.5),
            ],
            strict=True,
            save_applied_params=True,
        )

    def __call__(self, picture: np.ndarray, seed: int) -> Augmented:
        """picture uint8 [h, w, 3] -> float32 [3, H, W]; equal seeds, equal results."""
        # One stream for all steps: `set_random_seed` would give each its own copy of the same one, and then flipping,
        # cropping and erasing always happen together.
        self.steps.set_random_state(np.random.default_rng(seed), random.Random(seed))
        result = self.steps(image=resize(picture, self.size))
        flipped = any(name == "HorizontalFlip" for name, _ in result["applied_transforms"])
        return Augmented(_channels_first(result["image"]), flipped)


class TestTransform:
    """Resize and normalise."""

    __test__ = False  # the name is no test's

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.steps = A.Compose([A.Normalize(mean=MEAN, std=DEVIATION)], strict=True)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """picture uint8 [h, w, 3] -> float32 [3, H, W]."""
        return _channels_first(self.steps(image=resize(picture, self.size))["image"])


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Antialiased bilinear resize to (height, width), as Pillow does it up to one grey level; OpenCV's does not smooth.

    uint8 [h, w, 3] -> uint8 [H, W, 3]. torch does it 2 to 3 times as fast as Pillow, if given the channels last.
    """
    if picture.shape[:2] == tuple(size):
        return picture
    pixels = torch.from_numpy(np.ascontiguousarray(picture)[None]).permute(0, 3, 1, 2)  # [1, 3, h, w]
    resized = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)  # [1, 3, H, W]
    return resized.permute(0, 2, 3, 1)[0].numpy()  # [H, W, 3]


class EnlargeAndCrop(ImageOnlyTransform):
    """Enlarge a picture by 1.125 and cut its old size from a uniform place: one decision for both."""

    class InitSchema(BaseTransformInitSchema):
        height: int
        width: int

    def __init__(self, height: int, width: int, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.height = height
        self.width = width

    def get_params(self) -> dict[str, int]:
        return {
            "top": self.py_random.randint(0, round(self.height * ENLARGEMENT) - self.height),
            "left": self.py_random.randint(0, round(self.width * ENLARGEMENT) - self.width),
        }

    def apply(self, img: np.ndarray, top: int, left: int, **_: object) -> np.ndarray:
        enlarged = resize(img, (round(self.height * ENLARGEMENT), round(self.width * ENLARGEMENT)))
        return np.ascontiguousarray(enlarged[top : top + self.height, left : left + self.width])


class EraseRectangle(ImageOnlyTransform):
    """Random erasing (Zhong et al. 2017, arXiv 1708.04896): area and aspect are drawn until the rectangle fits."""

    class InitSchema(BaseTransformInitSchema):
        pass

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p=p)

    def get_params_dependent_on_data(self, params: dict, data: dict) -> dict[str, object]:
        height, width = params["shape"][:2]
        for _ in range(ERASING_TRIES):
            area = self.py_random.uniform(*ERASED_AREA) * height * width
            aspect = self.py_random.uniform(*ERASED_ASPECT)
            tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if tall < height and wide < width:
                top = self.py_random.randint(0, height - tall)
                left = self.py_random.randint(0, width - wide)
                return {"rectangle": (top, left, tall, wide)}
        return {"rectangle": (0, 0, 0, 0)}

    def apply(self, img: np.ndarray, rectangle: tuple[int, int, int, int], **_: object) -> np.ndarray:
        top, left, tall, wide = rectangle
        img[top : top + tall, left : left + wide] = ERASED_FILL  # in place: normalising has just made it
        return img


def quiet_worker(worker: int) -> None:
    """Start a loader process: one thread each, as the processes already share the cores."""
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the main one decides what it means


def _channels_first(image: np.ndarray) -> np.ndarray:
    return image.transpose(2, 0, 1)  # [3, H, W]
