import copy

import pytest
import torch
import torch.nn.functional as F
from tiny import (
    ATTRIBUTES_OFF,
    assert_equal_gradients,
    gradients_of,
    pair_batch,
    target_batch,
    tiny_learner,
    tiny_network,
    tiny_settings,
    tiny_teacher,
    values_of,
)

from rlq.core.errors import SettingsError
from rlq.losses.divergence import kl_divergence
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.tad import TadStep

DISTILLED = {f"distill_{branch}_{side}" for branch in ("cal", "bot") for side in ("hq", "lq")}
SUPERVISED = {"kl_clothes", "kl_id_cal", "kl_id_bot"}
REPORTED = {"total", "data/tad_unchanged"}


def prepare(*changes):
    """A student, and its step under a teacher."""
    settings = tiny_settings(*changes)
    network = tiny_network(settings)
    return network, TadStep(tiny_learner(settings, network), tiny_teacher(settings), settings)


def after_a_step(*changes):
    """The student's gradients and the terms of one step."""
    network, step = prepare(*changes)
    terms = step(pair_batch())
    return gradients_of(network), terms


def test_good_and_bad_pictures_pass_the_student_together_in_training_mode():
    network, step = prepare()
    batch, twin, calls = pair_batch(), copy.deepcopy(network), []
    network.register_forward_pre_hook(lambda module, given: calls.append((given[0], module.training)))
    step(batch)
    assert len(calls) == 1
    (pictures, training), together = calls[0], torch.cat([batch.hq, batch.lq])
    assert training
    assert torch.equal(pictures, together)

    with torch.no_grad():
        twin(together)  # the statistics of batch norms as of one mixed batch: not of two, and not of one half
    found, wanted = dict(network.named_buffers()), dict(twin.named_buffers())
    assert found["trunk.0.1.num_batches_tracked"] == 1
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, msg=lambda m, n=name: f"{n}: {m}")


