"""Faster features: batch norms folded, blocks in bfloat16. They are near the exact ones; some ranks change."""

from dataclasses import replace

import torch
from torch import Tensor

from rlq.core.distributed import has_bfloat16
from rlq.core.errors import RlqError
from rlq.evaluation.embed import Embed
from rlq.methods.ranking import PictureModel
from rlq.methods.rlq.network import RlqNetwork
from rlq.models.folding import fold_batch_norms, largest_deviation

TOLERANCE = 1e-3  # of the length of a feature, which folding alone may change in float32


def fast_model(model: PictureModel, device: torch.device) -> PictureModel:
    """Return the same model with batch norms folded, computing in bfloat16 if the hardware does.

    The given model's network is changed. Raises RlqError if folding changes the features of its backbone.
    """
    return replace(model, image_features=make_fast(model.network, model.settings.data.size, device))


def make_fast(network: RlqNetwork, size: tuple[int, int], device: torch.device) -> Embed:
    """Change a frozen network in place, so that it computes features faster; return the function that does.

    It computes in bfloat16 if the hardware does. Raises RlqError if folding changes the features of this backbone.
    """
    trial = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.inference_mode():
        exact = network.embed(trial)
        fold_batch_norms(network)
        off = largest_deviation(network.embed(trial), exact)
    if not off <= TOLERANCE:
        raise RlqError(
            f"folding batch norms changes the features of {type(network).__name__} by {off:.1e} of their length, more "
            f"than {TOLERANCE:.0e}; leave out --fast for this backbone"
        )
    kind = torch.bfloat16 if has_bfloat16(device) else torch.float32
    for part in (network.trunk, *(branch.blocks for branch in network.branches.values())):
        part.to(kind)

    def embed(images: Tensor) -> Tensor:
        return network.embed(images.to(kind))

    return embed
