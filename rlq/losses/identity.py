"""Cross-entropy for identities, pose clusters and genders."""

import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> Tensor:
    """Return the cross-entropy against (1 - smoothing) * one-hot + smoothing / C, mean over rows.

    logits [B, C], labels [B] in 0..C-1 -> scalar. Label smoothing of Szegedy et al. 2016 (arXiv 1512.00567), section 7.
    """
    check_shapes(logits=(logits, "B C"), labels=(labels, "B"))
    return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
