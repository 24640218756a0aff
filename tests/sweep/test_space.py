import json
import re

import optuna
import pytest
from naming import assert_names
from optuna.trial import FixedTrial
from sweep_files import of, settings_of

from rlq.core.config import validate, with_values
from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.methods.catalogue import METHODS
from rlq.methods.rlq.settings import RlqSettings
from rlq.sweep.samplers import make_sampler
from rlq.sweep.space import (
    describe,
    difference,
    draw,
    flat_guess,
    smoke,
    space_signature,
)
from rlq.sweep.spec import Sweep
from rlq.sweep.validation import check

SETTINGS = settings_of()
EVERYTHING = {
    "cap.pose.clusters": {"min": 5, "max": 40, "step": 5},
    "optim.lr": {"min": 1e-4, "max": 1e-2, "log": True},
    "losses.triplet": {"min": 0.0, "max": 2.0, "step": 0.25},
    "losses.kl": {"values": ["official", "plain"]},
    "optim.milestones": {"values": [[], [2], [1, 3]]},
    "tad.gaussian_kernel": {"range": [3, 31], "step": 2},
    "tad.gaussian_sigma": {"range": [0.1, 3.0]},
    "cap.gender.on": {"values": ["cal", "both"], "when": {"losses.kl": "plain"}},
    "optim.gamma": {"value": 0.5},
}


def drawn_by_a_study(sweep: Sweep, trials: int, *guesses: dict) -> list[dict]:
    study = optuna.create_study(directions=sweep.directions, sampler=make_sampler(sweep))
    for guess in guesses:
        study.enqueue_trial(guess, skip_if_exists=True)
    draws = []

    def objective(trial: optuna.Trial) -> float:
        draws.append(draw(trial, sweep))
        return float(trial.number % 7)

    study.optimize(objective, n_trials=trials)
    return draws


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_a_draw_is_what_the_trial_says_in_the_words_of_the_settings(tmp_path):
    sweep = of(tmp_path, parameters=EVERYTHING)
    chosen = {
        "cap.pose.clusters": 20,
        "optim.lr": 0.001,
        "losses.triplet": 0.5,
        "losses.kl": "plain",
        "optim.milestones": "[1, 3]",
        "tad.gaussian_kernel.low": 21,
        "tad.gaussian_kernel.high": 5,
        "tad.gaussian_sigma.low": 0.5,
        "tad.gaussian_sigma.high": 0.75,
        "cap.gender.on": "both",
    }
    expected = {name: chosen[name] for name in list(EVERYTHING)[:4]} | {
        "optim.milestones": [1, 3],
        "tad.gaussian_kernel": [5, 21],
        "tad.gaussian_sigma": [0.5, 0.75],
        "cap.gender.on": "both",
        "optim.gamma": 0.5,
    }
    assert draw(FixedTrial(chosen), sweep) == expected
    without = {name: value for name, value in expected.items() if name != "cap.gender.on"}
    assert draw(FixedTrial(chosen | {"losses.kl": "official"}), sweep) == without | {"losses.kl": "official"}


def test_every_draw_is_a_valid_experiment_within_its_parameters(tmp_path):
    sweep = of(tmp_path, parameters=EVERYTHING, sampler="random")
    check(sweep, SETTINGS)
    draws = drawn_by_a_study(sweep, 60)
    for drawn in draws:
        tree = with_values(SETTINGS.model_dump(mode="json"), drawn)
        assert validate(RlqSettings, tree, "draw").cap.pose.clusters == drawn["cap.pose.clusters"]
        assert ("cap.gender.on" in drawn) == (drawn["losses.kl"] == "plain")
        refusals = {n: sweep.parameters[n].refusal(value) for n, value in drawn.items() if n != "optim.gamma"}
        assert not any(refusals.values()), refusals
    assert {drawn["losses.kl"] for drawn in draws} == {"official", "plain"}
    assert len({tuple(drawn["tad.gaussian_kernel"]) for drawn in draws}) > 20


