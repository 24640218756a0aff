"""Triplet loss: move features of one person together and those of other people away."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes


def batch_hard_triplet(
    features: Tensor,
    pids: Tensor,
    *,
    margin: float = 0.3,
    pool_features: Tensor | None = None,
    pool_pids: Tensor | None = None,
) -> Tensor:
    """Require the farthest sample of the same person to be nearer than the nearest other person, by a margin.

    features [B, D] of any length, because only angles count; pids [B] -> scalar in [0, 2 + margin].
    The other samples come from the pool [P, D], pool_pids [P], by default the batch itself. With several devices, the
    pool has the rows of all devices, this one included; the caller decides which rows get gradients.
    A sample is also compared with itself, at distance 0.
    Raise ValueError for pids without triplets, on a CPU. For other devices the caller calls check_partners before it
    moves the pids there, because reading them back would wait for the device.
    The batch-hard form of Hermans et al. 2017 (arXiv 1703.07737), with cosine distance.
    """
    if (pool_features is None) != (pool_pids is None):
        raise ValueError("pool_features and pool_pids must be given together")
    if pool_features is None or pool_pids is None:
        pool_features, pool_pids = features, pids
    check_shapes(
        features=(features, "B D"), pids=(pids, "B"), pool_features=(pool_features, "P D"), pool_pids=(pool_pids, "P")
    )
    if pids.device.type == "cpu":
        check_partners(pids, pool_pids)
    same = pids[:, None] == pool_pids  # [B, P]
    # Autocast would round the product to bfloat16, whatever the type of the features.
    with torch.autocast(features.device.type, enabled=False):
        distance = 1 - F.normalize(features.float()) @ F.normalize(pool_features.float()).T  # [B, P]
    farthest_match = distance.masked_fill(~same, -torch.inf).amax(dim=1)  # [B]
    nearest_other = distance.masked_fill(same, torch.inf).amin(dim=1)  # [B]
    return F.relu(farthest_match - nearest_other + margin).mean()


def check_partners(pids: Tensor, pool_pids: Tensor) -> None:
    """Raise ValueError unless pool_pids [P] has the same person and another person for each of pids [B]."""
    same = pids[:, None] == pool_pids  # [B, P]
    if same.all(dim=1).any():
        raise ValueError(
            f"a triplet needs two identities, all {len(pool_pids)} samples are of pid {int(pool_pids[0])}; "
            "a larger data.batch, or losses.triplet=0?"
        )
    if not same.any(dim=1).all():
        raise ValueError("the pool has no sample of some people of this batch")
