"""The loss terms of RLQ, each with its weight."""

from collections.abc import Mapping
from functools import reduce
from typing import TypedDict

import torch
from torch import Tensor

from rlq.core.errors import SettingsError
from rlq.losses.divergence import Reduction
from rlq.methods.rlq.sections import LossSettings
from rlq.methods.rlq.settings import RlqSettings


def weights(losses: LossSettings) -> dict[str, float]:
    """Return the weight of every term, by the term's name in metrics. Terms of one kind share a weight."""
    return {
        "id_cal": losses.id_cal,
        "id_bot": losses.id_bot,
        "clothes_adversarial": losses.clothes_adversarial,
        "triplet": losses.triplet,
        "id_kl": losses.id_kl,
        "pose_ce": losses.pose_ce,
        "gender_ce": losses.gender_ce,
        "pose_cosine": losses.pose_cosine,
        "kl_clothes": losses.kl_clothes,
        "kl_id_cal": losses.kl_id,
        "kl_id_bot": losses.kl_id,
        "distill_cal_hq": losses.distill,
        "distill_cal_lq": losses.distill,
        "distill_bot_hq": losses.distill,
        "distill_bot_lq": losses.distill,
        "ss_mse_cal": losses.ss_mse,
        "ss_mse_bot": losses.ss_mse,
    }


def weighted_sum(terms: Mapping[str, Tensor], settings: RlqSettings) -> Tensor:
    """Return the sum of all terms times their weights. Raises SettingsError if none has a gradient."""
    if not any(term.requires_grad for term in terms.values()):
        raise SettingsError(
            "losses: no term of this pass has a weight and a gradient, so nothing would be trained; raise a weight"
        )
    weight_of = weights(settings.losses)
    return reduce(torch.add, [weight_of[name] * term for name, term in terms.items()])


class Scaling(TypedDict):
    """Arguments of kl_divergence and tad_self_supervision for the scale of their terms."""

    tau: float
    coefficient: float
    reduction: Reduction


def scaling(settings: RlqSettings) -> Scaling:
    """Return `losses.kl` as arguments of kl_divergence."""
    kl = settings.losses.kl
    return {"tau": kl.tau, "coefficient": kl.coefficient, "reduction": kl.reduction}
