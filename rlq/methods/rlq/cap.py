"""The CAP step: one batch of the target set, with every loss that its labels allow."""

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple, TypedDict, TypeVar

import torch
from torch import Tensor, nn

from rlq.core.distributed import average_gradients, gather_rows, pool_rows
from rlq.core.errors import SettingsError
from rlq.data.batches import Batch
from rlq.losses.clothes import check_owners, clothes_adversarial, clothes_cross_entropy, count_pairs
from rlq.losses.disentangle import absolute_cosine
from rlq.losses.divergence import Reduction, kl_divergence
from rlq.losses.identity import smoothed_cross_entropy
from rlq.losses.triplet import batch_hard_triplet, check_partners
from rlq.methods.rlq.network import Outputs
from rlq.methods.rlq.settings import RlqSettings
from rlq.models.heads import CosineHead

Network = TypeVar("Network", bound=nn.Module)


class Learner(NamedTuple):
    """What a step updates, and how its forward pass is computed."""

    model: Callable[..., Outputs]  # the network, wrapped when several processes share the work
    clothes_head: CosineHead | None
    optimiser: torch.optim.Optimizer  # model, identity, pose and gender heads
    clothes_optimiser: torch.optim.Optimizer | None
    owner: Tensor  # [clothes classes] identity of each class
    device: torch.device
    compute_type: torch.dtype
    channels_last: bool

    def images(self, images: Tensor) -> Tensor:
        """A batch on the device, in the memory format that convolutions like."""
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.to(self.device, non_blocking=True).contiguous(memory_format=order)

    def labels(self, labels: Tensor) -> Tensor:
        return labels.to(self.device, non_blocking=True)

    def autocast(self) -> torch.autocast:
        """bfloat16 for the blocks; necks, heads and losses stay in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.compute_type == torch.bfloat16)


class CapStep:
    """Forward, the clothes head's own update, then all weighted losses and the model's update (recipe of the
    released code, in its order): the clothes head learns on detached features first, and the adversarial loss uses
    the head so updated."""

    def __init__(self, learner: Learner, settings: RlqSettings) -> None:
        self.learner, self.settings = learner, settings
        self.epoch = 0
        self._owner = learner.owner.cpu()  # [clothes classes] for looks at labels before they leave the CPU
        self._outfits = self._owner.bincount()  # [identities] classes of each

    def begin(self, epoch: int) -> None:
        self.epoch = epoch

    @property
    def with_clothes(self) -> bool:
        """Whether clothes count already: from `schedule.clothes_from` on, and only with a CAL branch."""
        wanted = self.learner.clothes_head is not None and self.settings.losses.clothes_adversarial > 0
        return wanted and self.epoch >= self.settings.schedule.clothes_from

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        learner = self.learner
        pairs = self._look_at_labels(batch) if learner.device.type != "cpu" else None
        pids, clothes = learner.labels(batch.pids), learner.labels(batch.clothes)
        with learner.autocast():
            outputs = learner.model(learner.images(batch.images))
        reported: dict[str, Tensor] = {}
        if self.settings.cap.low_quality:  # copies of pictures that were as small as their pixelation already
            pictures = batch.rows // len(self.settings.rows_of_a_picture)
            reported["data/cap_unchanged"] = torch.full((), batch.unchanged / pictures, device=learner.device)
        if self.with_clothes:
            assert outputs.cal is not None  # a clothes head comes with a CAL branch
            reported["clothes_ce"] = self._teach_clothes_head(outputs.cal, clothes)
        terms = self.identity_terms(outputs, pids)
        terms |= self.attribute_terms(outputs, learner.labels(batch.poses), learner.labels(batch.genders))
        if self.with_clothes:
            assert learner.clothes_head is not None  # with_clothes looked
            cosines = learner.clothes_head(outputs.cal, frozen=True)  # [B, clothes classes], of the updated head
            terms["clothes_adversarial"] = clothes_adversarial(
                cosines,
                clothes,
                pids,
                learner.owner,
                scale=self.settings.losses.clothes_scale,
                smoothing=self.settings.losses.smoothing,
                pairs=pairs,
            )
        total = weighted_sum(terms, self.settings)
        learner.optimiser.zero_grad(set_to_none=True)
        total.backward()
        learner.optimiser.step()
        return reported | {name: term.detach() for name, term in terms.items()} | {"total": total.detach()}

    def identity_terms(self, outputs: Outputs, pids: Tensor) -> dict[str, Tensor]:
        """Who it is: both cross-entropies, the triplet over all devices' rows, and BOT's divergence to CAL."""
        losses, terms = self.settings.losses, {}
        if outputs.id_cal is not None and losses.id_cal:
            terms["id_cal"] = smoothed_cross_entropy(outputs.id_cal, pids, smoothing=losses.smoothing)
        if outputs.id_bot is not None and losses.id_bot:
            terms["id_bot"] = smoothed_cross_entropy(outputs.id_bot, pids, smoothing=losses.smoothing)
        if losses.triplet:
            (feature,) = outputs.of(self.settings.anchor)
            terms["triplet"] = batch_hard_triplet(
                feature,
                pids,
                margin=losses.margin,
                pool_features=pool_rows(feature.float(), equal=True),
                pool_pids=gather_rows(pids, equal=True),
            )
        if outputs.id_cal is not None and outputs.id_bot is not None and losses.id_kl:
            terms["id_kl"] = kl_divergence(outputs.id_bot, outputs.id_cal, **scaling(self.settings))
        return terms

    def attribute_terms(self, outputs: Outputs, poses: Tensor, genders: Tensor) -> dict[str, Tensor]:
        """What else is seen: pose cluster, gender, and Eq. (1), the pose feature orthogonal to the identity's."""
        losses, terms = self.settings.losses, {}
        if outputs.pose_logits is not None and losses.pose_ce:
            terms["pose_ce"] = smoothed_cross_entropy(outputs.pose_logits, poses, smoothing=losses.attribute_smoothing)
        if outputs.gender_logits is not None and losses.gender_ce:
            logits, smoothing = outputs.gender_logits, losses.attribute_smoothing
            terms["gender_ce"] = smoothed_cross_entropy(logits, genders, smoothing=smoothing)
        if outputs.pose is not None and losses.pose_cosine:
            features = outputs.of(self.settings.cap.pose.on)
            terms["pose_cosine"] = reduce(torch.add, [absolute_cosine(feature, outputs.pose) for feature in features])
        return terms

    def _look_at_labels(self, batch: Batch) -> int | None:
        """What the losses look at themselves on a CPU, before the labels go to a device that each look would wait for.

        Returns how many classes clothes_adversarial compares, None before clothes count. Raises ValueError as the
        losses do.
        """
        if self.settings.losses.triplet:
            check_partners(batch.pids, batch.pids)
        if not self.with_clothes:
            return None
        check_owners(batch.clothes, batch.pids, self._owner)
        return count_pairs(batch.clothes, batch.pids, self._outfits)

    def _teach_clothes_head(self, features: Tensor, clothes: Tensor) -> Tensor:
        head, optimiser = self.learner.clothes_head, self.learner.clothes_optimiser
        assert head is not None and optimiser is not None  # with_clothes looked
        loss = clothes_cross_entropy(head(features.detach()), clothes, scale=self.settings.losses.clothes_scale)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(head.parameters())
        optimiser.step()
        return loss.detach()


