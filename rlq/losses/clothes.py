"""Clothes losses of CAL: train a head to classify outfits, and features from which it cannot."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes

UNLABELLED = -1  # the clothes label of rows that are left out of both losses


def clothes_cross_entropy(cosines: Tensor, labels: Tensor, scale: float = 16.0) -> Tensor:
    """Return the cross-entropy of `scale` times the cosines, mean over labelled rows; it trains the clothes head only.

    cosines [B, N] between features (which the caller detaches) and clothes classes, labels [B] in -1..N-1 -> scalar.
    Rows labelled -1 are left out; the loss of no rows is 0.
    Gu et al. 2022 (CAL, arXiv 2204.06890), equation 1; `scale` is the inverse of its temperature.
    """
    check_shapes(cosines=(cosines, "B N"), labels=(labels, "B"))
    sum_of_rows = F.cross_entropy(scale * cosines.float(), labels, ignore_index=UNLABELLED, reduction="sum")
    return sum_of_rows / (labels != UNLABELLED).sum().clamp(min=1)


def clothes_adversarial(
    cosines: Tensor,
    clothes: Tensor,
    pids: Tensor,
    owner: Tensor,
    *,
    scale: float = 16.0,
    smoothing: float = 0.1,
    pairs: int | None = None,
) -> Tensor:
    """Move features towards all outfits of their person, most to the one worn, and away from those of other people.

    cosines [B, N] to the clothes classes; clothes [B] in -1..N-1; pids [B]; owner [N] = the person of each class.
    Every outfit c of the row's person competes with the outfits of other people only:
    -sum_c q(c) log(e^z_c / (e^z_c + sum_others e^z)), z = scale * cosines, q = (1 - smoothing) on the outfit that is
    worn + smoothing / (number of the person's outfits). Mean over the rows not labelled -1; 0 without such rows.
    Gu et al. 2022 (CAL, arXiv 2204.06890), equations 3 and 4.

    Reading labels back from a GPU would make the program wait. The caller therefore calls check_owners before it moves
    the labels there, and passes the result of count_pairs as `pairs`.
    """
    check_shapes(cosines=(cosines, "B N"), clothes=(clothes, "B"), pids=(pids, "B"), owner=(owner, "N"))
    if pids.device.type == "cpu":
        check_owners(clothes, pids, owner)
    labelled = clothes != UNLABELLED
    is_own = (owner == pids[:, None]) & labelled[:, None]  # [B, N]
    z = scale * cosines.float()
    # With the lowest number instead of -inf, a data set of one person gives 0 instead of nan.
    others = z.masked_fill(is_own, torch.finfo(z.dtype).min).logsumexp(dim=1)  # [B]
    # Few pairs are needed, while N may be 200,000.
    indices = is_own.nonzero() if pairs is None else torch.nonzero_static(is_own, size=pairs)  # [pairs, 2]
    rows, classes = indices.unbind(dim=1)
    positive = z[rows, classes]  # [pairs]
    log_share = positive - torch.logaddexp(positive, others[rows])
    weight = smoothing / is_own.sum(dim=1)[rows] + (1 - smoothing) * (classes == clothes[rows])
    return -(weight * log_share).sum() / labelled.sum().clamp(min=1)


def check_owners(clothes: Tensor, pids: Tensor, owner: Tensor) -> None:
    """Raise ValueError if a row's clothes belong to another person: clothes [B] in -1..N-1, pids [B], owner [N]."""
    foreign = (clothes != UNLABELLED) & (owner[clothes.clamp(min=0)] != pids)
    if foreign.any():
        row = int(foreign.nonzero()[0])
        raise ValueError(
            f"row {row} has pid {int(pids[row])} and clothes {int(clothes[row])}, "
            f"which belong to pid {int(owner[clothes[row]])}"
        )


def count_pairs(clothes: Tensor, pids: Tensor, outfits: Tensor) -> int:
    """Return the number of pairs of a labelled row and a clothes class of its person.

    clothes [B], pids [B], outfits [people] = the number of classes of each person.
    """
    return int(outfits[pids[clothes != UNLABELLED]].sum())
