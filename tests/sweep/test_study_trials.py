"""Single trials of a study, with runs that take no time: what goes wrong in them, and how that is told."""

import re

import pytest
from fake_runs import Lines, states
from naming import assert_names
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from rlq.core.errors import RlqError
from rlq.sweep import run as searching
from rlq.sweep.study import Tally, parent_of, tally
from rlq.sweep.trial import Objective
from rlq.training.signals import Stopped


def test_an_error_in_one_trial_fails_that_trial_and_no_other(sweeping, runs):
    def broken(settings):
        if len(runs.settings) == 2:
            raise RuntimeError("out of memory, nearly")
        return [0.3]

    runs.curve = broken
    console = Lines()
    study = sweeping.search(sweeping.plan(), console)
    assert states(study) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    failed = study.trials[1]
    assert failed.user_attrs["reason"] == "RuntimeError: out of memory, nearly"
    assert 'raise RuntimeError("out of memory, nearly")' in failed.user_attrs["traceback"]
    assert any(re.match(r"trial +1\b.*fail", text) and failed.user_attrs["reason"] in text for text in console.texts)
    closing = searching.closing_words(sweeping.plan(), study)
    assert any("1" in line and failed.user_attrs["reason"] in line for line in closing.splitlines())


def test_a_study_whose_first_trials_fail_alike_stops_with_the_reason(sweeping, runs):
    def broken(settings):
        raise RlqError("no pictures there")

    runs.curve = broken
    with pytest.raises(RlqError) as told:
        sweeping.search(sweeping.plan(trials=5))
    assert_names(told.value, 3, "no pictures there")
    assert len(runs.settings) == 3
    runs.curve = lambda settings: [0.4]
    study = sweeping.search(sweeping.plan(trials=5))
    assert states(study) == ["FAIL"] * 3 + ["COMPLETE"] * 2


def test_trials_that_fail_for_different_reasons_do_not_stop_the_study(sweeping, runs):
    def broken(settings):
        raise RlqError(f"failure {len(runs.settings)}")

    runs.curve = broken
    assert states(sweeping.search(sweeping.plan())) == ["FAIL"] * 4


def test_a_pruned_trial_says_why_and_is_no_failure(sweeping, runs):
    runs.curve = lambda settings: [0.5, 0.5] if len(runs.settings) < 4 else [0.1, 0.9]
    plan = sweeping.plan(pruner={"name": "median", "startup": 3}, trials=5)
    study = sweeping.search(plan)
    assert states(study) == ["COMPLETE"] * 3 + ["PRUNED"] * 2
    assert_names(study.trials[3].user_attrs["reason"], "median", "CC/rank1", "10.0 %", "epoch 1")
    assert study.trials[3].intermediate_values == {0: 0.1}
    assert "traceback" not in study.trials[3].user_attrs


def test_a_trial_with_several_seeds_counts_by_their_mean(sweeping, runs):
    runs.curve = lambda settings: [0.1 * settings.seed]
    study = sweeping.search(sweeping.plan(seeds=[1, 2, 6], trials=2))
    assert [trial.value for trial in study.trials] == pytest.approx([0.3, 0.3])
    assert [settings.seed for settings in runs.settings] == [1, 2, 6, 1, 2, 6]
    of_trial = study.trials[0].user_attrs["run_id"]
    assert {member.parent for member in runs.members[:3]} == {of_trial}
    assert {member.kind for member in runs.members} == {"seed"}
    run = sweeping.client.get_run(of_trial)
    assert run.data.tags["mlflow.parentRunId"] == parent_of(study)
    assert run.data.tags["rlq.kind"] == "trial"
    assert run.info.status == "FINISHED"
    assert run.data.metrics["best/CC/rank1"] == pytest.approx(0.3)
    assert run.data.metrics["deviation/best/CC/rank1"] == pytest.approx(0.2645751)
    assert "seed" not in run.data.params


def test_a_pruner_watches_the_first_seed_only(sweeping, runs):
    runs.curve = lambda settings: [0.5] if settings.seed == 1 else [0.0]
    plan = sweeping.plan(seeds=[1, 2], pruner={"name": "median", "startup": 1}, trials=3)
    study = sweeping.search(plan)
    assert states(study) == ["COMPLETE"] * 3
    assert study.trials[2].intermediate_values == {0: 0.5}


def test_a_trial_that_is_stopped_goes_on_where_it_was(sweeping, runs):
    def stopped(settings):
        if len(runs.settings) == 2:
            raise Stopped(15)
        return [0.3]

    runs.curve = stopped
    with pytest.raises(Stopped):
        sweeping.search(sweeping.plan())
    (parent,) = sweeping.client.search_runs(["1"], "tags.`rlq.kind` = 'sweep'")
    assert parent.info.status == "KILLED"
    study = sweeping.search(sweeping.plan())
    assert tally(study).complete == 4
    assert study.trials[1].state == TrialState.FAIL
    again = study.trials[4]
    assert again.params == study.trials[1].params
    (continued,) = [member for member in runs.members if member.continues is not None]
    assert continued.continues == runs.folder / "run-1"
    assert continued.tags["rlq.trial"] == "4"
    assert sweeping.client.get_run(parent.info.run_id).info.status == "FINISHED"


def test_a_trial_whose_storage_went_away_is_queued_again_and_has_not_failed(sweeping, runs):
    def away(settings):
        if len(runs.settings) == 2:
            raise StorageInternalError("the server is being restarted")
        return [0.3]

    runs.curve = away
    with pytest.raises(RlqError, match="the server is being restarted"):
        sweeping.search(sweeping.plan())
    study = sweeping.search(sweeping.plan())
    assert tally(study).complete == 4 and tally(study).failed == 0
    assert study.trials[4].params == study.trials[1].params


def test_a_trial_begun_although_all_were_taken_does_not_count(sweeping, runs):
    plan = sweeping.plan()
    study = sweeping.search(plan)
    console = Lines()
    objective = Objective(plan, study, parent_of(study), console=console)
    study.optimize(objective, n_trials=1, catch=(RlqError,))
    assert len(runs.settings) == 4
    assert study.trials[4].state == TrialState.FAIL
    assert tally(study) == Tally(complete=4, pruned=0, failed=0, running=0, waiting=0)


def test_draws_that_break_a_constraint_are_drawn_again(sweeping, runs):
    plan = sweeping.plan(constraints=["cap.pose.clusters <= 20"], trials=6)
    study = sweeping.search(plan)
    assert tally(study) == Tally(complete=6, pruned=0, failed=0, running=0, waiting=0)
    assert all(settings.cap.pose.clusters <= 20 for settings in runs.settings)
    refused = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert all("cap.pose.clusters <= 20" in trial.user_attrs["reason"] for trial in refused)
    assert len(study.trials) == 6 + len(refused)
