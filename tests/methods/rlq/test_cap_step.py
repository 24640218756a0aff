import copy

import pytest
import torch
import torch.nn.functional as F
from tiny import (
    ATTRIBUTES_OFF,
    PLAIN_CAL,
    assert_equal_gradients,
    gradients_of,
    target_batch,
    tiny_learner,
    tiny_network,
    tiny_settings,
    values_of,
)

from rlq.core.errors import SettingsError
from rlq.losses.clothes import clothes_adversarial, clothes_cross_entropy
from rlq.losses.disentangle import absolute_cosine
from rlq.losses.divergence import kl_divergence
from rlq.losses.identity import smoothed_cross_entropy
from rlq.losses.triplet import batch_hard_triplet
from rlq.methods.rlq.cap import CapStep
from rlq.training.optim import adam

MODEL_TERMS = {"id_cal", "id_bot", "triplet", "id_kl", "pose_ce", "gender_ce", "pose_cosine"}
CLOTHES_TERMS = {"clothes_ce", "clothes_adversarial"}
SILENT = tuple(f"losses.{name}=0" for name in sorted(MODEL_TERMS | {"clothes_adversarial"}))


def prepare(*changes, epoch=1):
    """A network, and a step that stands in an epoch."""
    settings = tiny_settings(*changes)
    network = tiny_network(settings)
    step = CapStep(tiny_learner(settings, network), settings)
    step.begin(epoch)
    return network, step


def only(*names):
    """Changes that leave these losses alone in the step."""
    return tuple(change for change in SILENT if change.removeprefix("losses.").removesuffix("=0") not in names)


def reached(module):
    """Whether a module got a gradient other than zero."""
    return any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_before_their_epoch_clothes_do_not_count_and_their_head_stays_as_it_was():
    _, step = prepare(epoch=0)
    before = values_of(step.learner.clothes_head)
    assert step(target_batch()).keys() == MODEL_TERMS | {"total"}
    assert torch.equal(step.learner.clothes_head.weight, before["weight"])
    step.begin(1)
    assert step(target_batch()).keys() == MODEL_TERMS | CLOTHES_TERMS | {"total"}
    assert not torch.equal(step.learner.clothes_head.weight, before["weight"])


def test_the_clothes_head_learns_from_its_own_loss_only_and_first():
    network, step = prepare("losses.clothes_adversarial=3")
    batch, head = target_batch(), copy.deepcopy(step.learner.clothes_head)
    features = copy.deepcopy(network)(batch.images).cal.detach()
    loss = clothes_cross_entropy(head(features), batch.clothes)
    loss.backward()
    adam(head.parameters(), lr=3.5e-4, weight_decay=0).step()

    terms = step(batch)
    torch.testing.assert_close(terms["clothes_ce"], loss.detach())
    torch.testing.assert_close(step.learner.clothes_head.weight, head.weight, rtol=0, atol=1e-7)
    cosines = F.normalize(features) @ F.normalize(head.weight).T  # of the head after its update
    wanted = clothes_adversarial(cosines, batch.clothes, batch.pids, step.learner.owner)
    torch.testing.assert_close(terms["clothes_adversarial"], wanted.detach(), rtol=1e-6, atol=1e-6)


def test_the_adversarial_loss_can_tell_the_updated_head_from_the_old_one():
    network, step = prepare("optim.clothes_lr=0.01")
    batch, old = target_batch(), step.learner.clothes_head.weight.detach().clone()
    features = copy.deepcopy(network)(batch.images).cal.detach()
    cosines = F.normalize(features) @ F.normalize(old).T
    of_old_head = clothes_adversarial(cosines, batch.clothes, batch.pids, step.learner.owner)
    assert abs(step(batch)["clothes_adversarial"] - of_old_head) > 0.1


