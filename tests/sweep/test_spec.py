from pathlib import Path

import pytest
from naming import assert_names
from sweep_files import HEAD, of, written

from rlq.core.errors import SettingsError
from rlq.sweep.plan import read_sweep

ONE = "parameters:\n  optim.lr: {min: 1e-4, max: 1e-2, log: true}\n"


def test_a_small_file_is_filled_with_the_defaults(tmp_path):
    sweep = written(tmp_path, ONE)
    assert (sweep.name, sweep.file, sweep.experiment) == ("sweep", tmp_path / "sweep.yaml", tmp_path / "base.yaml")
    assert (sweep.sampler.name, sweep.sampler.seed, sweep.pruner, sweep.seeds) == ("tpe", 0, None, (1,))
    assert (sweep.trials, sweep.timeout, sweep.selection) == (20, None, "holdout")
    assert (sweep.heartbeat.interval, sweep.heartbeat.grace, sweep.heartbeat.retries) == (60, 180, 2)
    assert sweep.parameters["optim.lr"].ends == (1e-4, 1e-2)


def test_the_experiment_is_relative_to_the_sweep_file(tmp_path, monkeypatch):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps/a.yaml").write_text(HEAD.replace("base.yaml", "../experiments/b.yaml") + ONE)
    monkeypatch.chdir(tmp_path)
    assert read_sweep(Path("sweeps/a.yaml")).experiment == tmp_path / "experiments/b.yaml"


def test_sampler_and_pruner_may_be_a_word(tmp_path):
    sweep = written(tmp_path, ONE + "sampler: random\npruner: median\n")
    assert (sweep.sampler.name, sweep.pruner.name) == ("random", "median")


@pytest.mark.parametrize(
    ("name", "key", "evaluated"),
    [
        ("CC/rank1", "best/CC/rank1", "CC/rank1"),
        ("General/mAP", "best/General/mAP", "General/mAP"),
        ("last/CC/mAP", "last/CC/mAP", "CC/mAP"),
        ("best/epoch", "best/epoch", None),
        ("time/training_s", "time/training_s", None),
        ("model/parameters_inference", "model/parameters_inference", None),
        ("paper/CC/rank1", "paper/CC/rank1", None),
    ],
)
def test_a_metric_is_found_among_a_runs_metrics_and_in_single_evaluations(tmp_path, name, key, evaluated):
    metric = of(tmp_path, metric={"name": name, "goal": "minimize"}, parameters={"a": {"values": [1]}}).objectives[0]
    assert (metric.key, metric.evaluated, metric.goal) == (key, evaluated, "minimize")


def test_several_metrics_are_objectives_in_their_order(tmp_path):
    metrics = "metrics:\n  - {name: CC/rank1, goal: maximize}\n  - {name: time/training_s, goal: minimize}\n"
    sweep = written(tmp_path, ONE + metrics, head="experiment: base.yaml\n")
    assert [metric.key for metric in sweep.objectives] == ["best/CC/rank1", "time/training_s"]
    assert sweep.directions == ["maximize", "minimize"]


