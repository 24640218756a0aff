"""Distillation: move features towards those of a teacher."""

import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes


def squared_direction_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """Return the squared distance of the unit vectors, summed over dimensions, mean over rows: 2 - 2 cos.

    teacher, student [B, D] of any length -> scalar in [0, 4]; both sides may get gradients.
    One term of RLQ (arXiv 2505.12580), equation 2.
    """
    check_shapes(teacher=(teacher, "B D"), student=(student, "B D"))
    difference = F.normalize(teacher.float()) - F.normalize(student.float())  # [B, D]
    return difference.square().sum(dim=1).mean()


def halves(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of the original pictures [B, ...] and those of the degraded ones [B, ...] from [2B, ...]."""
    if len(rows) % 2:
        raise ValueError(f"{len(rows)} rows cannot be pairs of a picture and its degraded version")
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]
