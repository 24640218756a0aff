"""The variants that the paper's tables compare, each of which is a matter of settings."""

import copy
import re

import pytest
import torch
from naming import assert_names
from tiny import (
    ATTRIBUTES_OFF,
    CPU,
    assert_equal_gradients,
    gradients_of,
    noise_inputs,
    pair_batch,
    target_batch,
    tiny_learner,
    tiny_network,
    tiny_settings,
    tiny_teacher,
)

from rlq.core.config import distinctive
from rlq.core.console import Console
from rlq.core.errors import SettingsError
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.inputs import gather_inputs
from rlq.methods.rlq.job import build, describe
from rlq.methods.rlq.tad import TadStep

NO_TEACHER = ("losses.distill=0",)
CONSISTENT = {"ss_mse_cal", "ss_mse_bot"}
SUPERVISED = {"kl_clothes", "kl_id_cal", "kl_id_bot"}
REPORTED = {"total", "data/tad_unchanged"}


def tad_step(*changes, teacher=True):
    """A student and its step."""
    settings = tiny_settings(*changes)
    network = tiny_network(settings)
    return network, TadStep(tiny_learner(settings, network), tiny_teacher(settings) if teacher else None, settings)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        (("cap.low_quality=true", "tad.enabled=false"), "BM + LQ"),
        (("losses.ss_mse=1",), "BM + SS_MSE + TAD"),
        (("losses.ss_mse=1", *NO_TEACHER), "BM + SS_MSE [NT]"),
        (("losses.ss_mse=1", "tad.external=target", *NO_TEACHER), "BM + target + SS_MSE [NT]"),
        (NO_TEACHER, "BM + KL [NT]"),
        (("losses.triplet=0", "clothes.augment=false", "tad.enabled=false"), "BM (no recolouring, no triplet)"),
        (("branches=[cal]", "losses.triplet=0", "cap.low_quality=true", "tad.enabled=false"), "CAL + aug + LQ"),
    ],
)
def test_a_variant_is_called_by_its_parts(changes, title):
    assert tiny_settings(*changes, *ATTRIBUTES_OFF).title == title


def test_with_both_attributes_the_variants_keep_the_methods_name_only_under_a_teacher():
    assert tiny_settings("losses.ss_mse=1").title == "RLQ + SS_MSE"
    assert tiny_settings("losses.ss_mse=1", *NO_TEACHER).title == "BM + SS_MSE + CAP [NT]"


def test_a_teacher_and_an_external_set_are_needed_by_those_who_use_them():
    for changes, teacher, external in (
        ((), True, "celeb_reid"),
        (NO_TEACHER, False, "celeb_reid"),
        (("tad.external=target", *NO_TEACHER), False, None),
        (("tad.enabled=false",), False, None),
    ):
        settings = tiny_settings(*changes)
        assert (settings.needs_teacher, settings.external_set) == (teacher, external)


@pytest.mark.parametrize(
    ("changes", "pieces"),
    [
        (("tad.external=target",), ("tad.external", "target", "losses.distill=0", "losses.ss_mse=1")),
        (
            ("tad.external=target", *NO_TEACHER, "tad.external_root=elsewhere"),
            ("tad.external_root", "elsewhere", "data.root", "tad.external_root=null"),
        ),
        (
            ("tad.external=prcc", "data.selection=holdout"),
            ("tad.external", "prcc", "data.selection", "holdout", "tad.external=target"),
        ),
    ],
)
def test_pairs_that_would_show_held_out_people_are_refused_with_a_way_out(changes, pieces):
    with pytest.raises(SettingsError) as raised:
        tiny_settings(*changes)
    assert_names(raised.value, *pieces)


def test_a_set_of_the_same_name_elsewhere_is_another_set():
    own_tables = ("data.dataset=csv", "tad.external=csv", "data.selection=holdout")
    assert tiny_settings(*own_tables, "tad.external_root=data/other").external_set == "csv"
    with pytest.raises(SettingsError) as raised:
        tiny_settings(*own_tables, "tad.external_root=data")
    assert_names(raised.value, "tad.external", "csv", "data.selection", "holdout")


def test_settings_of_variants_are_no_part_of_fingerprints_unless_they_are_used():
    usual, other = distinctive(tiny_settings()), distinctive(tiny_settings("losses.ss_mse=1", "cap.low_quality=true"))
    assert "ss_mse" not in usual["losses"] and "low_quality" not in usual["cap"]
    assert (other["losses"]["ss_mse"], other["cap"]["low_quality"]) == (1.0, True)