REFUSED = {  # what follows the two lines of HEAD -> what the message names
    "trails: 5": ("line 3", "trails", "trials"),
    "sampler: {name: tpe, sed: 1}": ("line 3", "sampler.sed", "seed"),
    "xyzzy: 1": ("line 3", "xyzzy", "name, experiment, metric"),
    "method: bayes": ("line 3", "method", "sampler: {name: tpe}"),
    "early_terminate: {type: hyperband}": ("line 3", "early_terminate", "pruner: {name: hyperband}"),
    "run_cap: 10": ("line 3", "run_cap", "trials: NUMBER"),
    "program: train.py": ("line 3", "program", "experiment: FILE.yaml"),
    "command: [python]": ("line 3", "command", "experiment: FILE.yaml", "rlq sweep FILE"),
    "parameters:\n  optim.lr: {distribution: uniform, min: 0.1, max: 1.0}": (
        *("line 4", "parameters.optim.lr.distribution", "values", "min", "max", "log: true", "range"),
    ),
    "parameters:\n  optim: {lr: {min: 0.1, max: 1.0}}": (
        *("line 4", "parameters.optim.lr", "cap.pose.clusters: {min: 5, max: 40}"),
    ),
    "parameters:\n  optim.lr: 5": ("line 4", "parameters.optim.lr", 5, "{value: ...}"),
    "parameters:\n  optim.lr: {min: 0.1, maks: 1.0}": ("line 4", "parameters.optim.lr.maks", "max"),
    "parameters: {}": ("line 3", "parameters", 1, 0),
    "sampler: bayes": ("line 3", "sampler.name", "bayes", "'tpe', 'random'"),
    "sampler:\n  name: random\n  startup: 5": ("line 3", "sampler", "startup", "tpe, gp, cmaes", "random"),
    "sampler: {population: 5}": ("line 3", "sampler", "population", "nsgaii", "tpe"),
    "pruner: {name: median, reduction: 3}": ("line 3", "pruner", "reduction", "halving", "hyperband", "median"),
    "pruner: {name: halving, warmup: 3}": ("line 3", "pruner", "warmup", "median", "halving"),
    "heartbeat:\n  interval: 60\n  grace: 20": ("line 3", "heartbeat", "grace", 20, "interval", 60),
    "trials: 0": ("line 3", "trials", 0, 1),
    "timeout: -1": ("line 3", "timeout", -1, 0),
    "seeds: []": ("line 3", "seeds", "[]"),
    "seeds: [1, 1]": ("line 3", "seeds", "[1, 1]"),
    "selection: train": ("line 3", "selection", "train", "holdout", "test"),
    "metrics: [{name: a, goal: maximize}]": ("line 3", "metric:", "metrics:"),
    "constraints:\n  - optim.lr <= 1\n  - optim.lr < 1": ("line 5", "constraints.1", "optim.lr < 1", "<=", ">="),
    "constraints: [3 <= 4]": ("line 3", "constraints.0", "3 <= 4", "metric"),
    "constraints: [test/CC/rank1 >= 0.5]": ("line 3", "constraints.0", "test/CC/rank1", "selection: test"),
    "enqueue: [paper]": ("line 3", "enqueue.0", "paper", "experiment"),
    "a: 1\na: 2": (3, 4),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_wrong_is_told_with_its_line(text, tmp_path):
    with pytest.raises(SettingsError) as refused:
        written(tmp_path, text + "\n" + ("" if "parameters:" in text else ONE))
    assert_names(refused.value, "sweep.yaml")
    assert_names(str(refused.value).replace(str(tmp_path), ""), *REFUSED[text])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ("line 1", "metric: ", "metrics: ")),
        ("metrics: [{name: CC/rank1, goal: maximize}]", ("line 5", "metrics", "['best/CC/rank1']", "metric:")),
        ("metric: {name: CC/rank1}", ("line 5", "metric.goal")),
        (
            "metric: {name: test/CC/rank1, goal: maximize}",
            ("line 5", "metric.name", "test/CC/rank1", "selection: test"),
        ),
        (
            "metric: {name: time/training_s, goal: minimize}\npruner: median",
            ("line 6", "pruner", "time/training_s", "pruner: null"),
        ),
        (
            "metrics:\n  - {name: CC/rank1, goal: maximize}\n  - {name: CC/mAP, goal: maximize}\npruner: median",
            ("line 8", "pruner", 2, "pruner: null"),
        ),
        (
            "metrics:\n  - {name: CC/rank1, goal: maximize}\n  - {name: best/CC/rank1, goal: minimize}",
            ("line 5", "metrics", "['best/CC/rank1', 'best/CC/rank1']"),
        ),
    ],
)
def test_metrics_that_cannot_be_are_told(text, named, tmp_path):
    with pytest.raises(SettingsError) as refused:
        written(tmp_path, text, head="trials: 5\nexperiment: base.yaml\n" + ONE)
    assert_names(refused.value, *named)


def test_all_mistakes_are_told_at_once(tmp_path):
    with pytest.raises(SettingsError) as caught:
        written(tmp_path, "trails: 5\nsampler: bayes\n" + ONE)
    assert_names(caught.value, "line 3", "trails", "line 4", "sampler.name", "bayes")


def test_a_missing_file_and_one_without_yaml_are_told(tmp_path):
    with pytest.raises(SettingsError, match=r"no\.yaml"):
        read_sweep(tmp_path / "no.yaml")
    with pytest.raises(SettingsError) as told:
        written(tmp_path, "parameters: {a: [\n")
    assert_names(told.value, "sweep.yaml", "YAML", "line 4")
    with pytest.raises(SettingsError) as told:
        written(tmp_path, ONE, head="metric: {name: CC/rank1, goal: maximize}\n")
    assert_names(told.value, "line 1", "experiment")
