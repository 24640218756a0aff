"""The training pipeline as it is usually written, with Pillow pictures and float tensors, in our own words.

Its steps and probabilities are those of CAL (Gu et al. 2022, arXiv 2204.06890), as in the pipeline of rlq.
"""

import math
import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from rlq.data.degradation import Degradation, motion_kernel
from rlq.data.transforms import (
    DEVIATION,
    ENLARGEMENT,
    ERASED_AREA,
    ERASED_ASPECT,
    ERASED_FILL,
    ERASING_TRIES,
    MEAN,
)


class PlainTraining(Dataset):
    """Training pictures from files: float32 [3, H, W] each."""

    def __init__(self, paths: Sequence[Path], size: tuple[int, int]) -> None:
        self.paths, self.size = list(paths), size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        return transform(Image.open(self.paths[index]).convert("RGB"), self.size)


def transform(image: Image.Image, size: tuple[int, int]) -> Tensor:
    """Resize, perhaps enlarge and crop, perhaps flip, make a tensor, normalise, perhaps erase."""
    height, width = size
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    if random.random() < 0.5:
        wide, high = round(width * ENLARGEMENT), round(height * ENLARGEMENT)
        left, top = random.randint(0, wide - width), random.randint(0, high - height)
        image = image.resize((wide, high), Image.Resampling.BILINEAR).crop((left, top, left + width, top + height))
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)  # [3, H, W]
    tensor = (tensor - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    return _erase(tensor) if random.random() < 0.5 else tensor


def plain_degrade(picture: np.ndarray, degradation: Degradation) -> np.ndarray:
    """Degrade a picture, uint8 [H, W, 3], with one call of a library for each kind."""
    if degradation.kind == "motion":
        return cv2.filter2D(picture, -1, motion_kernel(degradation.size, degradation.angle))
    if degradation.kind == "gaussian":
        weights = cv2.getGaussianKernel(degradation.size, degradation.sigma, cv2.CV_32F)
        floats = cv2.sepFilter2D(picture.astype(np.float32), -1, weights, weights, borderType=cv2.BORDER_REFLECT_101)
        return np.clip(np.rint(floats), 0, 255).astype(np.uint8)
    image = Image.fromarray(picture)
    share = degradation.size / min(image.size)
    return np.array(image.resize((max(1, int(image.width * share)), max(1, int(image.height * share)))))


def _erase(tensor: Tensor) -> Tensor:
    """Erase a random rectangle in place."""
    height, width = tensor.shape[1:]
    for _ in range(ERASING_TRIES):
        area = random.uniform(*ERASED_AREA) * height * width
        aspect = random.uniform(*ERASED_ASPECT)
        tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if tall < height and wide < width:
            top, left = random.randint(0, height - tall), random.randint(0, width - wide)
            tensor[:, top : top + tall, left : left + wide] = torch.tensor(ERASED_FILL)[:, None, None]
            break
    return tensor
