"""Pull pictures of one person together, push the nearest stranger away."""

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
    """Ask that each sample's farthest picture of the same person be nearer than its nearest stranger, by a margin.

    features [B, D] of any length, as only their angle counts; pids [B] -> scalar in [0, 2 + margin].
    The partners come from the pool [P, D], pool_pids [P], by default the batch itself. Over several devices it is
    everybody's rows, this device's own ones included, and the caller decides which of them carry gradient.
    The sample itself is among its own partners, at distance 0.
    Raises ValueError at pids that allow no triplet, on a CPU; for other devices the caller asks check_partners before
    the pids go there, as a look at them later would wait for the device.
    The batch-hard form of Hermans et al. 2017 (arXiv 1703.07737), with cosine distance.
    """
    if (pool_features is None) != (pool_pids is None):
        raise ValueError("pool_features and pool_pids go together, only one of them was given")
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
    farthest_own = distance.masked_fill(~same, -torch.inf).amax(dim=1)  # [B]
    nearest_stranger = distance.masked_fill(same, torch.inf).amin(dim=1)  # [B]
    return F.relu(farthest_own - nearest_stranger + margin).mean()


def check_partners(pids: Tensor, pool_pids: Tensor) -> None:
    """Raise ValueError unless every one of pids [B] has a stranger and a partner in pool_pids [P]."""
    same = pids[:, None] == pool_pids  # [B, P]
    if same.all(dim=1).any():
        raise ValueError(
            f"a triplet needs two identities, all {len(pool_pids)} samples are of pid {int(pool_pids[0])}; "
            "a larger data.batch, or losses.triplet=0?"
        )
    if not same.any(dim=1).all():
        raise ValueError("the pool lacks the samples of this batch")
