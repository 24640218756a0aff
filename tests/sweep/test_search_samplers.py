import importlib.util

import optuna
import pytest
from naming import assert_names
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from sweep_files import of

from rlq.core.errors import SettingsError
from rlq.sweep.samplers import check_extras, make_pruner, make_sampler
from rlq.sweep.space import draw

NUMBERS = {"optim.lr": {"min": 0.0, "max": 1.0}, "tad.motion_kernel": {"range": [4, 32]}}
GRID = {"optim.lr": {"values": [0.1, 0.2]}, "backbone.split": {"min": 0, "max": 3}}
SAMPLERS = [
    {"name": "tpe", "startup": 3},
    "random",
    "grid",
    {"name": "gp", "startup": 3},
    "qmc",
    {"name": "nsgaii", "population": 3},
]
TWO = [{"name": "CC/rank1", "goal": "maximize"}, {"name": "time/training_s", "goal": "minimize"}]


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def name_of(sampler) -> str:
    return sampler if isinstance(sampler, str) else sampler["name"]


def draws(sweep, trials, study=None):
    """What so many trials draw; with a new sampler, as a new process has."""
    study = study or optuna.create_study(directions=sweep.directions)
    study.sampler = make_sampler(sweep)
    found = []

    def objective(trial):
        found.append(draw(trial, sweep))
        values = [found[-1]["optim.lr"], -float(trial.number % 3)]
        return values if len(sweep.objectives) == 2 else values[0]

    study.optimize(objective, n_trials=trials)
    return found


@pytest.mark.parametrize("sampler", SAMPLERS, ids=name_of)
@pytest.mark.parametrize("metrics", [TWO[:1], pytest.param(TWO, marks=pytest.mark.slow)], ids=["one", "two"])
@pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning", "error::UserWarning")
def test_every_sampler_draws_what_it_is_given_and_the_same_again(sampler, metrics, tmp_path):
    goals = {"metrics": metrics} if len(metrics) > 1 else {"metric": metrics[0]}
    sweep = of(tmp_path, parameters=GRID if sampler == "grid" else NUMBERS, sampler=sampler, **goals)
    found = draws(sweep, 4)
    assert len({repr(drawn) for drawn in found}) == len(found) == 4
    assert draws(sweep, 4) == found


@pytest.mark.parametrize(
    "sampler", [s for s in SAMPLERS if name_of(s) in ("tpe", "random", "qmc", "nsgaii")], ids=name_of
)
def test_a_second_session_goes_on_instead_of_repeating(sampler, tmp_path):
    sweep = of(tmp_path, parameters=NUMBERS, sampler=sampler, trials=8)
    study = optuna.create_study(direction="maximize")
    found = draws(sweep, 4, study) + draws(sweep, 4, study)
    assert len({repr(drawn) for drawn in found}) >= 7  # two of one generation may be alike
    assert found == draws(sweep, 8)


def test_another_seed_draws_otherwise(tmp_path):
    first, second = (of(tmp_path, parameters=NUMBERS, sampler={"name": "random", "seed": seed}) for seed in (0, 1))
    assert draws(first, 3) != draws(second, 3)


def test_a_second_session_finishes_a_grid(tmp_path):
    sweep = of(tmp_path, parameters=GRID, sampler="grid")
    study = optuna.create_study(direction="maximize")
    found = draws(sweep, 3, study) + draws(sweep, 50, study)
    assert len(found) == len({repr(drawn) for drawn in found}) == 8


def test_pruners_get_their_options(tmp_path):
    def pruner(words):
        return make_pruner(of(tmp_path, parameters=NUMBERS, pruner=words))

    assert isinstance(pruner(None), NopPruner)
    median = pruner({"name": "median", "startup": 2, "warmup": 1})
    assert isinstance(median, MedianPruner) and (median._n_startup_trials, median._n_warmup_steps) == (2, 1)
    assert isinstance(pruner({"name": "halving", "least": 2, "reduction": 3}), SuccessiveHalvingPruner)
    assert isinstance(pruner({"name": "hyperband", "least": 2}), HyperbandPruner)


@pytest.mark.parametrize("words", [{"name": "median", "startup": 2}, {"name": "halving", "least": 1, "reduction": 2}])
def test_a_pruner_ends_what_is_plainly_worse(words, tmp_path):
    sweep = of(tmp_path, parameters=NUMBERS, pruner=words)
    study = optuna.create_study(direction="maximize", pruner=make_pruner(sweep))

    def objective(trial):
        for epoch in range(8):
            trial.report(1.0 if trial.number < 4 else 0.0, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return 1.0

    study.optimize(objective, n_trials=5)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4 + ["PRUNED"]


def test_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    gone = ("cmaes", "scipy")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name in gone else found(name, *more))
    check_extras(of(tmp_path, parameters=NUMBERS))
    with pytest.raises(SettingsError, match=r"line \d+") as missing:
        check_extras(of(tmp_path, parameters=NUMBERS, sampler="cmaes"))
    assert_names(missing.value, "cmaes", "pip install 'rlq[cmaes]'")
    with pytest.raises(SettingsError) as missing:
        check_extras(of(tmp_path, parameters=NUMBERS, sampler="gp"))
    assert_names(missing.value, "gp", "pip install scipy")


def test_cmaes_draws_numbers_where_it_is_installed(tmp_path):
    pytest.importorskip("cmaes", reason="the extra cmaes is not installed")
    found = draws(of(tmp_path, parameters=NUMBERS, sampler={"name": "cmaes", "startup": 2}), 6)
    assert len(found) == 6 and all(0 <= drawn["optim.lr"] <= 1 for drawn in found)
