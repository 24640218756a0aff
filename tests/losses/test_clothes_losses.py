import math

import pytest
import torch
from naming import assert_names

from rlq.losses.clothes import clothes_adversarial, clothes_cross_entropy

OWNER = torch.tensor([0, 1, 1, 2, 2, 2, 3])  # uneven: 1, 2, 3 and 1 outfits
PIDS = torch.tensor([2, 0, 1, 2, 3])
CLOTHES = torch.tensor([4, 0, 2, 5, 6])


def random_cosines(rows: int = 5, classes: int = 7) -> torch.Tensor:
    return torch.rand(rows, classes, generator=torch.Generator().manual_seed(1)) * 2 - 1


def adversarial_by_loops(cosines, clothes, pids, owner, scale, eps):
    clothes, pids, owner = clothes.tolist(), pids.tolist(), owner.tolist()
    total, rows = 0.0, 0
    for i, row in enumerate(cosines.double().tolist()):
        if clothes[i] < 0:
            continue
        rows += 1
        own = [c for c in range(len(row)) if owner[c] == pids[i]]
        negatives = sum(math.exp(scale * row[c]) for c in range(len(row)) if c not in own)
        for c in own:
            wanted = (1 - eps) * (c == clothes[i]) + eps / len(own)
            positive = math.exp(scale * row[c])
            total -= wanted * math.log(positive / (positive + negatives))
    return total / rows


def test_clothes_adversarial_is_its_definition():
    cosines = random_cosines()
    found = clothes_adversarial(cosines, CLOTHES, PIDS, OWNER, scale=5.0, smoothing=0.2).item()
    assert found == pytest.approx(adversarial_by_loops(cosines, CLOTHES, PIDS, OWNER, 5.0, 0.2), rel=1e-5)


def test_an_own_outfit_does_not_compete_with_its_siblings():
    cosines = random_cosines().requires_grad_()
    clothes_adversarial(cosines, CLOTHES, PIDS, OWNER).backward()
    own = PIDS[:, None] == OWNER
    assert (cosines.grad[own] <= 0).all() and (cosines.grad[~own] >= 0).all()


def test_unlabelled_rows_stay_out_of_both_losses():
    cosines = random_cosines()
    labels = torch.tensor([4, -1, 2, -1, 6])
    kept = labels >= 0
    assert clothes_adversarial(cosines, labels, PIDS, OWNER).item() == pytest.approx(
        adversarial_by_loops(cosines, labels, PIDS, OWNER, 16.0, 0.1), rel=1e-5
    )
    assert clothes_adversarial(cosines, labels, PIDS, OWNER).item() == pytest.approx(
        clothes_adversarial(cosines[kept], labels[kept], PIDS[kept], OWNER).item(), rel=1e-6
    )
    assert clothes_cross_entropy(cosines, labels).item() == pytest.approx(
        clothes_cross_entropy(cosines[kept], labels[kept]).item(), rel=1e-6
    )


def test_a_batch_without_any_clothes_label_gives_a_zero_that_can_be_differentiated():
    cosines = random_cosines().requires_grad_()
    nobody = torch.full((5,), -1)
    loss = clothes_adversarial(cosines, nobody, PIDS, OWNER) + clothes_cross_entropy(cosines, nobody)
    loss.backward()
    assert loss.item() == 0 and not cosines.grad.any()


def test_a_data_set_of_one_person_gives_zero_and_no_nan():
    cosines = random_cosines(2, 3).requires_grad_()
    loss = clothes_adversarial(cosines, torch.tensor([0, 2]), torch.tensor([0, 0]), torch.zeros(3, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0 and cosines.grad.isfinite().all()


def test_clothes_of_somebody_else_are_refused_with_the_row():
    with pytest.raises(ValueError, match=r"\bpid\b") as raised:
        clothes_adversarial(random_cosines(), torch.tensor([4, 3, 2, 5, 6]), PIDS, OWNER)
    assert_names(raised.value, "row 1", 0, "clothes", 3, 2)


def test_owners_that_do_not_cover_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"cosines \[5, 7\].*owner \[6\]"):
        clothes_adversarial(random_cosines(), CLOTHES, PIDS, OWNER[:6])


def test_clothes_cross_entropy_is_its_definition():
    cosines, labels, total = random_cosines(), [4, 0, 2, 5, 6], 0.0
    for row, label in zip(cosines.double().tolist(), labels):
        total -= math.log(math.exp(16 * row[label]) / sum(math.exp(16 * x) for x in row))
    assert clothes_cross_entropy(cosines, torch.tensor(labels)).item() == pytest.approx(total / 5, rel=1e-5)


def test_both_losses_are_float32_whatever_comes_in():
    cosines = random_cosines().bfloat16()
    for loss in (clothes_cross_entropy(cosines, CLOTHES), clothes_adversarial(cosines, CLOTHES, PIDS, OWNER)):
        assert loss.dtype == torch.float32
