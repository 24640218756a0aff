"""The TAD step: one batch of external pictures, good ones and bad twins, under a frozen teacher or without one."""

from collections.abc import Callable

import torch
from torch import Tensor

from rlq.data.batches import PairBatch
from rlq.methods.rlq.learner import Learner
from rlq.methods.rlq.network import Outputs, RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.tad_losses import tad_consistency, tad_distillation, tad_self_supervision
from rlq.methods.rlq.terms import scaling, weighted_sum

Wanted = Callable[[PairBatch, Tensor], dict[str, Tensor]]  # batch and its good pictures -> features [P, D] by branch


class TadStep:
    """HQ and LQ rows go through the student together, in train mode, so batch norm sees both; the teacher sees the
    same HQ tensor in evaluation mode. Eq. (2) pulls both to the teacher, Eq. (3) the LQ predictions to the HQ ones;
    the paper's variant SS_MSE pulls LQ and HQ features together. Without `losses.distill` there is no teacher."""

    def __init__(
        self, learner: Learner, teacher: RlqNetwork | None, settings: RlqSettings, wanted: Wanted | None = None
    ) -> None:
        """`wanted` gives the teacher's features by other means than calling it."""
        if teacher is None and settings.losses.distill:
            raise ValueError("losses.distill pulls features to a teacher's, and there is none")
        self.learner, self.teacher, self.settings = learner, teacher, settings
        self.wanted = wanted or self._seen_by_teacher

    def __call__(self, batch: PairBatch) -> dict[str, Tensor]:
        learner, losses = self.learner, self.settings.losses
        hq = learner.images(batch.hq)
        pairs = len(hq)
        wanted: dict[str, Tensor] = {}
        with learner.autocast():
            if losses.distill:
                with torch.no_grad():
                    wanted = self.wanted(batch, hq)
            student = learner.model(learner.images(torch.cat([hq, learner.images(batch.lq)])), attributes=False)
        features: dict[str, Tensor] = {name: getattr(student, name) for name in self.settings.branches}  # each [2P, D]
        terms: dict[str, Tensor] = {}
        if losses.distill:
            terms |= tad_distillation({name: wanted[name] for name in features}, features)
        if losses.ss_mse:
            terms |= tad_consistency(features)
        kl = self.settings.losses.kl
        terms |= tad_self_supervision(self._logits(student), stopgrad_hq=kl.stopgrad_hq, **scaling(self.settings))
        total = weighted_sum(terms, self.settings)
        learner.optimiser.zero_grad(set_to_none=True)
        total.backward()
        learner.optimiser.step()
        reported = {name: term.detach() for name, term in terms.items()} | {"total": total.detach()}
        # Pictures that were as small as their pixelation already: their LQ twin differs by crop, flip and erasing only.
        return reported | {"data/tad_unchanged": torch.full((), batch.unchanged / pairs, device=total.device)}

    def _seen_by_teacher(self, batch: PairBatch, hq: Tensor) -> dict[str, Tensor]:
        assert self.teacher is not None  # as losses.distill asks for one
        return self.teacher.branch_features(hq)

    def _logits(self, student: Outputs) -> dict[str, Tensor]:
        """What Eq. (3) compares, each [2P, classes of the target set]: HQ rows, then LQ rows."""
        losses = self.settings.losses
        found: dict[str, Tensor] = {}
        if losses.kl_id:
            found |= {f"id_{name}": getattr(student, f"id_{name}") for name in self.settings.branches}
        if student.cal is not None and losses.kl_clothes:
            found["clothes"] = self._clothes_logits(student.cal)
        return found

    def _clothes_logits(self, features: Tensor) -> Tensor:
        """`detached`: raw cosines of detached features, as the released code has it, a number without effect.
        `live`: the head frozen, gradient into the features, cosines with their factor."""
        head = self.learner.clothes_head
        assert head is not None  # it comes with a CAL branch
        if self.settings.tad.clothes_kl == "detached":
            return head(features.detach(), frozen=True)
        return head(features, frozen=True) * self.settings.losses.clothes_scale
