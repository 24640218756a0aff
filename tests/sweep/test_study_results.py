"""What a study with runs that take no time finds: by which metrics, under which constraints, on whom."""

import pytest
from fake_runs import CLUSTERS, Lines
from naming import assert_names

from rlq.core.errors import RlqError
from rlq.sweep import run as searching
from rlq.sweep.study import Tally, parent_of, tally


def test_several_metrics_give_all_trials_that_none_beats_in_each(sweeping, runs):
    metrics = [
        {"name": "CC/rank1", "goal": "maximize"},
        {"name": "model/parameters_inference", "goal": "minimize"},
    ]
    plan = sweeping.plan(metric=None, metrics=metrics, trials=6)
    study = sweeping.search(plan)
    points = {trial.number: trial.values for trial in study.trials}
    front = {
        number
        for number, (rank1, size) in points.items()
        if not any((r >= rank1 and s <= size) and (r, s) != (rank1, size) for r, s in points.values())
    }
    told = searching.closing_tree(plan, study)
    assert {trial["trial"] for trial in told["best"]} == front
    shown = [line for line in searching.closing_words(plan, study).splitlines() if line.startswith("best ")]
    assert len(shown) == len(front)
    for number, line in zip(sorted(front), sorted(shown), strict=True):
        assert_names(line, number, "best/CC/rank1", "model/parameters_inference")


def test_a_metric_that_is_not_measured_ends_the_study_by_its_name(sweeping, runs):
    plan = sweeping.plan(metric={"name": "best/XX/rank1", "goal": "maximize"})
    with pytest.raises(RlqError) as refused:
        sweeping.search(plan)
    assert_names(refused.value, "XX/rank1", "CC/mAP", "CC/rank1")
    assert len(runs.settings) == 1


def test_the_best_trial_keeps_constraints_on_what_was_measured(sweeping, runs):
    runs.curve = lambda settings: [settings.cap.pose.clusters / 100]
    study = sweeping.search(
        sweeping.plan(constraints=["model/parameters_inference <= 20000"], sampler="grid", trials=8)
    )
    assert tally(study) == Tally(complete=8, pruned=0, failed=0, running=0, waiting=0)
    assert study.best_params == {"cap.pose.clusters": 20}


def test_choosing_on_the_test_set_is_labelled_everywhere(sweeping, runs):
    plan = sweeping.plan(selection="test")
    console = Lines()
    study = sweeping.search(plan, console)
    assert {settings.data.selection for settings in runs.settings} == {"test"}
    assert {member.tags["rlq.selection"] for member in runs.members} == {"test"}
    (label,) = {member.tags["rlq.label"] for member in runs.members}
    assert "test" in label
    assert label in console.texts[0]
    assert searching.closing_words(plan, study).count(label) == 2
    parent = sweeping.client.get_run(parent_of(study))
    assert parent.data.tags["rlq.label"] == label


def test_a_tree_of_the_results_is_for_programs(sweeping, runs):
    plan = sweeping.plan(parameters=CLUSTERS, trials=2)
    tree = searching.closing_tree(plan, sweeping.search(plan))
    assert tree["counts"] == {"complete": 2, "pruned": 0, "failed": 0, "running": 0, "waiting": 0}
    assert [trial["state"] for trial in tree["trials"]] == ["COMPLETE"] * 2
    assert tree["best"][0]["values"]["best/CC/rank1"] == max(t["values"]["best/CC/rank1"] for t in tree["trials"])
