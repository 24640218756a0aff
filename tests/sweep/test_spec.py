from pathlib import Path

import pytest
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


REFUSED = {  # what follows the two lines of HEAD -> the message, from its line on
    "trails: 5": r"line 3: unknown trails; did you mean trials\?",
    "sampler: {name: tpe, sed: 1}": r"line 3: unknown sampler.sed; did you mean seed\?",
    "xyzzy: 1": r"line 3: unknown xyzzy; known here: name, experiment, metric",
    "method: bayes": r"line 3: method is a word of W&B; here it is sampler: \{name: tpe\}",
    "early_terminate: {type: hyperband}": r"early_terminate is a word of W&B; here it is pruner: \{name: hyperband\}",
    "run_cap: 10": "run_cap is a word of W&B; here it is trials: NUMBER",
    "program: train.py": "program is a word of W&B; here it is experiment: FILE.yaml",
    "command: [python]": "command is a word of W&B; here it is experiment: FILE.yaml",
    "parameters:\n  optim.lr: {distribution: uniform, min: 0.1, max: 1.0}": "line 4: parameters.optim.lr.distribution",
    "parameters:\n  optim: {lr: {min: 0.1, max: 1.0}}": "line 4: unknown parameters.optim.lr; settings go by their",
    "parameters:\n  optim.lr: 5": r"line 4: parameters.optim.lr = 5: should be a mapping, such as \{value: ...\}",
    "parameters:\n  optim.lr: {min: 0.1, maks: 1.0}": r"line 4: unknown parameters.optim.lr.maks; did you mean max\?",
    "parameters: {}": "line 3: parameters: Dictionary should have at least 1 item",
    "sampler: bayes": "line 3: sampler.name = 'bayes': Input should be 'tpe', 'random'",
    "sampler:\n  name: random\n  startup: 5": "line 3: sampler: startup is for tpe, gp, cmaes; random does not use it",
    "sampler: {population: 5}": "sampler: population is for nsgaii; tpe does not use it",
    "pruner: {name: median, reduction: 3}": "line 3: pruner: reduction is for halving and hyperband, not median",
    "pruner: {name: halving, warmup: 3}": "line 3: pruner: warmup is for median, not halving",
    "heartbeat:\n  interval: 60\n  grace: 20": "line 3: heartbeat: grace = 20 should be longer than interval = 60",
    "trials: 0": "line 3: trials = 0: Input should be greater than or equal to 1",
    "timeout: -1": "line 3: timeout = -1",
    "seeds: []": r"line 3: seeds = \[\] should be one or more different numbers",
    "seeds: [1, 1]": r"line 3: seeds = \[1, 1\] should be one or more different numbers",
    "selection: train": "line 3: selection = 'train': Input should be 'holdout' or 'test'",
    "metrics: [{name: a, goal: maximize}]": "line 3: wants metric: .* or metrics: with a list of such; found both",
    "constraints:\n  - optim.lr <= 1\n  - optim.lr < 1": "line 5: constraints.1 = 'optim.lr < 1': should read NAME",
    "constraints: [3 <= 4]": "compares two numbers; should name a parameter or a metric",
    "constraints: [test/CC/rank1 >= 0.5]": "would choose on the test set",
    "enqueue: [paper]": "line 3: enqueue.0 = 'paper': should be parameters with their values, or the word experiment",
    "a: 1\na: 2": "a is given twice, in lines 3 and 4",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_wrong_is_told_with_its_line(text, tmp_path):
    with pytest.raises(SettingsError, match="sweep.yaml.*" + REFUSED[text]):
        written(tmp_path, text + "\n" + ("" if "parameters:" in text else ONE))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: wants metric: .* found neither"),
        ("metrics: [{name: CC/rank1, goal: maximize}]", r"line 5: metrics = \['best/CC/rank1'\] should be two or more"),
        ("metric: {name: CC/rank1}", "line 5: metric.goal is missing"),
        ("metric: {name: test/CC/rank1, goal: maximize}", "test set; for that say CC/rank1 and selection: test"),
        (
            "metric: {name: time/training_s, goal: minimize}\npruner: median",
            "line 6: pruner: time/training_s is known",
        ),
        (
            "metrics:\n  - {name: CC/rank1, goal: maximize}\n  - {name: CC/mAP, goal: maximize}\npruner: median",
            "line 8: pruner: of 2 metrics no trial is plainly the worse; pruner: null",
        ),
        (
            "metrics:\n  - {name: CC/rank1, goal: maximize}\n  - {name: best/CC/rank1, goal: minimize}",
            "line 5: metrics = .* should be two or more different ones",
        ),
    ],
)
def test_metrics_that_cannot_be_are_told(text, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        written(tmp_path, text, head="trials: 5\nexperiment: base.yaml\n" + ONE)


def test_all_mistakes_are_told_at_once(tmp_path):
    with pytest.raises(SettingsError, match="line 3: unknown trails.*") as caught:
        written(tmp_path, "trails: 5\nsampler: bayes\n" + ONE)
    assert "line 4: sampler.name = 'bayes'" in str(caught.value)


def test_a_missing_file_and_one_without_yaml_are_told(tmp_path):
    with pytest.raises(SettingsError, match="no.yaml cannot be read"):
        read_sweep(tmp_path / "no.yaml")
    with pytest.raises(SettingsError, match="sweep.yaml is not valid YAML.*line 4"):
        written(tmp_path, "parameters: {a: [\n")
    with pytest.raises(SettingsError, match="line 1: experiment is missing"):
        written(tmp_path, ONE, head="metric: {name: CC/rank1, goal: maximize}\n")