# The weight of each term; the two KL terms on identities, the four distances to the teacher and the two between the
# student's own features share one each.
WEIGHT_OF = {
    "kl_id_cal": "kl_id",
    "kl_id_bot": "kl_id",
    "distill_cal_hq": "distill",
    "distill_cal_lq": "distill",
    "distill_bot_hq": "distill",
    "distill_bot_lq": "distill",
    "ss_mse_cal": "ss_mse",
    "ss_mse_bot": "ss_mse",
}


def weighted_sum(terms: dict[str, Tensor], settings: RlqSettings) -> Tensor:
    """The loss that is trained: every term times its weight in `losses`. Raises SettingsError when none teaches."""
    if not any(term.requires_grad for term in terms.values()):
        raise SettingsError("losses gives no term of this pass both a weight and a gradient: nothing would be learnt")
    return sum(getattr(settings.losses, WEIGHT_OF.get(name, name)) * term for name, term in terms.items())


class Scaling(TypedDict):
    """What kl_divergence and tad_self_supervision are told about the size of their terms."""

    tau: float
    coefficient: float
    reduction: Reduction


def scaling(settings: RlqSettings) -> Scaling:
    """`losses.kl` as kl_divergence takes it."""
    kl = settings.losses.kl
    return {"tau": kl.tau, "coefficient": kl.coefficient, "reduction": kl.reduction}


def freeze(network: Network) -> Network:
    """The network in evaluation mode, without gradients: a teacher."""
    return network.eval().requires_grad_(False)
