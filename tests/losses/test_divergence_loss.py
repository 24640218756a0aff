import math

import pytest
import torch
from naming import assert_names

from rlq.losses.divergence import KL_PRESETS, kl_divergence

TARGET = [[1.0, 0.0, -2.0], [0.3, 0.2, 4.0], [0.0, 0.0, 0.0], [5.0, -5.0, 1.0]]
INPUT = [[0.5, 1.0, 0.0], [0.0, 0.0, 1.0], [3.0, 1.0, 0.0], [5.0, -5.0, 1.0]]


def by_loops(target, guess, tau):
    total = 0.0
    for a, b in zip(target, guess):
        p, q = ([math.exp(x / tau) for x in row] for row in (a, b))
        for x, y in zip(p, q):
            total += x / sum(p) * math.log((x / sum(p)) / (y / sum(q)))
    return total


@pytest.mark.parametrize(("preset", "divisor"), [("official", 4 * 3), ("plain", 4)])
def test_each_preset_is_its_definition(preset, divisor):
    kl = KL_PRESETS[preset]
    found = kl_divergence(
        torch.tensor(TARGET), torch.tensor(INPUT), tau=kl.tau, coefficient=kl.coefficient, reduction=kl.reduction
    )
    wanted = kl.coefficient * by_loops(TARGET, INPUT, kl.tau) / divisor
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_the_official_preset_is_the_default():
    kl = KL_PRESETS["official"]
    assert (kl.tau, kl.coefficient, kl.reduction) == (0.8, pytest.approx(0.64 * 0.8**2), "elements")
    wanted = 0.4096 * by_loops(TARGET, INPUT, 0.8) / 12
    assert kl_divergence(torch.tensor(TARGET), torch.tensor(INPUT)).item() == pytest.approx(wanted, rel=1e-5)


def test_the_gradient_flows_into_both_sides_unless_the_target_is_stopped():
    for stop in (False, True):
        target, guess = torch.tensor(TARGET, requires_grad=True), torch.tensor(INPUT, requires_grad=True)
        kl_divergence(target, guess, stopgrad_target=stop).backward()
        assert guess.grad.any()
        assert (target.grad is None) == stop


def test_bfloat16_autocast_does_not_round_it():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = kl_divergence(torch.tensor(TARGET), torch.tensor(INPUT))
    assert inside.item() == kl_divergence(torch.tensor(TARGET), torch.tensor(INPUT)).item()


def test_an_unknown_reduction_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'mean'") as raised:
        kl_divergence(torch.tensor(TARGET), torch.tensor(INPUT), reduction="mean")
    assert_names(raised.value, "reduction", "batch", "elements")
