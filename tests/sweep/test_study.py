"""Studies with runs that take no time: what is tried, what is kept of it, what goes wrong and how that is told."""

import threading
import time
from dataclasses import replace

import pytest
from fake_runs import CLUSTERS, Lines
from mlflow import MlflowClient
from optuna.trial import TrialState

from rlq.errors import RlqError, SettingsError
from rlq.sweep import searching
from rlq.sweep.study import attempts, parent_of, tally
from rlq.sweep.trial import Objective
from rlq.training.stopping import Stopped


def states(study):
    return [trial.state.name for trial in attempts(study)]


def client(sweeping):
    return MlflowClient(f"sqlite:///{sweeping.folder}/runs/mlflow.db")


def test_as_many_trials_as_asked_for_are_run_and_the_best_is_told(sweeping, runs):
    plan = sweeping.plan(storage=None)
    study = sweeping.search(plan)
    assert states(study) == ["COMPLETE"] * 4
    assert len(runs.settings) == 4
    drawn = [settings.cap.pose.clusters for settings in runs.settings]
    assert [trial.params["cap.pose.clusters"] for trial in study.trials] == drawn
    assert study.best_value == max(0.6 - abs(k - 15) / 100 for k in drawn)
    told = searching.closing_words(plan, study)
    best = study.best_trial
    assert f"best     trial {best.number}: best/CC/rank1 {100 * best.value:.1f} % (on held-out people)" in told
    assert f"test     CC/rank1 {25 * best.value:.1f} %" in told
    assert f"--set cap.pose.clusters={best.params['cap.pose.clusters']}" in told
    assert "data.selection" not in told


def test_each_run_knows_its_trial_and_each_trial_its_run(sweeping, runs):
    study = sweeping.search(sweeping.plan())
    for number, (trial, member) in enumerate(zip(study.trials, runs.members, strict=True)):
        assert member.parent == parent_of(study)
        assert member.kind == "trial"
        assert member.name == f"tiny #{number} clusters={trial.params['cap.pose.clusters']}"
        assert member.tags == {"rlq.study": "tiny", "rlq.trial": str(number), "rlq.selection": "holdout"}
        assert trial.user_attrs["run_id"] == f"id-{number}"
        assert trial.user_attrs["folder"] == str(runs.folder / f"run-{number}")
        assert trial.user_attrs["metrics"]["time/training_s"] == 2.0
    assert all(settings.data.selection == "holdout" for settings in runs.settings)


def test_the_parent_run_holds_the_sweep_the_best_trial_and_how_many_there_were(sweeping, runs):
    plan = sweeping.plan()
    study = sweeping.search(plan)
    run = client(sweeping).get_run(parent_of(study))
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny"
    assert run.data.tags["rlq.kind"] == "sweep"
    assert run.data.tags["rlq.best_trial"] == str(study.best_trial.number)
    assert run.data.tags["best.cap.pose.clusters"] == str(study.best_params["cap.pose.clusters"])
    assert run.data.metrics["best/CC/rank1"] == study.best_value
    assert run.data.metrics["test/CC/rank1"] == study.best_value / 4
    assert run.data.metrics["trials/complete"] == 4
    kept = {file.path for file in client(sweeping).list_artifacts(run.info.run_id)}
    assert {"sweep.yaml", "best.json"} <= kept


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
    assert "fail: RuntimeError: out of memory, nearly" in console.text
    assert "#1: RuntimeError: out of memory, nearly" in searching.closing_words(sweeping.plan(), study)


def test_a_study_whose_first_trials_fail_alike_stops_with_the_reason(sweeping, runs):
    def broken(settings):
        raise RlqError("no pictures there")

    runs.curve = broken
    with pytest.raises(RlqError, match="the first 3 trials all failed: no pictures there; the rest stays queued"):
        sweeping.search(sweeping.plan(trials=5))
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
    assert study.trials[3].user_attrs["reason"] == "median pruner: CC/rank1 = 10.0 % after epoch 1"
    assert study.trials[3].intermediate_values == {0: 0.1}
    assert "traceback" not in study.trials[3].user_attrs


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
    assert f"{len(front)} trials are beaten by no other" in searching.closing_words(plan, study) or len(front) == 1


def test_a_metric_that_is_not_measured_ends_the_study_by_its_name(sweeping, runs):
    plan = sweeping.plan(metric={"name": "best/XX/rank1", "goal": "maximize"})
    with pytest.raises(RlqError, match="XX/rank1 is not .*: CC/mAP, CC/rank1"):
        sweeping.search(plan)
    assert len(runs.settings) == 1