def test_the_distance_of_good_and_bad_features_is_two_more_terms_of_the_total():
    network, step = tad_step("losses.ss_mse=3", "losses.distill=0.5")
    batch, twin = pair_batch(), copy.deepcopy(network)
    found = step(batch)
    assert len([name for name in found if name.startswith(("distill_", "ss_mse_"))]) == 6

    with torch.no_grad():
        wanted = step.teacher.branch_features(batch.hq)
    out, total = twin(torch.cat([batch.hq, batch.lq]), attributes=False), 0
    for name in ("cal", "bot"):
        rows, own = getattr(out, name), 0
        for pair in range(6):
            good, bad, teacher = rows[pair], rows[6 + pair], wanted[name][pair]
            own += 2 - 2 * torch.dot(good, bad) / good.norm() / bad.norm()
            for one in (good, bad):
                total += 0.5 * (2 - 2 * torch.dot(teacher, one) / teacher.norm() / one.norm()) / 6
        torch.testing.assert_close(found[f"ss_mse_{name}"], (own / 6).detach(), rtol=1e-4, atol=1e-6)
        total += 3 * own / 6
    divergences = sum(found[name] for name in SUPERVISED)
    torch.testing.assert_close(found["total"], total.detach() + divergences, rtol=1e-4, atol=1e-5)
    total.backward()
    alone, step = tad_step("losses.ss_mse=3", "losses.distill=0.5", "losses.kl_id=0", "losses.kl_clothes=0")
    step(batch)
    assert_equal_gradients(gradients_of(alone), gradients_of(twin))


def test_the_distance_of_good_and_bad_features_moves_both_branches_and_nothing_else():
    network, step = tad_step("losses.ss_mse=1", *NO_TEACHER, "losses.kl_id=0", "losses.kl_clothes=0", teacher=False)
    assert step(pair_batch()).keys() == CONSISTENT | REPORTED
    for branch in network.branches.values():
        assert branch.neck.norm.weight.grad.abs().sum() > 0
    assert all(p.grad is None for module in (network.id_heads, network.pose_branch) for p in module.parameters())


@pytest.mark.parametrize(
    ("changes", "terms"),
    [
        (("losses.ss_mse=1", *NO_TEACHER), CONSISTENT | SUPERVISED),
        (("losses.ss_mse=1", *NO_TEACHER, "losses.kl_clothes=0"), CONSISTENT | {"kl_id_cal", "kl_id_bot"}),
        (NO_TEACHER, SUPERVISED),
    ],
)
def test_without_a_teacher_the_student_compares_with_itself(changes, terms):
    _, step = tad_step(*changes, teacher=False)
    assert step(pair_batch()).keys() == terms | REPORTED


def test_a_teacher_that_is_not_asked_is_not_run():
    _, step = tad_step("losses.ss_mse=1", *NO_TEACHER)
    step.teacher.trunk[0].register_forward_hook(lambda *_: pytest.fail("the teacher ran for nothing"))
    step(pair_batch())


def test_without_any_term_there_is_nothing_to_learn_and_without_its_teacher_no_step():
    _, step = tad_step(*NO_TEACHER, "losses.kl_id=0", teacher=False)
    with pytest.raises(SettingsError, match="losses"):
        step(pair_batch())
    with pytest.raises(ValueError, match=r"losses\.distill"):
        tad_step(teacher=False)


def test_a_pass_without_teacher_takes_its_place_in_the_order(tmp_path):
    inputs = noise_inputs(tmp_path)
    for changes, passes in ((NO_TEACHER, ["tad", "cap"]), (("tad.enabled=false",), ["cap"])):
        built = build(tiny_settings(*changes), inputs, None, place=CPU, console=Console(quiet=True), folder=tmp_path)
        assert [part.name for part in built.passes] == passes
    tad = build(
        tiny_settings(*NO_TEACHER, "losses.ss_mse=1"), inputs, None, place=CPU, console=Console(quiet=True), folder=None
    ).passes[0]
    tad.begin(0)
    assert tad.step(next(iter(tad.loader))).keys() == CONSISTENT | SUPERVISED | REPORTED


