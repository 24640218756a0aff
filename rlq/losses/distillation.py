"""Pull features to those of a teacher."""

import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes


def squared_direction_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """Squared distance of the unit vectors, summed over dimensions, mean over rows: 2 - 2 cos.

    teacher, student [B, D] of any length -> scalar in [0, 4]; with gradient into whichever side carries one.
    One term of RLQ (arXiv 2505.12580), equation 2.
    """
    check_shapes(teacher=(teacher, "B D"), student=(student, "B D"))
    apart = F.normalize(teacher.float()) - F.normalize(student.float())  # [B, D]
    return apart.square().sum(dim=1).mean()


def halves(rows: Tensor) -> tuple[Tensor, Tensor]:
    """[2B, ...] -> the good pictures' [B, ...] and the bad ones' [B, ...]."""
    if len(rows) % 2:
        raise ValueError(f"{len(rows)} rows are not as many good pictures as bad ones")
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]
