"""The TAD step: one batch of external pictures and their degraded versions, with a frozen teacher or without one."""

from collections.abc import Callable

import torch
from torch import Tensor

from rlq.data.batches import PairBatch
from rlq.methods.rlq.learner import Learner
from rlq.methods.rlq.network import Outputs, RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.tad_losses import tad_consistency, tad_distillation, tad_self_supervision
from rlq.methods.rlq.terms import scaling, weighted_sum

TeacherFeatures = Callable[[PairBatch, Tensor], dict[str, Tensor]]  # batch, its HQ pictures -> [P, D] by branch


class TadStep:
    """The training step of task-agnostic distillation. HQ are the external pictures, LQ their degraded versions.

    HQ and LQ rows pass through the student together, in training mode, so that batch norms use both. The teacher, in
    evaluation mode, gets the same HQ tensor. Eq. (2) pulls the features of both to the teacher's, Eq. (3) the LQ
    predictions to the HQ ones; the paper's variant SS_MSE pulls LQ and HQ features together. Without `losses.distill`
    there is no teacher.
    """

    def __init__(
        self,
        learner: Learner,
        teacher: RlqNetwork | None,
        settings: RlqSettings,
        teacher_features: TeacherFeatures | None = None,
    ) -> None:
        """Prepare the step. `teacher_features` gives the teacher's features; None: by calling the teacher."""
        if teacher is None and settings.losses.distill:
            raise ValueError(f"losses.distill = {settings.losses.distill} needs a teacher, and there is none")
        self.learner, self.teacher, self.settings = learner, teacher, settings
        self.teacher_features = teacher_features or self._call_teacher

    def __call__(self, batch: PairBatch) -> dict[str, Tensor]:
        """Update the network by one batch. Return the terms and their weighted sum, detached."""
        learner, losses = self.learner, self.settings.losses
        hq = learner.images(batch.hq)
        pairs = len(hq)
        targets: dict[str, Tensor] = {}  # the teacher's features, each [P, D]
        with learner.autocast():
            if losses.distill:
                with torch.no_grad():
                    targets = self.teacher_features(batch, hq)
            student = learner.model(learner.images(torch.cat([hq, learner.images(batch.lq)])), attributes=False)
        features: dict[str, Tensor] = {name: getattr(student, name) for name in self.settings.branches}  # each [2P, D]
        terms: dict[str, Tensor] = {}
        if losses.distill:
            terms |= tad_distillation({name: targets[name] for name in features}, features)
        if losses.ss_mse:
            terms |= tad_consistency(features)
        kl = self.settings.losses.kl
        terms |= tad_self_supervision(self._logits(student), stopgrad_hq=kl.stopgrad_hq, **scaling(self.settings))
        total = weighted_sum(terms, self.settings)
        learner.optimiser.zero_grad(set_to_none=True)
        total.backward()
        learner.optimiser.step()
        reported = {name: term.detach() for name, term in terms.items()} | {"total": total.detach()}
        # Pictures already as small as their pixelation: their LQ version differs by crop, flip and erasing only.
        return reported | {"data/tad_unchanged": torch.full((), batch.unchanged / pairs, device=total.device)}

    def _call_teacher(self, batch: PairBatch, hq: Tensor) -> dict[str, Tensor]:
        assert self.teacher is not None  # as losses.distill needs one
        return self.teacher.branch_features(hq)

    def _logits(self, student: Outputs) -> dict[str, Tensor]:
        """Return the logits that Eq. (3) compares, each [2P, classes of the target set]: HQ rows, then LQ rows."""
        losses = self.settings.losses
        logits: dict[str, Tensor] = {}
        if losses.kl_id:
            logits |= {f"id_{name}": getattr(student, f"id_{name}") for name in self.settings.branches}
        if student.cal is not None and losses.kl_clothes:
            logits["clothes"] = self._clothes_logits(student.cal)
        return logits

    def _clothes_logits(self, features: Tensor) -> Tensor:
        """Return the clothes head's output, by tad.clothes_kl.

        `detached`: unscaled cosines of detached features, as in the released code, which have no effect on training.
        `live`: scaled cosines, with gradient into the features and a frozen head.
        """
        head = self.learner.clothes_head
        assert head is not None  # it comes with a CAL branch
        if self.settings.tad.clothes_kl == "detached":
            return head(features.detach(), frozen=True)
        return head(features, frozen=True) * self.settings.losses.clothes_scale