def test_a_spoilt_copy_is_one_row_more_of_every_picture(tmp_path):
    inputs = noise_inputs(tmp_path)
    settings = tiny_settings(
        "cap.low_quality=true", "tad.enabled=false", "tad.pixelation=[8,12]", "clothes.augment=false"
    )
    built = build(settings, inputs, None, place=CPU, console=Console(quiet=True), folder=None)
    (cap,) = built.passes
    cap.begin(1)
    batch = next(iter(cap.loader))
    assert batch.images.shape == (16, 3, 32, 16) and batch.paths[0] == batch.paths[1] != batch.paths[2]
    for labels in (batch.pids, batch.clothes, *batch.labels.values()):
        assert torch.equal(labels[::2], labels[1::2])
    assert not torch.equal(batch.images[::2], batch.images[1::2])
    terms = cap.step(batch)
    assert all(torch.isfinite(value) for value in terms.values()) and terms["data/cap_unchanged"] == 0
    told = describe(settings, inputs, CPU).splitlines()[1]
    rows = ", ".join(settings.kinds_of_rows)
    assert re.search(rf"\b8\b.*\b16\b.*\b{rows}\b.*\b1\b.*\bcpu\b.*\b16\b", told)


def test_all_three_rows_are_told(tmp_path):
    settings, inputs = tiny_settings("cap.low_quality=true", "tad.enabled=false"), noise_inputs(tmp_path)
    assert settings.kinds_of_rows == ("original", "recoloured", "low quality")
    assert re.search(r"\b8\b.*\b24\b.*\boriginal, recoloured, low quality\b", describe(settings, inputs, CPU))


def test_pictures_too_small_for_their_pixelation_are_a_share_of_the_pictures_not_of_the_rows():
    settings = tiny_settings("cap.low_quality=true", "clothes.augment=false")
    step = CapStep(tiny_learner(settings, tiny_network(settings)), settings)
    step.begin(1)
    assert step(target_batch(8)._replace(unchanged=1))["data/cap_unchanged"] == 0.25  # 8 rows of 4 pictures
    usual = tiny_settings()
    step = CapStep(tiny_learner(usual, tiny_network(usual)), usual)
    step.begin(1)
    assert "data/cap_unchanged" not in step(target_batch(8))


def test_pairs_of_the_target_are_of_the_people_who_are_trained_on(home):
    changes = ("tad.external=target", *NO_TEACHER, "losses.ss_mse=1", "data.selection=holdout", "data.holdout=0.25")
    with home.entered():
        found = gather_inputs(home.load(*changes).settings, "experiment.yaml")
        some = gather_inputs(home.load(*changes, "tad.sampling=0.5").settings, "experiment.yaml")
    held = {record.pid for record in (*found.data.query, *found.data.gallery)}
    shown = {record.pid for record in found.external_train}
    assert found.external is None and found.external_train == found.data.train
    assert len(held) == 2 and len(shown) == 6 and held.isdisjoint(shown)
    assert len({record.pid for record in some.external_train}) == 3
    assert re.search(r"\btarget\b.*\b72\b", describe(found.settings, found, CPU))


VARIANTS = {
    "lq": ("cap.low_quality=true", "tad.enabled=false"),
    "ss_mse_tad": ("losses.ss_mse=1",),
    "ss_mse": ("losses.ss_mse=1", *NO_TEACHER),
    "target": ("losses.ss_mse=1", "tad.external=target", *NO_TEACHER),
    "kl": NO_TEACHER,
}
TERMS = {
    "lq": {"data/cap_unchanged"},
    "ss_mse_tad": {"loss/tad/ss_mse_cal", "loss/tad/ss_mse_bot", "loss/tad/distill_cal_hq"},
    "ss_mse": {"loss/tad/ss_mse_cal", "loss/tad/ss_mse_bot"},
    "target": {"loss/tad/ss_mse_cal", "loss/tad/ss_mse_bot"},
    "kl": {"loss/tad/kl_id_cal"},
}


SLOW = {"ss_mse", "kl", "ss_mse_tad", "lq"}  # `target` stands for them every day


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in VARIANTS])
def test_a_run_of_each_variant_tracks_its_terms_and_asks_for_a_teacher_only_if_it_has_one(home, name):
    short = ("schedule.epochs=1", "schedule.clothes_from=0", "optim.milestones=[]", "tracking.figures=false")
    more = ("schedule.baselines=false", "tad.teacher=nowhere.yaml") if name != "ss_mse_tad" else ()
    result = home.run(*VARIANTS[name], *ATTRIBUTES_OFF, *short, *more, f"tracking.name=variant-{name}")
    tracked = home.tracked(result.run_id).data
    assert tracked.metrics.keys() >= TERMS[name]
    assert ("loss/tad/distill_cal_hq" in tracked.metrics) == (name == "ss_mse_tad")
    assert ("rlq.teacher" in tracked.tags) == (name == "ss_mse_tad")
    assert tracked.tags["rlq.variant"] == result.settings.title
