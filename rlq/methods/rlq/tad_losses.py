"""The terms of task-agnostic distillation (RLQ, arXiv 2505.12580, equations 2 and 3).

A student's features of a picture and of its degraded version should equal a teacher's features of the picture.
"""

from torch import Tensor

from rlq.losses.distillation import halves, squared_direction_distance
from rlq.losses.divergence import Reduction, kl_divergence


def tad_distillation(teacher: dict[str, Tensor], student: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms of equation 2, `distill_<branch>_<hq|lq>`, whose sum is L_D.

    teacher: per branch ("cal", "bot") the features [B, D] of the pictures. student: for the same branches the features
    [2B, D] of the pictures and, below them, of their degraded versions in the same order.
    """
    terms = {}
    for branch, target in teacher.items():
        hq, lq = halves(student[branch])
        terms[f"distill_{branch}_hq"] = squared_direction_distance(target, hq)
        terms[f"distill_{branch}_lq"] = squared_direction_distance(target, lq)
    return terms


def tad_consistency(student: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms of the variant SS_MSE, `ss_mse_<branch>`: distances between features of both versions.

    student: per branch ("cal", "bot") the features [2B, D] of the pictures and, below them, of their degraded versions
    in the same order. The gradient flows into both halves. RLQ (arXiv 2505.12580), table 7, names these distances
    without a formula. Our reading [R] is equation 2 with the student's own features of the pictures instead of the
    teacher's. They are unit vectors, so that all terms have one scale, and smaller features do not reduce the loss.
    """
    return {f"ss_mse_{branch}": squared_direction_distance(*halves(both)) for branch, both in student.items()}


def tad_self_supervision(
    logits: dict[str, Tensor],
    *,
    tau: float = 0.8,
    coefficient: float = 0.4096,
    reduction: Reduction = "elements",
    stopgrad_hq: bool = False,
) -> dict[str, Tensor]:
    """Return the terms of RLQ's equation 3, `kl_<name>`, whose sum is L_S.

    logits: per classifier ("clothes", "id_cal", "id_bot") its output [2B, C] over the classes of the *target* data
    for the pictures and, below them, for their degraded versions. The first half is the target of each divergence.
    """
    terms = {}
    for name, both in logits.items():
        hq, lq = halves(both)
        terms[f"kl_{name}"] = kl_divergence(
            hq, lq, tau=tau, coefficient=coefficient, reduction=reduction, stopgrad_target=stopgrad_hq
        )
    return terms
