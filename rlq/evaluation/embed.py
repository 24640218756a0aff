"""Features of pictures, as the protocols want them: f(x) + f(mirrored x), of unit length."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rlq.core.console import Console
from rlq.core.distributed import Place, gather_rows
from rlq.data.batches import collate_plain
from rlq.data.datasets import PlainPictures, loader
from rlq.data.degradation import DegradationRanges
from rlq.data.transforms import TestTransform
from rlq.data.worker_pool import PATIENCE, deaths_told

Embed = Callable[[Tensor], Tensor]  # images [B, 3, H, W] -> features [B, D]


def embed_pictures(
    embed: Embed,
    paths: Sequence[Path],
    *,
    size: tuple[int, int],
    batch: int,
    workers: int,
    patience: int = PATIENCE,
    place: Place,
    console: Console,
    artefacts: DegradationRanges | None = None,
    spoilt: range | None = None,
    seed: int = 0,
    label: str = "features",
) -> np.ndarray:
    """float32 [n, D] in the order of `paths`, on every process, though each computes only its share.

    With `artefacts`, the pictures at the places `spoilt` (None: all) are spoilt first, by their place in `paths` and
    the seed alone. Always float32 arithmetic, so that figures agree.
    """
    pictures = PlainPictures(paths, TestTransform(size), ranges=artefacts, spoilt=spoilt, seed=seed)
    mine = range(place.rank, len(paths), place.world)
    batches = [list(mine[start : start + batch]) for start in range(0, len(mine), batch)]
    kept_on = place.device if place.world > 1 else torch.device("cpu")  # LaST's features take 4 GiB
    own: Tensor | None = None
    done = 0
    source = loader(pictures, batches, collate_plain, workers=workers, patience=patience, device=place.device)
    with torch.inference_mode(), deaths_told():
        for images, _ in console.progress(source, label):
            both = embed(images).float() + embed(images.flip(3)).float()  # [B, D]
            if own is None:
                own = torch.empty(len(mine), both.shape[1], device=kept_on)
            own[done : done + len(both)] = F.normalize(both)
            done += len(both)
    if own is None or place.world > 1:
        return _in_order(own, embed, place, size, len(paths))
    return own.numpy()


def _in_order(own: Tensor | None, embed: Embed, place: Place, size: tuple[int, int], total: int) -> np.ndarray:
    """Every process's rows, put back in the order of the pictures: rank r computed r, r + world, ..."""
    if own is None:  # fewer pictures than processes: an empty share, of the right width
        with torch.inference_mode():
            own = embed(torch.zeros(1, 3, *size, device=place.device)).float()[:0]
    rows = gather_rows(own)  # [total, D], rank by rank
    order = np.concatenate([np.arange(rank, total, place.world) for rank in range(place.world)])
    features = np.empty(rows.shape, np.float32)
    features[order] = rows.cpu().numpy()
    return features
