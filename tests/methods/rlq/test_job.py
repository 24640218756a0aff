import re
from dataclasses import replace

import pytest
import torch
from naming import assert_names
from tiny import ATTRIBUTES_OFF, CPU, IDENTITIES, noise_inputs, tiny_network, tiny_settings, tiny_teacher, values_of

from rlq.core.console import Console
from rlq.core.errors import SettingsError
from rlq.data.clothes import ClothesClasses
from rlq.methods.rlq import job as job_module
from rlq.methods.rlq.job import build, describe
from rlq.methods.rlq.weights import load_network
from rlq.training.checkpoint import save_weights


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return noise_inputs(tmp_path_factory.mktemp("noise"))


def job(inputs, *changes, teacher="same", folder=None):
    settings = tiny_settings(*changes)
    if teacher == "same":
        teacher = tiny_teacher(settings)
    return build(settings, inputs, teacher, place=CPU, console=Console(quiet=True), folder=folder)


def test_passes_come_in_the_order_of_the_settings_and_tad_needs_a_teacher(inputs):
    assert [part.name for part in job(inputs).passes] == ["tad", "cap"]
    assert [part.name for part in job(inputs, "order=[cap,tad]").passes] == ["cap", "tad"]
    assert [part.name for part in job(inputs, teacher=None).passes] == ["cap"]


def test_every_pass_takes_a_step_on_its_own_pictures(inputs):
    built = job(inputs)
    for part in built.passes:
        part.begin(1)
        batches = list(part.loader)
        assert len(batches) == 3  # of 24 pictures
        terms = part.step(batches[0])
        assert all(torch.isfinite(value) for value in terms.values())
        assert ("clothes_ce" in terms) == (part.name == "cap")  # the pass told its step the epoch
        rows = batches[0].hq if part.name == "tad" else batches[0].images
        assert rows.shape == (8, 3, 32, 16)
        part.begin(2)
        assert not torch.equal(next(iter(part.loader))[0], rows)


def test_the_models_rate_follows_the_schedule_and_the_clothes_heads_does_not(inputs):
    built = job(inputs, "optim.milestones=[2]", "optim.lr=0.1", "optim.clothes_lr=0.3", "schedule.epochs=9")
    model, clothes = built.optimisers["model"], built.optimisers["clothes"]
    for epoch, wanted in ((0, 0.1), (1, 0.1), (2, 0.01), (1, 0.1)):
        assert built.set_rates(epoch) == pytest.approx({"lr/model": wanted, "lr/clothes": 0.3})
        assert model.param_groups[0]["lr"] == pytest.approx(wanted)
        assert clothes.param_groups[0]["lr"] == 0.3


def test_all_that_learns_is_kept_and_steps_know_the_same_modules(inputs):
    built = job(inputs)
    assert built.modules.keys() == {"network", "clothes_head"}
    assert built.optimisers.keys() == {"model", "clothes"}
    of_model = {id(p) for group in built.optimisers["model"].param_groups for p in group["params"]}
    assert of_model == {id(p) for p in built.modules["network"].parameters()}
    assert built.modules["clothes_head"].weight is built.optimisers["clothes"].param_groups[0]["params"][0]
    alone = job(inputs, "branches=[bot]")
    assert (alone.modules.keys(), alone.optimisers.keys()) == ({"network"}, {"model"})
    assert alone.set_rates(0).keys() == {"lr/model"}


def test_evaluation_changes_nothing_and_goes_back_to_training(inputs):
    built = job(inputs)
    network = built.modules["network"]
    before = values_of(network)
    found = built.evaluate()
    assert {name.split("/")[0] for name in found} == {"CC", "General"}
    assert found["General/rank1"] is not None
    assert all(torch.equal(value, before[name]) for name, value in values_of(network).items())
    assert network.training
    assert built.evaluate() == found


def test_a_network_starts_from_the_weights_that_init_from_names(inputs, tmp_path):
    given = tiny_network(tiny_settings(), seed=8)
    save_weights(tmp_path / "model.safetensors", given)
    network = job(inputs, f"init_from={tmp_path}").modules["network"]
    wanted = values_of(given)
    assert all(torch.equal(value, wanted[name]) for name, value in values_of(network).items())


def test_what_is_written_beside_weights_builds_their_network_again(inputs, tmp_path):
    built = job(inputs, "cap.gender.on=both")
    save_weights(tmp_path / "model.safetensors", built.modules["network"])
    built.describe(tmp_path)
    network, settings = load_network(tmp_path, CPU.device)
    assert settings == tiny_settings("cap.gender.on=both")
    assert network.id_heads["bot"].out_features == IDENTITIES


def test_a_teacher_that_does_not_fit_is_refused_with_the_reason(inputs):
    teacher = tiny_teacher(tiny_settings("branches=[cal]", *ATTRIBUTES_OFF))
    with pytest.raises(SettingsError) as raised:
        job(inputs, teacher=teacher)
    assert_names(raised.value, "bot", "tad.teacher")
    teacher.feature_width = 4096
    with pytest.raises(SettingsError, match=r"\b4096\b.*\b\d+\b"):
        job(inputs, "branches=[cal]", *ATTRIBUTES_OFF, teacher=teacher)


def test_the_description_counts_people_pictures_and_rows(inputs):
    data, run = describe(tiny_settings("clothes.augment=true", "tad.external=celeb_reid"), inputs, CPU).splitlines()
    assert re.search(r"\bnoise\b.*\b24\b.*\b4\b.*\b3\b.*\b4\b.*\bceleb_reid\b.*\b24\b", data)
    assert re.search(r"\b8\b.*\b16\b.*\b1\b.*\bcpu\b.*\b16\b", run)


def test_the_memory_of_a_large_clothes_head_is_told_before_it_is_built(inputs, capsys, monkeypatch):
    many = replace(inputs, clothes=ClothesClasses(inputs.labels.owner, IDENTITIES))
    own, width = len(inputs.labels.owner), tiny_network(tiny_settings()).feature_width
    monkeypatch.setattr(job_module, "LARGE_HEAD", 0)
    monkeypatch.setattr(job_module, "clothes_head", lambda *_args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(tiny_settings(), many, None, place=CPU, console=Console(), folder=None)
    told, classes = capsys.readouterr().out, own + 81 * IDENTITIES
    assert told.startswith("warning")
    assert_names(told, classes, width, f"{16 * classes * width / 1e6:,.0f} MB")
    assert_names(told, "clothes.labels=person", own + IDENTITIES, f"{16 * (own + IDENTITIES) * width / 1e6:,.0f} MB")


def test_a_small_clothes_head_and_none_at_all_are_built_without_a_word(inputs, capsys, monkeypatch):
    build(tiny_settings(), inputs, None, place=CPU, console=Console(), folder=None)
    monkeypatch.setattr(job_module, "LARGE_HEAD", 0)
    build(tiny_settings("branches=[bot]", *ATTRIBUTES_OFF), inputs, None, place=CPU, console=Console(), folder=None)
    assert "warning" not in capsys.readouterr().out
