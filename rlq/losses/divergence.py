"""The Kullback-Leibler divergence between the predictions of two classifiers."""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes

Reduction = Literal["elements", "batch"]


@dataclass(frozen=True)
class KlScaling:
    """Temperature and scale of a divergence."""

    tau: float  # temperature: logits are divided by it
    coefficient: float
    reduction: Reduction  # the sum is divided by rows * classes, or by rows


# The scaling of the released code (0.4096 = 0.64 tau^2), and the divergence as the paper defines it.
KL_PRESETS = {"official": KlScaling(0.8, 0.4096, "elements"), "plain": KlScaling(1.0, 1.0, "batch")}


def kl_divergence(
    target_logits: Tensor,
    input_logits: Tensor,
    *,
    tau: float = 0.8,
    coefficient: float = 0.4096,
    reduction: Reduction = "elements",
    stopgrad_target: bool = False,
) -> Tensor:
    """Return coefficient * KL(softmax(target / tau) || softmax(input / tau)), over rows * classes or over rows.

    target_logits, input_logits [B, C] -> scalar >= 0. Both get gradients, unless `stopgrad_target`.
    Hinton et al. 2015 (arXiv 1503.02531), section 2; here between two students of the same batch.
    """
    sizes = check_shapes(target_logits=(target_logits, "B C"), input_logits=(input_logits, "B C"))
    # F.kl_div is not used, because the meaning of its reduction="mean" will change.
    divisors = {"elements": sizes["B"] * sizes["C"], "batch": sizes["B"]}
    if reduction not in divisors:
        raise ValueError(f"reduction = {reduction!r} should be one of {sorted(divisors)}")
    if stopgrad_target:
        target_logits = target_logits.detach()
    target = F.log_softmax(target_logits.float() / tau, dim=1)  # [B, C]
    prediction = F.log_softmax(input_logits.float() / tau, dim=1)  # [B, C]
    return coefficient * (target.exp() * (target - prediction)).sum() / divisors[reduction]
