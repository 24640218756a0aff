import copy

import pytest
import torch
from tiny import SIZE, noise, tiny_settings, tiny_teacher

from rlq.core.errors import RlqError
from rlq.methods.rlq import fast
from rlq.methods.rlq.fast import make_fast
from rlq.models.folding import largest_deviation

CPU = torch.device("cpu")


@pytest.mark.parametrize(("bfloat16", "below", "kind"), [(False, 1e-4, torch.float32), (True, 0.05, torch.bfloat16)])
def test_quick_features_are_near_the_exact_ones(monkeypatch, bfloat16, below, kind):
    monkeypatch.setattr(fast, "has_bfloat16", lambda device: bfloat16)
    network = tiny_teacher(tiny_settings())
    pictures = noise(5, seed=3)
    with torch.inference_mode():
        exact = network.embed(pictures)
        found = make_fast(network, SIZE, CPU)(pictures)
    assert found.dtype == torch.float32 and 0 < largest_deviation(found, exact) < below
    assert network.trunk[0][0][0].weight.dtype == kind


def test_a_backbone_that_cannot_be_folded_is_refused_with_the_way_out(monkeypatch):
    def wrongly(network):
        network.trunk[0][0][0].weight.data *= 2

    monkeypatch.setattr(fast, "fold_batch_norms", wrongly)
    with pytest.raises(RlqError, match=r"\d.*--fast\b"):
        make_fast(copy.deepcopy(tiny_teacher(tiny_settings())), SIZE, CPU)
