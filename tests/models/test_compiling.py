import copy

import pytest
import torch
from naming import assert_names
from tiny import ATTRIBUTES_OFF, pair_batch, target_batch, tiny_learner, tiny_network, tiny_settings, tiny_teacher
from torch import nn

from rlq.core.errors import SettingsError
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.tad import TadStep
from rlq.models.compiling import compile_forward, compiled, forget_compiled


@pytest.fixture(autouse=True)
def nothing_compiled():
    forget_compiled()
    yield
    forget_compiled()


def steps(*changes, backend=None):
    """A network with its CAP and TAD step, compiled or not."""
    settings = tiny_settings(*changes)
    network, teacher, wanted = tiny_network(settings), tiny_teacher(settings), None
    if backend is not None:
        compile_forward(network, backend=backend)
        features = compiled(teacher.branch_features, backend=backend)
        wanted = lambda batch, hq: features(hq)  # noqa: E731
    learner = tiny_learner(settings, network)
    cap = CapStep(learner, settings)
    cap.begin(1)
    return network, cap, TadStep(learner, teacher, settings, wanted)


def train(cap, tad):
    return [found for seed in range(2) for found in (cap(target_batch(seed=seed)), tad(pair_batch(seed=seed)))]


@pytest.mark.slow
def test_what_is_compiled_is_what_the_step_computes():
    """`eager` traces as the real compiler does, and then runs torch's own operations: equal to the last bit."""
    plain, traced = steps(), steps(backend="eager")
    for wanted, found in zip(train(*plain[1:]), train(*traced[1:]), strict=True):
        assert wanted == found
    counted = torch._dynamo.utils.counters
    assert counted["stats"]["unique_graphs"] == 3  # CAP, TAD and the teacher, each in one piece
    assert not counted["graph_break"]


@pytest.mark.slow
def test_names_of_weights_copies_and_other_methods_stay_as_they_are():
    (plain, *_), (traced, cap, _) = steps(), steps(backend="eager")
    assert traced.state_dict().keys() == plain.state_dict().keys()
    cap(target_batch())
    twin = copy.deepcopy(traced)
    plain.load_state_dict(traced.state_dict())
    pictures = target_batch(seed=5).images
    for network in (plain, traced, twin):
        network.eval()
    with torch.inference_mode():
        assert torch.equal(plain.embed(pictures), traced.embed(pictures))
        assert torch.equal(plain.embed(pictures), twin.embed(pictures))


def test_without_a_compiler_it_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SettingsError) as raised:
        compile_forward(nn.Linear(1, 1))
    assert_names(raised.value, "compute.compile", "C++", "no-such-compiler", "CXX")
    with pytest.raises(SettingsError, match=r"compute\.compile=false"):
        compiled(torch.relu)


@pytest.mark.slow
def test_compiled_steps_agree_with_plain_ones_up_to_rounding():
    plain, fast = (steps("branches=[cal]", *ATTRIBUTES_OFF, backend=backend) for backend in (None, "inductor"))
    for wanted, found in zip(train(*plain[1:]), train(*fast[1:]), strict=True):
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-3, msg=f"{name}")