def test_the_teacher_sees_the_good_pictures_only_and_stays_as_it_was():
    _, step = prepare()
    batch, before, seen = pair_batch(), values_of(step.teacher), []
    step.teacher.trunk[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    step(batch)
    step(batch)
    assert len(seen) == 2
    assert all(torch.equal(pictures, batch.hq) for pictures in seen)
    assert all(torch.equal(value, before[name]) for name, value in step.teacher.state_dict().items())
    assert not any(module.training for module in step.teacher.modules())
    assert all(parameter.grad is None for parameter in step.teacher.parameters())


def test_terms_by_name_for_two_branches_and_for_one():
    assert after_a_step()[1].keys() == DISTILLED | SUPERVISED | REPORTED
    _, terms = after_a_step("branches=[cal]", *ATTRIBUTES_OFF)
    assert terms.keys() == {"distill_cal_hq", "distill_cal_lq", "kl_clothes", "kl_id_cal"} | REPORTED
    _, terms = after_a_step("branches=[bot]")
    assert terms.keys() == {"distill_bot_hq", "distill_bot_lq", "kl_id_bot"} | REPORTED


def test_a_teacher_of_two_branches_teaches_a_student_of_one():
    settings = tiny_settings("branches=[bot]")
    network = tiny_network(settings)
    step = TadStep(tiny_learner(settings, network), tiny_teacher(tiny_settings()), settings)
    assert step(pair_batch()).keys() == {"distill_bot_hq", "distill_bot_lq", "kl_id_bot"} | REPORTED


@pytest.mark.parametrize(
    ("weight", "absent"),
    [("distill", DISTILLED), ("kl_clothes", {"kl_clothes"}), ("kl_id", {"kl_id_cal", "kl_id_bot"})],
)
def test_a_weight_of_zero_leaves_its_terms_out(weight, absent):
    assert after_a_step(f"losses.{weight}=0")[1].keys() == (DISTILLED | SUPERVISED | REPORTED) - absent


def test_a_pass_that_can_teach_nothing_is_refused_with_the_reason():
    _, step = prepare("losses.distill=0", "losses.kl_id=0")  # what is left, kl_clothes, is detached
    with pytest.raises(SettingsError, match=r"losses.*weight"):
        step(pair_batch())


def test_the_total_is_the_weighted_sum_of_the_unweighted_terms_and_so_is_the_gradient():
    network, step = prepare(
        "losses.distill=0.5", "losses.kl_id=30", "losses.kl_clothes=4", "tad.clothes_kl=live", "losses.kl.tau=0.7"
    )
    batch, twin = pair_batch(), copy.deepcopy(network)
    found = step(batch)

    with torch.no_grad():
        wanted = step.teacher.branch_features(batch.hq)
    out, terms = twin(torch.cat([batch.hq, batch.lq]), attributes=False), {}
    for name in ("cal", "bot"):
        unit = F.normalize(getattr(out, name))
        for side, rows in (("hq", unit[:6]), ("lq", unit[6:])):
            terms[f"distill_{name}_{side}"] = (F.normalize(wanted[name]) - rows).square().sum(dim=1).mean()
    clothes = 16 * F.normalize(out.cal) @ F.normalize(step.learner.clothes_head.weight.detach()).T
    for name, logits in (("id_cal", out.id_cal), ("id_bot", out.id_bot), ("clothes", clothes)):
        terms[f"kl_{name}"] = kl_divergence(logits[:6], logits[6:], tau=0.7, coefficient=0.4096, reduction="elements")
    weights = {"dist": 0.5, "kl_i": 30.0, "kl_c": 4.0}
    total = sum(weights[name[:4]] * term for name, term in terms.items())
    total.backward()
    for name, term in {**terms, "total": total}.items():
        torch.testing.assert_close(found[name], term.detach(), rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
    assert_equal_gradients(gradients_of(network), gradients_of(twin))


def test_detached_clothes_are_a_number_without_effect_and_live_ones_teach():
    without, _ = after_a_step("losses.kl_clothes=0")
    detached, _ = after_a_step("losses.kl_clothes=1")
    live, _ = after_a_step("losses.kl_clothes=1", "tad.clothes_kl=live")
    own = [name for name, gradient in without.items() if gradient is not None and "branches.cal" in name]
    assert all(torch.equal(without[name], detached[name]) for name in own)
    assert_equal_gradients(detached, without, tolerance=0)
    assert not torch.equal(live["branches.cal.neck.norm.weight"], without["branches.cal.neck.norm.weight"])
    assert torch.equal(live["branches.bot.neck.norm.weight"], without["branches.bot.neck.norm.weight"])


def test_detached_clothes_are_compared_as_raw_cosines_live_ones_with_their_factor():
    network, step = prepare()
    batch = pair_batch()
    features = copy.deepcopy(network)(torch.cat([batch.hq, batch.lq]), attributes=False).cal.detach()
    cosines = F.normalize(features) @ F.normalize(step.learner.clothes_head.weight).T
    for found, factor in ((step(batch), 1), (after_a_step("tad.clothes_kl=live")[1], 16)):
        wanted = kl_divergence(factor * cosines[:6], factor * cosines[6:]).detach()
        torch.testing.assert_close(found["kl_clothes"], wanted, rtol=1e-3, atol=1e-7)


def test_heads_of_clothes_pose_and_gender_are_left_alone_but_the_pose_branch_keeps_counting():
    settings = tiny_settings("tad.clothes_kl=live", "optim.weight_decay=0.01")
    network = tiny_network(settings)
    learner = tiny_learner(settings, network)
    cap = CapStep(learner, settings)
    cap.begin(1)
    cap(target_batch())  # Adam has a momentum for all of them from here on
    modules = {"pose_branch": network.pose_branch, "pose_head": network.pose_head, "gender": network.gender_head}
    modules |= {"clothes": learner.clothes_head, **{f"id_{name}": head for name, head in network.id_heads.items()}}
    before = {name: values_of(module) for name, module in modules.items()}
    for head in (network.pose_head, network.gender_head):
        head.register_forward_hook(lambda *_: pytest.fail("a head ran for nothing"))
    TadStep(learner, tiny_teacher(settings), settings)(pair_batch())
    moved = {
        f"{name}.{at}"
        for name, module in modules.items()
        for at, value in module.state_dict().items()
        if not torch.equal(value, before[name][at])
    }
    statistics = {f"pose_branch.{name}" for name, _ in network.pose_branch.named_buffers()}
    assert moved == statistics | {f"id_{branch}.{kind}" for branch in ("cal", "bot") for kind in ("weight", "bias")}


def test_the_good_side_learns_from_the_bad_one_unless_its_gradient_is_stopped():
    found = {}
    for stop in (False, True):
        network, step = prepare(
            "losses.distill=0",
            "branches=[bot]",
            "losses.kl.reduction=batch",
            f"losses.kl.stopgrad_hq={str(stop).lower()}",
        )
        batch, twin = pair_batch(), copy.deepcopy(network)
        step(batch)
        logits = twin(torch.cat([batch.hq, batch.lq]), attributes=False).id_bot
        good, bad = logits[:6].detach() if stop else logits[:6], logits[6:]
        target = F.softmax(good / 0.8, dim=1)
        (0.4096 * (target * (target.log() - F.log_softmax(bad / 0.8, dim=1))).sum() / 6).backward()
        found[stop] = gradients_of(network)
        assert_equal_gradients(found[stop], gradients_of(twin))
    assert (found[True]["id_heads.bot.weight"] - found[False]["id_heads.bot.weight"]).abs().max() > 1e-3


def test_pictures_that_pixelation_cannot_spoil_are_reported_as_a_share():
    _, step = prepare()
    assert step(pair_batch(6, unchanged=3))["data/tad_unchanged"] == 0.5
