"""The CAP step: one batch of the target set, with all losses for which there are labels."""

from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor

from rlq.core.distributed import average_gradients, gather_rows, pool_rows
from rlq.data.batches import Batch
from rlq.losses.clothes import check_owners, clothes_adversarial, clothes_cross_entropy, count_pairs
from rlq.losses.disentangle import absolute_cosine
from rlq.losses.divergence import kl_divergence
from rlq.losses.identity import smoothed_cross_entropy
from rlq.losses.triplet import batch_hard_triplet, check_partners
from rlq.methods.rlq.learner import Learner
from rlq.methods.rlq.network import Outputs
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.terms import scaling, weighted_sum


class CapStep:
    """The training step of the target set, in the order of the released code.

    After the forward pass, the clothes head is updated on detached features. Then the model is updated by all weighted
    losses; the adversarial loss uses the updated clothes head.
    """

    def __init__(self, learner: Learner, settings: RlqSettings) -> None:
        self.learner, self.settings = learner, settings
        self.epoch = 0
        self._owner = learner.owner.cpu()  # [clothes classes], to check labels before they leave the CPU
        self._outfits = self._owner.bincount()  # [identities] classes of each

    def begin(self, epoch: int) -> None:
        """Start an epoch, counted from 0."""
        self.epoch = epoch

    @property
    def with_clothes(self) -> bool:
        """Return whether clothes losses are on: from `schedule.clothes_from` on, and only with a CAL branch."""
        learns_clothes = self.learner.clothes_head is not None and self.settings.losses.clothes_adversarial > 0
        return learns_clothes and self.epoch >= self.settings.schedule.clothes_from

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Update clothes head and network by one batch. Return the terms and their weighted sum, detached."""
        learner = self.learner
        pairs = self._check_labels(batch) if learner.device.type != "cpu" else None
        pids, clothes = learner.labels(batch.pids), learner.labels(batch.clothes)
        with learner.autocast():
            outputs = learner.model(learner.images(batch.images))
        reported: dict[str, Tensor] = {}
        if self.settings.cap.low_quality:  # count copies of pictures that were already as small as their pixelation
            pictures = batch.rows // len(self.settings.kinds_of_rows)
            reported["data/cap_unchanged"] = torch.full((), batch.unchanged / pictures, device=learner.device)
        if self.with_clothes:
            assert outputs.cal is not None  # a clothes head comes with a CAL branch
            reported["clothes_ce"] = self._update_clothes_head(outputs.cal, clothes)
        terms = self.identity_terms(outputs, pids)
        terms |= self.attribute_terms(outputs, {name: learner.labels(of) for name, of in batch.labels.items()})
        if self.with_clothes:
            assert learner.clothes_head is not None  # as with_clothes says
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
        """Return the terms of identities: two cross-entropies, the triplet over all devices' rows, BOT's KL to CAL."""
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

    def attribute_terms(self, outputs: Outputs, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms of pose clusters, of genders and of Eq. (1), the cosine of pose and identity features."""
        losses, terms = self.settings.losses, {}
        if outputs.pose_logits is not None and losses.pose_ce:
            logits, smoothing = outputs.pose_logits, losses.attribute_smoothing
            terms["pose_ce"] = smoothed_cross_entropy(logits, labels["pose"], smoothing=smoothing)
        if outputs.gender_logits is not None and losses.gender_ce:
            logits, smoothing = outputs.gender_logits, losses.attribute_smoothing
            terms["gender_ce"] = smoothed_cross_entropy(logits, labels["gender"], smoothing=smoothing)
        if outputs.pose is not None and losses.pose_cosine:
            features = outputs.of(self.settings.cap.pose.on)
            terms["pose_cosine"] = reduce(torch.add, [absolute_cosine(feature, outputs.pose) for feature in features])
        return terms

    def _check_labels(self, batch: Batch) -> int | None:
        """Check labels while they are on the CPU: on a GPU, checks within the losses would wait for the device.

        Return how many classes clothes_adversarial compares, or None while clothes losses are off. Raises ValueError,
        as the losses do.
        """
        if self.settings.losses.triplet:
            check_partners(batch.pids, batch.pids)
        if not self.with_clothes:
            return None
        check_owners(batch.clothes, batch.pids, self._owner)
        return count_pairs(batch.clothes, batch.pids, self._outfits)

    def _update_clothes_head(self, features: Tensor, clothes: Tensor) -> Tensor:
        head, optimiser = self.learner.clothes_head, self.learner.clothes_optimiser
        assert head is not None and optimiser is not None  # as with_clothes says
        loss = clothes_cross_entropy(head(features.detach()), clothes, scale=self.settings.losses.clothes_scale)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(head.parameters())
        optimiser.step()
        return loss.detach()
