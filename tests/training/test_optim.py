import pytest
import torch
from torch import nn

from rlq.core.settings import OptimSettings
from rlq.training.optim import adam, learning_rate, set_learning_rate


def rates(epochs, **changes):
    settings = OptimSettings(lr=1.0, **changes)
    return [learning_rate(settings, epoch) for epoch in range(epochs)]


def test_the_rate_falls_at_each_milestone():
    found = rates(6, milestones=(2, 4), gamma=0.1)
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_two_milestones_in_one_epoch_count_twice():
    assert rates(3, milestones=(2, 2), gamma=0.5) == [1, 1, 0.25]


def test_warm_up_rises_in_a_line_from_its_factor_and_is_over_at_its_end():
    found = rates(6, milestones=(5,), gamma=0.1, warmup=4, warmup_factor=0.2)
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 0.1])


def test_a_milestone_within_the_warm_up_counts_too():
    assert rates(3, milestones=(1,), gamma=0.1, warmup=2, warmup_factor=0.5) == pytest.approx([0.5, 0.075, 0.1])


def test_the_defaults_are_the_released_codes():
    found = [learning_rate(OptimSettings(), epoch) for epoch in (0, 19, 20, 39, 40, 199)]
    assert found == pytest.approx([3.5e-4, 3.5e-4, 3.5e-5, 3.5e-5, 3.5e-6, 3.5e-6])


def test_adam_decays_weights_through_its_gradient_and_takes_a_new_rate_at_once():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 2.0)
    optimiser = adam(layer.parameters(), lr=0.5, weight_decay=0.1)
    layer.weight.grad = torch.zeros(1, 1)
    optimiser.step()  # the first step of Adam is lr times the sign of what it sees: here the decay alone
    assert layer.weight.item() == pytest.approx(1.5)
    set_learning_rate(optimiser, 0.0)
    layer.weight.grad = torch.ones(1, 1)
    optimiser.step()
    assert layer.weight.item() == pytest.approx(1.5)
