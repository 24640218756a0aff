"""The two sides of the clothes game: a head that names the outfit, and features that should not tell it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlq.core.shapes import check_shapes

UNLABELLED = -1  # the clothes label of rows that stay out of both losses


def clothes_cross_entropy(cosines: Tensor, labels: Tensor, scale: float = 16.0) -> Tensor:
    """Cross-entropy of `scale` times the cosines, mean over the labelled rows: trains the clothes head only.

    cosines [B, N] between features (which the caller detaches) and clothes classes, labels [B] in -1..N-1 -> scalar.
    Rows labelled -1 are left out; without any other row the loss is 0.
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
    """Ask that a feature be near all outfits of its person, own one first, and far from everybody else's.

    cosines [B, N] to the clothes classes; clothes [B] in -1..N-1; pids [B]; owner [N] = whose outfit each class is.
    Every outfit c of the row's person competes with the outfits of other people only, never with c's siblings:
    -sum_c q(c) log(e^z_c / (e^z_c + sum_others e^z)), z = scale * cosines, q = (1 - smoothing) on the row's own
    outfit + smoothing / (number of the person's outfits). Mean over the rows not labelled -1, 0 without any.
    Gu et al. 2022 (CAL, arXiv 2204.06890), equations 3 and 4.

    Two looks at labels would make the program wait for a device other than the CPU. There the caller asks
    check_owners before the labels go to it, and gives as `pairs` how many classes the labelled rows' people own in
    all, a person counted once per row (count_pairs).
    """
    check_shapes(cosines=(cosines, "B N"), clothes=(clothes, "B"), pids=(pids, "B"), owner=(owner, "N"))
    if pids.device.type == "cpu":
        check_owners(clothes, pids, owner)
    labelled = clothes != UNLABELLED
    own = (owner == pids[:, None]) & labelled[:, None]  # [B, N]
    z = scale * cosines.float()
    # The most negative number in place of -inf: a lone person in the data set then gives 0 instead of nan.
    others = z.masked_fill(own, torch.finfo(z.dtype).min).logsumexp(dim=1)  # [B]
    # The few pairs that count, where N may be 200,000.
    found = own.nonzero() if pairs is None else torch.nonzero_static(own, size=pairs)  # [pairs, 2]
    rows, classes = found.unbind(dim=1)
    positive = z[rows, classes]  # [pairs]
    log_share = positive - torch.logaddexp(positive, others[rows])
    weight = smoothing / own.sum(dim=1)[rows] + (1 - smoothing) * (classes == clothes[rows])
    return -(weight * log_share).sum() / labelled.sum().clamp(min=1)


def check_owners(clothes: Tensor, pids: Tensor, owner: Tensor) -> None:
    """Raise ValueError if a row wears clothes of somebody else: clothes [B] in -1..N-1, pids [B], owner [N]."""
    foreign = (clothes != UNLABELLED) & (owner[clothes.clamp(min=0)] != pids)
    if foreign.any():
        row = int(foreign.nonzero()[0])
        raise ValueError(
            f"row {row} is of pid {int(pids[row])} but wears clothes {int(clothes[row])}, "
            f"which belong to pid {int(owner[clothes[row]])}"
        )


def count_pairs(clothes: Tensor, pids: Tensor, outfits: Tensor) -> int:
    """How many classes the people of the labelled rows own in all; outfits [people] = how many each one owns."""
    return int(outfits[pids[clothes != UNLABELLED]].sum())
