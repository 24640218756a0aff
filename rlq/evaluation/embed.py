"""Features of samples for the protocols: f(x) + f(mirrored x) of unit length; of tracklets, the mean over frames."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rlq.core.distributed import Place, gather_rows
from rlq.data.degradation import Degrading
from rlq.data.picture_source import PictureSource
from rlq.data.records import Sample

Embed = Callable[[Tensor], Tensor]  # images [B, 3, H, W] -> features [B, D]


class FeaturesOf(Protocol):
    """A function from samples to features."""

    def __call__(
        self, samples: Sequence[Sample], *, degrading: Degrading | None = None, label: str = "features"
    ) -> np.ndarray:
        """Return float32 [n, D] of unit length, in the order of the samples, on every process."""


def embed_samples(
    embed: Embed,
    samples: Sequence[Sample],
    source: PictureSource,
    *,
    degrading: Degrading | None = None,
    label: str = "features",
) -> np.ndarray:
    """Return float32 [n, D] in the order of `samples`, on every process; each process computes a share of them.

    A tracklet gets the mean of its frames' features, scaled to unit length. The places of `degrading` are those of
    samples; all pictures of such a sample are degraded, each by its own place and the seed. The arithmetic is always
    float32, so that results do not depend on the precision of training.
    """
    place = source.place
    starts = list(accumulate((len(sample) for sample in samples), initial=0))  # of each sample among all pictures
    mine = range(place.rank, len(samples), place.world)
    order = [picture for sample in mine for picture in range(starts[sample], starts[sample + 1])]
    row_of = np.repeat(np.arange(len(mine)), [len(samples[sample]) for sample in mine])  # of each picture in order
    storage = place.device if place.world > 1 else torch.device("cpu")  # the features of LaST take 4 GiB
    rows: Tensor | None = None
    done = 0
    paths = [path for sample in samples for path in sample]
    with torch.inference_mode():
        for images, _ in source.batches(paths, label=label, order=order, degrading=_of_pictures(degrading, starts)):
            features = F.normalize(embed(images).float() + embed(images.flip(3)).float())  # [B, D]
            if rows is None:
                rows = torch.zeros(len(mine), features.shape[1], device=storage)
            places = torch.from_numpy(row_of[done : done + len(features)]).to(storage)
            rows.index_add_(0, places, features.to(storage))
            done += len(features)
        if rows is not None:
            several = torch.tensor([len(samples[sample]) > 1 for sample in mine], device=storage)
            rows[several] = F.normalize(rows[several])  # the feature of a single picture already has unit length
    if rows is None or place.world > 1:
        return _in_order(rows, embed, place, source.size, len(samples))
    return rows.numpy()


def _of_pictures(degrading: Degrading | None, starts: Sequence[int]) -> Degrading | None:
    """Return `degrading` with the places of pictures instead of samples."""
    if degrading is None or degrading.places is None:
        return degrading
    places = degrading.places
    return degrading._replace(places=range(starts[places.start], starts[places.stop]))


def _in_order(rows: Tensor | None, embed: Embed, place: Place, size: tuple[int, int], total: int) -> np.ndarray:
    """Return the rows of all processes in the order of the samples; rank r computed samples r, r + world, ..."""
    if rows is None:  # fewer samples than processes: this share is empty, but its width must be right
        with torch.inference_mode():
            rows = embed(torch.zeros(1, 3, *size, device=place.device)).float()[:0]
    gathered = gather_rows(rows)  # [total, D], rank by rank
    order = np.concatenate([np.arange(rank, total, place.world) for rank in range(place.world)])
    features = np.empty(gathered.shape, np.float32)
    features[order] = gathered.cpu().numpy()
    return features