def test_random_scales_draw_their_points_and_no_others(tmp_path):
    random = generator("scales")
    for _ in range(10):
        low, step, steps = (int(n) for n in (random.integers(2, 9), random.integers(1, 4), random.integers(1, 4)))
        scale = {"min": low, "max": low + step * steps, "step": step}
        sweep = of(tmp_path, parameters={"cap.pose.clusters": scale}, sampler="random")
        found = {drawn["cap.pose.clusters"] for drawn in drawn_by_a_study(sweep, 40)}
        assert found == set(range(low, low + step * steps + 1, step))


def test_a_first_guess_is_drawn_as_it_was_written(tmp_path):
    guess = {
        "cap.pose.clusters": 15,
        "optim.lr": 0.001,
        "losses.triplet": 1,
        "losses.kl": "plain",
        "optim.milestones": [2],
        "tad.gaussian_kernel": [5, 21],
        "tad.gaussian_sigma": [0.1, 2],
        "cap.gender.on": "cal",
    }
    sweep = of(tmp_path, parameters=EVERYTHING, enqueue=[guess])
    check(sweep, SETTINGS)
    flat = flat_guess(sweep.enqueue[0], sweep, SETTINGS)
    assert flat["tad.gaussian_kernel.low"] == 5 and flat["optim.milestones"] == "[2]"
    assert isinstance(flat["losses.triplet"], float) and isinstance(flat["tad.gaussian_sigma.high"], float)
    (first, _) = drawn_by_a_study(sweep, 2, flat, flat)
    assert first == guess | {"optim.gamma": 0.5}


def test_the_experiments_own_values_leave_it_as_it_is(tmp_path):
    parameters = {name: EVERYTHING[name] for name in ("cap.pose.clusters", "optim.lr", "losses.kl", "optim.milestones")}
    parameters["optim.milestones"] = {"values": [[2], [4]]}
    sweep = of(tmp_path, parameters=parameters, enqueue=["experiment"])
    check(sweep, SETTINGS)
    (first,) = drawn_by_a_study(sweep, 1, flat_guess("experiment", sweep, SETTINGS))
    assert validate(RlqSettings, with_values(SETTINGS.model_dump(mode="json"), first), "own") == SETTINGS