def test_a_study_of_the_same_name_that_searches_something_else_is_refused(sweeping, runs):
    sweeping.search(sweeping.plan())
    with pytest.raises(
        RlqError, match="a study tiny exists in .* another search: .*cap.pose.clusters.*another `name:`"
    ):
        sweeping.search(sweeping.plan(parameters={"cap.pose.clusters": {"values": [4, 5]}}))
    with pytest.raises(RlqError, match="the experiment: optim.lr = 0.001 there, 0.002 here; give"):
        sweeping.search(sweeping.plan("optim.lr=2e-3"))
    with pytest.raises(RlqError, match="selection"):
        sweeping.search(sweeping.plan(selection="test"))
    with pytest.raises(RlqError, match="seeds"):
        sweeping.search(sweeping.plan(seeds=[1, 2]))
    assert len(runs.settings) == 4


def test_a_machine_with_other_folders_and_threads_joins_the_same_study(sweeping, runs):
    sweeping.search(sweeping.plan())
    console = Lines()
    sweeping.search(sweeping.plan("compute.threads=2", "data.workers=0"), console)
    assert "joined: 4 complete" in console.text


def test_a_finished_study_says_so_and_goes_on_with_more_trials(sweeping, runs):
    sweeping.search(sweeping.plan())
    console = Lines()
    study = sweeping.search(sweeping.plan(), console)
    assert len(runs.settings) == 4
    assert "the study tiny is finished; --trials 14, say, goes on with it" in console.text
    study = sweeping.search(sweeping.plan(trials=6))
    assert states(study) == ["COMPLETE"] * 6
    assert len(runs.settings) == 6


def test_a_grid_visits_every_point_once_and_has_no_more(sweeping, runs):
    sweeping.search(sweeping.plan(sampler="grid", trials=20))
    assert sorted(settings.cap.pose.clusters for settings in runs.settings) == [5, 10, 15, 20, 25, 30, 35, 40]
    console = Lines()
    sweeping.search(sweeping.plan(sampler="grid", trials=20), console)
    assert "its grid has no more points" in console.text


def test_first_guesses_come_first(sweeping, runs):
    sweeping.search(sweeping.plan(enqueue=[{"cap.pose.clusters": 15}, {"cap.pose.clusters": 25}]))
    assert [settings.cap.pose.clusters for settings in runs.settings[:2]] == [15, 25]
    assert len(runs.settings) == 4


def test_a_trial_with_several_seeds_counts_by_their_mean(sweeping, runs):
    runs.curve = lambda settings: [0.1 * settings.seed]
    study = sweeping.search(sweeping.plan(seeds=[1, 2, 6], trials=2))
    assert [trial.value for trial in study.trials] == pytest.approx([0.3, 0.3])
    assert [settings.seed for settings in runs.settings] == [1, 2, 6, 1, 2, 6]
    of_trial = study.trials[0].user_attrs["run_id"]
    assert {member.parent for member in runs.members[:3]} == {of_trial}
    assert {member.kind for member in runs.members} == {"seed"}
    run = client(sweeping).get_run(of_trial)
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


def test_no_trial_is_begun_after_the_timeout(sweeping, runs):
    def slow(settings):
        time.sleep(0.3)
        return [0.1]

    runs.curve = slow
    console = Lines()
    study = sweeping.search(sweeping.plan(timeout=0.2), console)
    assert states(study) == ["COMPLETE", "WAITING", "WAITING", "WAITING"]
    assert "0.2 s are over; 3 trials stay queued" in console.text
    assert states(sweeping.search(sweeping.plan())) == ["COMPLETE"] * 4


def test_a_trial_that_is_stopped_goes_on_where_it_was(sweeping, runs):
    def stopped(settings):
        if len(runs.settings) == 2:
            raise Stopped(15)
        return [0.3]

    runs.curve = stopped
    with pytest.raises(Stopped):
        sweeping.search(sweeping.plan())
    (parent,) = client(sweeping).search_runs(["1"], "tags.`rlq.kind` = 'sweep'")
    assert parent.info.status == "KILLED"
    study = sweeping.search(sweeping.plan())
    assert tally(study).complete == 4
    assert study.trials[1].state == TrialState.FAIL
    again = study.trials[4]
    assert again.params == study.trials[1].params
    (continued,) = [member for member in runs.members if member.continues is not None]
    assert continued.continues == runs.folder / "run-1"
    assert continued.tags["rlq.trial"] == "4"
    assert client(sweeping).get_run(parent.info.run_id).info.status == "FINISHED"