def test_the_total_is_the_weighted_sum_of_the_unweighted_terms_and_so_is_the_models_gradient():
    weights = {"id_cal": 2.0, "id_bot": 0.5, "triplet": 3.0, "id_kl": 40.0, "pose_ce": 0.25, "gender_ce": 1.5}
    weights |= {"pose_cosine": 0.75, "clothes_adversarial": 0.125}
    network, step = prepare(*(f"losses.{name}={weight}" for name, weight in weights.items()))
    batch, twin = target_batch(), copy.deepcopy(network)
    found = step(batch)

    out, head = twin(batch.images), step.learner.clothes_head  # the head as updated by the step
    terms = {
        "id_cal": smoothed_cross_entropy(out.id_cal, batch.pids, smoothing=0.1),
        "id_bot": smoothed_cross_entropy(out.id_bot, batch.pids, smoothing=0.1),
        "triplet": batch_hard_triplet(out.bot, batch.pids, margin=0.3),
        "id_kl": kl_divergence(out.id_bot, out.id_cal, tau=0.8, coefficient=0.4096, reduction="elements"),
        "pose_ce": smoothed_cross_entropy(out.pose_logits, batch.labels["pose"], smoothing=0.1),
        "gender_ce": smoothed_cross_entropy(out.gender_logits, batch.labels["gender"], smoothing=0.1),
        "pose_cosine": absolute_cosine(out.bot, out.pose),
        "clothes_adversarial": clothes_adversarial(
            head(out.cal, frozen=True), batch.clothes, batch.pids, step.learner.owner, scale=16.0, smoothing=0.1
        ),
    }
    total = sum(weights[name] * term for name, term in terms.items())
    total.backward()
    for name, term in {**terms, "total": total}.items():
        torch.testing.assert_close(found[name], term.detach(), rtol=1e-5, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")
    assert_equal_gradients(gradients_of(network), gradients_of(twin))


@pytest.mark.parametrize("name", sorted(MODEL_TERMS))
def test_a_weight_of_zero_leaves_its_term_out(name):
    _, step = prepare(f"losses.{name}=0")
    assert step(target_batch()).keys() == (MODEL_TERMS | CLOTHES_TERMS | {"total"}) - {name}


def test_without_the_adversarial_loss_the_clothes_head_does_not_learn_either():
    _, step = prepare("losses.clothes_adversarial=0")
    before = values_of(step.learner.clothes_head)
    assert step(target_batch()).keys() == MODEL_TERMS | {"total"}
    assert torch.equal(step.learner.clothes_head.weight, before["weight"])


def test_a_step_without_any_loss_is_refused_with_the_reason():
    _, step = prepare(*SILENT)
    with pytest.raises(SettingsError, match=r"losses.*weight"):
        step(target_batch())


def test_steps_move_every_parameter_of_the_network_and_of_the_clothes_head():
    network, step = prepare()
    parts = {"clothes_head": step.learner.clothes_head, "pose_branch": network.pose_branch.blocks}
    parts |= {"pose_neck": network.pose_branch.neck, "pose_head": network.pose_head, "gender": network.gender_head}
    parts |= {f"trunk.{number}": block for number, block in enumerate(network.trunk)}
    for name, branch in network.branches.items():
        parts |= {f"{name}.blocks": branch.blocks, f"{name}.neck": branch.neck, f"{name}.head": network.id_heads[name]}
    known = sum(p.numel() for part in parts.values() for p in part.parameters())
    assert known == sum(p.numel() for module in (network, step.learner.clothes_head) for p in module.parameters())
    before = {name: values_of(part) for name, part in parts.items()}
    step(target_batch())
    step(target_batch())  # untrained residual blocks end in a factor of 0, so what is inside them moves second
    for name, part in parts.items():
        still = [at for at, p in part.named_parameters() if torch.equal(p, before[name][at])]
        assert not still, f"{name}: {still}"


def test_plain_cal_has_its_two_losses_and_the_clothes_heads():
    network, step = prepare(*PLAIN_CAL)
    terms = step(target_batch())
    assert terms.keys() == {"id_cal", "total", *CLOTHES_TERMS}
    torch.testing.assert_close(terms["total"], terms["id_cal"] + terms["clothes_adversarial"])
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_network_of_bot_alone_knows_no_clothes():
    _, step = prepare("branches=[bot]")
    assert step.learner.clothes_head is None
    assert step(target_batch()).keys() == {"id_bot", "triplet", "pose_ce", "gender_ce", "pose_cosine", "total"}


def test_a_network_of_cal_alone_takes_the_triplet_there():
    network, step = prepare("branches=[cal]", *ATTRIBUTES_OFF)
    batch = target_batch()
    feature = copy.deepcopy(network)(batch.images).cal
    torch.testing.assert_close(step(batch)["triplet"], batch_hard_triplet(feature, batch.pids).detach())


def test_the_identity_divergence_asks_how_far_cal_is_from_bot_and_moves_both():
    network, step = prepare("losses.kl.tau=0.5", "losses.kl.coefficient=2", *only("id_kl"))
    batch = target_batch()
    out = copy.deepcopy(network)(batch.images)
    target, guess = F.softmax(out.id_bot / 0.5, dim=1), F.softmax(out.id_cal / 0.5, dim=1)
    wanted = sum(2 * p * torch.log(p / q) for p, q in zip(target.flatten(), guess.flatten())) / target.numel()
    torch.testing.assert_close(step(batch)["id_kl"], wanted.detach(), rtol=1e-4, atol=1e-6)
    assert all(reached(network.id_heads[name]) and reached(network.branches[name]) for name in ("cal", "bot"))


@pytest.mark.parametrize(("on", "moved"), [("cal", {"cal"}), ("bot", {"bot"}), ("both", {"cal", "bot"})])
def test_gender_is_read_from_the_branch_that_is_named(on, moved):
    network, step = prepare(f"cap.gender.on={on}", *only("gender_ce"))
    step(target_batch())
    assert {name for name, branch in network.branches.items() if reached(branch)} == moved
    assert reached(network.gender_head)
    assert not reached(network.pose_branch)


@pytest.mark.parametrize(("on", "moved"), [("cal", {"cal"}), ("bot", {"bot"}), ("both", {"cal", "bot"})])
def test_the_pose_feature_is_turned_away_from_the_branch_that_is_named_and_both_is_the_sum(on, moved):
    network, step = prepare(f"cap.pose.on={on}", *only("pose_cosine"))
    batch = target_batch()
    out = copy.deepcopy(network)(batch.images)
    wanted = sum(F.cosine_similarity(getattr(out, name), out.pose).abs().mean() for name in moved)
    torch.testing.assert_close(step(batch)["pose_cosine"], wanted.detach())
    assert {name for name, branch in network.branches.items() if reached(branch)} == moved
    assert reached(network.pose_branch)
    assert not reached(network.pose_head)


def test_smoothing_of_attributes_is_not_that_of_identities():
    network, step = prepare("losses.attribute_smoothing=0", "losses.smoothing=0.3")
    batch = target_batch()
    out = copy.deepcopy(network)(batch.images)
    terms = step(batch)
    torch.testing.assert_close(terms["pose_ce"], F.cross_entropy(out.pose_logits, batch.labels["pose"]).detach())
    torch.testing.assert_close(terms["gender_ce"], F.cross_entropy(out.gender_logits, batch.labels["gender"]).detach())
    wanted = F.cross_entropy(out.id_bot, batch.pids, label_smoothing=0.3)
    torch.testing.assert_close(terms["id_bot"], wanted.detach())


def test_with_bfloat16_blocks_the_features_and_every_loss_stay_float32():
    settings = tiny_settings()
    network = tiny_network(settings)
    learner = tiny_learner(settings, network)._replace(compute_type=torch.bfloat16)
    seen = {}
    network.trunk[0].register_forward_hook(lambda *call: seen.update(block=call[2].dtype))
    network.register_forward_hook(lambda *call: seen.update(call[2]._asdict()))
    step = CapStep(learner, settings)
    step.begin(1)
    terms = step(target_batch())
    assert seen.pop("block") == torch.bfloat16
    assert {name: value.dtype for name, value in seen.items()} == dict.fromkeys(seen, torch.float32)
    assert {term.dtype for term in terms.values()} == {torch.float32}
    assert all(torch.isfinite(term) for term in terms.values())
