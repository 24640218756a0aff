import math

import pytest
import torch

from rlq.losses.disentangle import absolute_cosine
from rlq.losses.distillation import halves, squared_direction_distance
from rlq.losses.divergence import kl_divergence
from rlq.methods.rlq.tad_losses import tad_consistency, tad_distillation, tad_self_supervision


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)


def test_absolute_cosine_is_its_definition():
    a, b = rows(5, 4), rows(5, 4, seed=1)
    wanted = sum(abs(cosine(x, y)) for x, y in zip(a.tolist(), b.tolist())) / 5
    assert absolute_cosine(a, b).item() == pytest.approx(wanted, rel=1e-5)


def test_opposite_features_are_as_bad_as_equal_ones_and_orthogonal_ones_are_free():
    a = rows(3, 4)
    assert absolute_cosine(a, -2 * a).item() == pytest.approx(1, abs=1e-6)
    assert absolute_cosine(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 2.0]])).item() == 0


def test_absolute_cosine_moves_both_features():
    a, b = rows(3, 4).requires_grad_(), rows(3, 4, seed=1).requires_grad_()
    absolute_cosine(a, b).backward()
    assert a.grad.any() and b.grad.any()


def test_the_distance_of_directions_is_two_minus_two_cosines():
    a, b = rows(5, 4), rows(5, 4, seed=1)
    wanted = sum(2 - 2 * cosine(x, y) for x, y in zip(a.tolist(), b.tolist())) / 5
    assert squared_direction_distance(a, 3 * b).item() == pytest.approx(wanted, rel=1e-5)


def test_distillation_compares_both_halves_with_the_teachers_good_pictures():
    teacher = {"cal": rows(3, 4), "bot": rows(3, 6, seed=1)}
    student = {"cal": rows(6, 4, seed=2), "bot": rows(6, 6, seed=3)}
    terms = tad_distillation(teacher, student)
    assert sorted(terms) == ["distill_bot_hq", "distill_bot_lq", "distill_cal_hq", "distill_cal_lq"]
    for branch, wanted in teacher.items():
        good, bad = student[branch][:3], student[branch][3:]
        assert terms[f"distill_{branch}_hq"] == squared_direction_distance(wanted, good)
        assert terms[f"distill_{branch}_lq"] == squared_direction_distance(wanted, bad)


def test_consistency_is_the_distance_of_a_students_own_directions_and_moves_both_halves():
    student = {"cal": rows(6, 4, seed=2).requires_grad_(), "bot": rows(6, 5, seed=3).requires_grad_()}
    terms = tad_consistency(student)
    assert sorted(terms) == ["ss_mse_bot", "ss_mse_cal"]
    for branch, both in student.items():
        given = both.tolist()
        wanted = sum(2 - 2 * cosine(given[pair], given[3 + pair]) for pair in range(3)) / 3
        assert terms[f"ss_mse_{branch}"].item() == pytest.approx(wanted, rel=1e-5)
        terms[f"ss_mse_{branch}"].backward()
        assert both.grad[:3].any() and both.grad[3:].any()


def test_self_supervision_takes_the_good_half_as_target():
    logits = rows(8, 5).requires_grad_()
    terms = tad_self_supervision({"id_cal": logits}, tau=2.0, coefficient=3.0, reduction="batch", stopgrad_hq=True)
    wanted = kl_divergence(logits[:4], logits[4:], tau=2.0, coefficient=3.0, reduction="batch")
    assert list(terms) == ["kl_id_cal"] and terms["kl_id_cal"].item() == wanted.item()
    terms["kl_id_cal"].backward()
    assert not logits.grad[:4].any() and logits.grad[4:].any()


def test_halves_that_are_not_halves_are_refused():
    good, bad = halves(torch.arange(4))
    assert good.tolist() == [0, 1] and bad.tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"\b5\b"):
        halves(torch.arange(5))


def test_a_teacher_of_another_width_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"teacher \[2, 4\].*student \[2, 5\]"):
        squared_direction_distance(torch.zeros(2, 4), torch.zeros(2, 5))