def test_a_grid_draws_every_point_once_and_ranges_in_order(tmp_path):
    parameters = {
        "tad.motion_kernel": {"range": [4, 10], "step": 2},
        "losses.kl": {"values": ["official", "plain"]},
        "optim.gamma": {"value": 0.5},
    }
    sweep = of(tmp_path, parameters=parameters, sampler="grid")
    check(sweep, SETTINGS)
    draws = [json.dumps(drawn) for drawn in drawn_by_a_study(sweep, 50)]
    assert len(draws) == len(set(draws)) == 2 * (4 + 3 + 2 + 1)
    ends = [json.loads(drawn)["tad.motion_kernel"] for drawn in draws]
    assert all(low <= high for low, high in ends) and [4, 4] in ends and [4, 10] in ends


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(("sampler", "trials"), [("grid", 100), ("random", 60)])
def test_fractions_are_drawn_as_the_file_would_write_them(sampler, trials, tmp_path):
    steps = {"min": 0.1, "max": 0.7, "step": 0.1}
    parameters = {"losses.triplet": steps, "tad.gaussian_sigma": {"range": [0.1, 0.3], "step": 0.1}}
    draws = drawn_by_a_study(of(tmp_path, parameters=parameters, sampler=sampler), trials)
    assert {drawn["losses.triplet"] for drawn in draws} == {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
    assert {end for drawn in draws for end in drawn["tad.gaussian_sigma"]} == {0.1, 0.2, 0.3}
    assert len(draws) == (42 if sampler == "grid" else 60)


def test_smoke_makes_any_experiment_short_and_leaves_it_valid(tmp_path):
    sweep = of(tmp_path, parameters={"losses.kl": {"values": ["plain"]}})
    for name in ("synthetic_short", "prcc", "last", "cal", "base"):
        values = smoke(sweep, METHODS["rlq"])
        short = validate(RlqSettings, with_values(settings_of(name).model_dump(mode="json"), values), name)
        assert short.schedule.epochs * short.schedule.max_steps == 4 and not short.tracking.figures
    with pytest.raises(SettingsError, match=r"line \d+") as refused:
        smoke(of(tmp_path, parameters={"schedule.epochs": {"values": [4, 8]}}), METHODS["rlq"])
    assert_names(refused.value, "--smoke", "schedule.epochs")


def test_the_description_says_all_that_matters(tmp_path):
    parameters = {name: EVERYTHING[name] for name in ("cap.pose.clusters", "tad.gaussian_kernel", "losses.kl")}
    parameters["cap.gender.on"] = EVERYTHING["cap.gender.on"]
    sweep = of(
        tmp_path,
        name="all",
        parameters=parameters,
        sampler={"name": "tpe", "startup": 7},
        pruner={"name": "median", "warmup": 3},
        seeds=[1, 2],
        timeout=60,
        fixed={"tad.fraction": 0.5},
        constraints=["CC/mAP >= 0.1"],
        enqueue=[{"cap.pose.clusters": 10}, "experiment"],
    )
    lines = describe(sweep, SETTINGS).splitlines()
    for label, *named in (
        ("sweep", "all", tmp_path / "base.yaml"),
        ("metric", "maximize", "best/CC/rank1"),
        ("chosen",),
        ("sampler", "tpe", "seed 0", "startup 7"),
        ("pruner", "median", "warmup 3"),
        ("seeds", "1, 2"),
        ("trials", 20, "60 s"),
        ("points", f"{8 * 120 * 2 * 2:,}"),
        ("fixed", "tad.fraction", 0.5),
        ("constraints", "CC/mAP >= 0.1"),
        ("first", "cap.pose.clusters", 10),
        ("cap.pose.clusters", 5, 40, 8),
        ("tad.gaussian_kernel", "range", 3, 31, 2, 120),
        ("losses.kl", "values", "official, plain", 2),
        ("cap.gender.on", "values", "cal, both", 2, "losses.kl", "plain"),
    ):
        found = [line for line in lines if line.split()[:1] == [label]]
        assert any(all(str(piece) in line for piece in named) for line in found), (label, named, lines)
    own = next(line for line in lines if "[9, 21]" in line)
    assert_names(own, "cap.pose.clusters", 15, "tad.gaussian_kernel", "losses.kl", "official")
    on_test = of(tmp_path, parameters={"optim.lr": {"min": 0.1, "max": 1.0}}, selection="test")
    held_out, test = (
        {label: next(line for line in text.splitlines() if line.startswith(label)) for label in ("chosen", "points")}
        for text in ("\n".join(lines), describe(on_test, SETTINGS))
    )
    assert "test" in test["chosen"] and "test" not in held_out["chosen"]
    assert re.search(r"\d", held_out["points"]) and not re.search(r"\d", test["points"])


def test_signatures_tell_searches_apart_and_the_difference_is_told(tmp_path):
    def signature(**parts):
        return space_signature(of(tmp_path, **({"parameters": {"optim.lr": {"min": 1, "max": 5}}} | parts)))

    assert signature() == signature(
        parameters={"optim.lr": {"min": 1, "max": 5, "step": 1}}, trials=5, sampler="random"
    )
    assert difference(signature(), signature()) == ""
    changed = {"optim.lr": {"min": 1, "max": 6}, "losses.triplet": {"values": [1, 2]}}
    told = difference(signature(), signature(parameters=changed))
    assert_names(told, "parameters.losses.triplet", "parameters.optim.lr", 5, 6)
    back = difference(signature(parameters=changed), signature())
    assert_names(back, "parameters.losses.triplet", "parameters.optim.lr", 5, 6)
    assert back != told
    pairs = {"tad.motion_kernel": {"range": [4, 10]}}
    for before, after, named in (
        ({}, {"seeds": [1, 2]}, ("seeds", "[1]", "[1, 2]")),
        ({}, {"selection": "test"}, ("selection", "holdout", "test")),
        ({}, {"fixed": {"seed": 1}}, ("fixed.seed", 1)),
        (
            {},
            {"metric": {"name": "CC/mAP", "goal": "maximize"}},
            ("metrics.best/CC/mAP", "metrics.best/CC/rank1", "maximize"),
        ),
        ({"parameters": pairs}, {"parameters": pairs, "sampler": "grid"}, ("ranges", "pairs")),
    ):
        found = difference(signature(**before), signature(**after))
        assert_names(found, *named)
        assert len(found.split("; ")) == (2 if "metric" in after else 1)  # and nothing else
