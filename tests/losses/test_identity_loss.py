import math

import pytest
import torch

from rlq.losses.identity import smoothed_cross_entropy


def test_smoothed_cross_entropy_is_its_definition():
    logits = [[1.0, -2.0, 0.5, 3.0], [0.0, 0.0, 4.0, -1.0], [2.0, 2.0, 2.0, 2.5]]
    labels, eps, total = [3, 0, 1], 0.3, 0.0
    for row, label in zip(logits, labels):
        normaliser = sum(math.exp(x) for x in row)
        for j, x in enumerate(row):
            wanted = (1 - eps) * (j == label) + eps / 4
            total -= wanted * math.log(math.exp(x) / normaliser)
    found = smoothed_cross_entropy(torch.tensor(logits), torch.tensor(labels), smoothing=eps)
    assert found.item() == pytest.approx(total / 3, rel=1e-6)


def test_without_smoothing_a_sure_and_right_answer_costs_nothing():
    assert smoothed_cross_entropy(torch.tensor([[50.0, 0.0]]), torch.tensor([0]), 0.0).item() == 0


def test_half_precision_logits_are_summed_in_float32():
    logits = torch.randn(5, 300, generator=torch.Generator().manual_seed(0)).bfloat16()
    loss = smoothed_cross_entropy(logits, torch.arange(5))
    assert loss.dtype == torch.float32
    assert loss.item() == smoothed_cross_entropy(logits.float(), torch.arange(5)).item()


def test_rows_and_labels_that_differ_in_number_are_shown():
    with pytest.raises(ValueError, match=r"logits \[3, 4\].*labels \[2\]"):
        smoothed_cross_entropy(torch.zeros(3, 4), torch.zeros(2, dtype=torch.long))
