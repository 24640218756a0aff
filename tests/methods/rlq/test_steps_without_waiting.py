"""On a GPU, looking at a number waits for all the work before it. The device "meta" has no numbers to look at: a step
that runs on it never looked."""

import contextlib
import copy

import pytest
import torch
from tiny import pair_batch, target_batch, tiny_learner, tiny_network, tiny_settings, tiny_teacher

from rlq.losses.clothes import clothes_adversarial
from rlq.losses.triplet import batch_hard_triplet
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.tad import TadStep

META = torch.device("meta")


@pytest.fixture
def no_numbers(monkeypatch):
    """autocast knows no such device; torch.tensor(number, device=...) copies and waits, which only a GPU would show."""

    def copying(*given, **options):
        raise AssertionError("torch.tensor in a step")

    monkeypatch.setattr(torch, "autocast", lambda *given, **options: contextlib.nullcontext())
    return lambda: monkeypatch.setattr(torch, "tensor", copying)


def on_meta(step):
    """The same step with everything that it updates on the other device, by an optimiser that takes it."""
    learner = step.learner
    model, head = learner.model.to(META), learner.clothes_head
    changes = {"model": model, "optimiser": torch.optim.SGD(model.parameters()), "owner": learner.owner.to(META)}
    if head is not None:
        head = copy.deepcopy(head).to(META)
        changes |= {"clothes_head": head, "clothes_optimiser": torch.optim.SGD(head.parameters())}
    step.learner = learner._replace(device=META, **changes)
    return step


def cap_step(*changes):
    settings = tiny_settings(*changes)
    step = CapStep(tiny_learner(settings, tiny_network(settings)), settings)
    step.begin(1)
    return on_meta(step)


@pytest.mark.parametrize("changes", [(), ("cap.low_quality=true", "clothes.augment=false"), ("branches=[bot]",)])
def test_a_cap_step_never_waits_for_its_device(no_numbers, changes):
    step, batch = cap_step(*changes), target_batch()
    no_numbers()
    terms = step(batch)
    assert "total" in terms and all(term.device == META and term.ndim == 0 for term in terms.values())
    assert ("clothes_adversarial" in terms) == ("branches=[bot]" not in changes)


@pytest.mark.parametrize("changes", [(), ("tad.clothes_kl=live", "losses.ss_mse=1")])
def test_a_tad_step_never_waits_for_its_device(no_numbers, changes):
    settings = tiny_settings(*changes)
    teacher = tiny_teacher(settings).to(META)
    step = on_meta(TadStep(tiny_learner(settings, tiny_network(settings)), teacher, settings))
    batch = pair_batch()
    no_numbers()
    assert all(term.device == META for term in step(batch).values())


def test_the_other_device_shows_a_look_at_a_number(no_numbers):
    """So that the tests above can fail."""
    features, pids = torch.randn(8, 4, device=META), target_batch().pids.to(META)
    batch_hard_triplet(features, pids)
    with pytest.raises(RuntimeError, match="meta"):
        bool((pids == pids).any())
    cosines, owner = torch.randn(8, 12, device=META), torch.arange(12, device=META) // 3
    clothes_adversarial(cosines, pids, pids, owner, pairs=20)
    with pytest.raises(NotImplementedError, match="nonzero"):
        clothes_adversarial(cosines, pids, pids, owner)


def test_labels_are_looked_at_before_they_leave_the_cpu(no_numbers):
    step, batch = cap_step(), target_batch()
    with pytest.raises(ValueError, match=r"triplet.*\b8\b.*\bpid\b.*\b0\b"):
        step(batch._replace(pids=torch.zeros(8, dtype=torch.long)))
    clothes = batch.clothes.clone()
    clothes[2] = 11
    with pytest.raises(ValueError, match=r"\b2\b.*\bpid 1\b.*\b11\b.*\bpid 3\b"):
        step(batch._replace(clothes=clothes))


def test_the_number_of_pairs_given_beforehand_is_the_one_that_is_found():
    settings = tiny_settings()
    step = CapStep(tiny_learner(settings, tiny_network(settings)), settings)
    step.begin(1)
    batch = target_batch()
    pairs = step._check_labels(batch)
    cosines = torch.randn(8, 12, generator=torch.Generator().manual_seed(0))
    owner = step.learner.owner
    given = clothes_adversarial(cosines, batch.clothes, batch.pids, owner, pairs=pairs)
    assert torch.equal(given, clothes_adversarial(cosines, batch.clothes, batch.pids, owner))
    fewer = clothes_adversarial(cosines, batch.clothes, batch.pids, owner, pairs=pairs - 1)
    assert not torch.equal(given, fewer)
