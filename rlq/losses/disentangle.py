"""Disentangle two features, such as identity and pose."""

import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes


def absolute_cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return |cos(a, b)|, mean over rows, with gradients for both; 0 if they are orthogonal.

    a, b [B, D] -> scalar in [0, 1]. RLQ (arXiv 2505.12580), equation 1.
    """
    check_shapes(a=(a, "B D"), b=(b, "B D"))
    return F.cosine_similarity(a.float(), b.float(), dim=1).abs().mean()