def test_a_sweep_that_was_stopped_draws_what_it_would_have_drawn(sweeping, runs):
    plan = sweeping.plan(sampler={"name": "tpe", "startup": 2, "seed": 1}, trials=8)
    whole = sweeping.search(plan)
    other = sweeping.plan(sampler={"name": "tpe", "startup": 2, "seed": 1}, trials=8, name="other")
    for trials in (3, 5, 8):
        parts = sweeping.search(replace(other, sweep=other.sweep.model_copy(update={"trials": trials})))
    assert [trial.params for trial in parts.trials] == [trial.params for trial in whole.trials]
    assert len({trial.params["cap.pose.clusters"] for trial in whole.trials}) > 1


@pytest.mark.parametrize("journal", [False, True], ids=["sqlite", "journal"])
def test_workers_together_run_exactly_as_many_trials_as_asked_for(sweeping, runs, journal):
    def slow(settings):
        time.sleep(0.02)
        return [0.1]

    runs.curve = slow
    plan = sweeping.plan(storage="journal" if journal else None, trials=9)
    errors = []

    def one():
        try:
            sweeping.search(plan)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    study = sweeping.search(plan)
    assert states(study) == ["COMPLETE"] * 9
    assert len(client(sweeping).search_runs(["1"], "tags.`rlq.kind` = 'sweep'")) == 1


def test_a_trial_begun_although_all_were_taken_does_not_count(sweeping, runs):
    plan = sweeping.plan()
    study = sweeping.search(plan)
    console = Lines()
    objective = Objective(plan, study, parent_of(study), console=console)
    study.optimize(objective, n_trials=1, catch=(RlqError,))
    assert len(runs.settings) == 4
    assert study.trials[4].state == TrialState.FAIL
    assert str(tally(study)) == "4 complete"


def test_draws_that_break_a_constraint_are_drawn_again(sweeping, runs):
    plan = sweeping.plan(constraints=["cap.pose.clusters <= 20"], trials=6)
    study = sweeping.search(plan)
    assert str(tally(study)) == "6 complete"
    assert all(settings.cap.pose.clusters <= 20 for settings in runs.settings)
    refused = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert {trial.user_attrs["reason"] for trial in refused} == {"not trained: it breaks cap.pose.clusters <= 20"}
    assert len(study.trials) == 6 + len(refused)


def test_the_best_trial_keeps_constraints_on_what_was_measured(sweeping, runs):
    runs.curve = lambda settings: [settings.cap.pose.clusters / 100]
    study = sweeping.search(
        sweeping.plan(constraints=["model/parameters_inference <= 20000"], sampler="grid", trials=8)
    )
    assert str(tally(study)) == "8 complete"
    assert study.best_params == {"cap.pose.clusters": 20}


def test_choosing_on_the_test_set_is_labelled_everywhere(sweeping, runs):
    plan = sweeping.plan(selection="test")
    console = Lines()
    study = sweeping.search(plan, console)
    assert {settings.data.selection for settings in runs.settings} == {"test"}
    assert {member.tags["rlq.selection"] for member in runs.members} == {"test"}
    assert {member.tags["rlq.label"] for member in runs.members} == {"chosen on the test set"}
    assert "chosen on the test set" in console.texts[0]
    assert searching.closing_words(plan, study).count("chosen on the test set") == 2
    parent = client(sweeping).get_run(parent_of(study))
    assert parent.data.tags["rlq.label"] == "chosen on the test set"


def test_what_the_sweep_decides_is_not_for_set(sweeping):
    with pytest.raises(SettingsError, match="--set cap.pose.clusters: tiny.yaml searches it"):
        sweeping.plan("cap.pose.clusters=4")
    with pytest.raises(SettingsError, match="--set data.selection: a sweep takes it from --selection"):
        sweeping.plan("data.selection=test")
    with pytest.raises(SettingsError, match="--set seed: a sweep takes it from `seeds:`"):
        sweeping.plan("seed=4")


def test_set_goes_before_what_the_sweep_fixes(sweeping, runs):
    sweeping.search(sweeping.plan("optim.lr=2e-3", fixed={"optim.lr": 5e-4, "optim.clothes_lr": 1e-4}, trials=1))
    assert runs.settings[0].optim.lr == 2e-3
    assert runs.settings[0].optim.clothes_lr == 1e-4


def test_a_tree_of_the_results_is_for_programs(sweeping, runs):
    plan = sweeping.plan(parameters=CLUSTERS, trials=2)
    tree = searching.closing_tree(plan, sweeping.search(plan))
    assert tree["counts"] == {"complete": 2, "pruned": 0, "failed": 0, "running": 0, "waiting": 0}
    assert [trial["state"] for trial in tree["trials"]] == ["COMPLETE"] * 2
    assert tree["best"][0]["values"]["best/CC/rank1"] == max(t["values"]["best/CC/rank1"] for t in tree["trials"])
