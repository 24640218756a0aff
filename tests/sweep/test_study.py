"""Studies with runs that take no time: how many trials, where they are kept, how a study goes on and is joined."""

import re
import threading
import time
from dataclasses import replace

import pytest
from fake_runs import Lines, states
from marks import slow
from naming import assert_names

from rlq.core.errors import RlqError, SettingsError
from rlq.sweep import run as searching
from rlq.sweep.study import parent_of


def test_as_many_trials_as_asked_for_are_run_and_the_best_is_told(sweeping, runs):
    plan = sweeping.plan(storage=None)
    study = sweeping.search(plan)
    assert states(study) == ["COMPLETE"] * 4
    assert len(runs.settings) == 4
    drawn = [settings.cap.pose.clusters for settings in runs.settings]
    assert [trial.params["cap.pose.clusters"] for trial in study.trials] == drawn
    assert study.best_value == max(0.6 - abs(k - 15) / 100 for k in drawn)
    told = searching.closing_words(plan, study)
    lines = {line.split()[0]: line for line in told.splitlines() if line}
    best = study.best_trial
    assert_names(lines["best"], best.number, "best/CC/rank1", f"{100 * best.value:.1f} %")
    assert_names(lines["test"], "CC/rank1", f"{25 * best.value:.1f} %")
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
    run = sweeping.client.get_run(parent_of(study))
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny"
    assert run.data.tags["rlq.kind"] == "sweep"
    assert run.data.tags["rlq.best_trial"] == str(study.best_trial.number)
    assert run.data.tags["best.cap.pose.clusters"] == str(study.best_params["cap.pose.clusters"])
    assert run.data.metrics["best/CC/rank1"] == study.best_value
    assert run.data.metrics["test/CC/rank1"] == study.best_value / 4
    assert run.data.metrics["trials/complete"] == 4
    kept = {file.path for file in sweeping.client.list_artifacts(run.info.run_id)}
    assert {"sweep.yaml", "best.json"} <= kept


def test_a_study_of_the_same_name_that_searches_something_else_is_refused(sweeping, runs):
    sweeping.search(sweeping.plan())
    with pytest.raises(RlqError) as refused:
        sweeping.search(sweeping.plan(parameters={"cap.pose.clusters": {"values": [4, 5]}}))
    assert_names(refused.value, "tiny", "cap.pose.clusters", "name:")
    with pytest.raises(RlqError) as refused:
        sweeping.search(sweeping.plan("optim.lr=2e-3"))
    assert_names(refused.value, "optim.lr", 0.001, 0.002)
    with pytest.raises(RlqError, match="selection"):
        sweeping.search(sweeping.plan(selection="test"))
    with pytest.raises(RlqError, match="seeds"):
        sweeping.search(sweeping.plan(seeds=[1, 2]))
    assert len(runs.settings) == 4


def test_a_machine_with_other_folders_and_threads_joins_the_same_study(sweeping, runs):
    sweeping.search(sweeping.plan())
    console = Lines()
    sweeping.search(sweeping.plan("compute.threads=2", "data.workers=0"), console)
    assert re.match(r"study\b.*\btiny\b.*\b4 complete\b", console.texts[0])
    assert len(runs.settings) == 4


def test_a_finished_study_says_so_and_goes_on_with_more_trials(sweeping, runs):
    sweeping.search(sweeping.plan())
    console = Lines()
    study = sweeping.search(sweeping.plan(), console)
    assert len(runs.settings) == 4
    (told,) = [text for text in console.texts if text.startswith("finished")]
    assert_names(told, "tiny", "--trials 14", "name:")
    study = sweeping.search(sweeping.plan(trials=6))
    assert states(study) == ["COMPLETE"] * 6
    assert len(runs.settings) == 6


def test_a_grid_visits_every_point_once_and_has_no_more(sweeping, runs):
    sweeping.search(sweeping.plan(sampler="grid", trials=20))
    assert sorted(settings.cap.pose.clusters for settings in runs.settings) == [5, 10, 15, 20, 25, 30, 35, 40]
    console = Lines()
    sweeping.search(sweeping.plan(sampler="grid", trials=20), console)
    (told,) = [text for text in console.texts if text.startswith("finished")]
    assert "tiny" in told and "--trials" not in told


def test_first_guesses_come_first(sweeping, runs):
    sweeping.search(sweeping.plan(enqueue=[{"cap.pose.clusters": 15}, {"cap.pose.clusters": 25}]))
    assert [settings.cap.pose.clusters for settings in runs.settings[:2]] == [15, 25]
    assert len(runs.settings) == 4


def test_no_trial_is_begun_after_the_timeout(sweeping, runs):
    def slow(settings):
        time.sleep(0.3)
        return [0.1]

    runs.curve = slow
    console = Lines()
    study = sweeping.search(sweeping.plan(timeout=0.2), console)
    assert states(study) == ["COMPLETE", "WAITING", "WAITING", "WAITING"]
    assert any("0.2 s" in text and re.search(r"\b3\b", text) for text in console.texts)
    assert states(sweeping.search(sweeping.plan())) == ["COMPLETE"] * 4


def test_a_sweep_that_was_stopped_draws_what_it_would_have_drawn(sweeping, runs):
    plan = sweeping.plan(sampler={"name": "tpe", "startup": 2, "seed": 1}, trials=8)
    whole = sweeping.search(plan)
    other = sweeping.plan(sampler={"name": "tpe", "startup": 2, "seed": 1}, trials=8, name="other")
    for trials in (3, 5, 8):
        parts = sweeping.search(replace(other, sweep=other.sweep.model_copy(update={"trials": trials})))
    assert [trial.params for trial in parts.trials] == [trial.params for trial in whole.trials]
    assert len({trial.params["cap.pose.clusters"] for trial in whole.trials}) > 1


@pytest.mark.parametrize("journal", [slow(False), True], ids=["sqlite", "journal"])
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
        except BaseException as error:  # noqa: BLE001 - told below, as a thread's own error is lost
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    study = sweeping.search(plan)
    assert states(study) == ["COMPLETE"] * 9
    assert len(sweeping.client.search_runs(["1"], "tags.`rlq.kind` = 'sweep'")) == 1


def test_what_the_sweep_decides_is_not_for_set(sweeping):
    for change, named in (
        ("cap.pose.clusters=4", ("--set", "cap.pose.clusters", "tiny.yaml")),
        ("data.selection=test", ("--set", "data.selection", "--selection")),
        ("seed=4", ("--set", "seed", "seeds:")),
    ):
        with pytest.raises(SettingsError) as refused:
            sweeping.plan(change)
        assert_names(refused.value, *named)


def test_set_goes_before_what_the_sweep_fixes(sweeping, runs):
    sweeping.search(sweeping.plan("optim.lr=2e-3", fixed={"optim.lr": 5e-4, "optim.clothes_lr": 1e-4}, trials=1))
    assert runs.settings[0].optim.lr == 2e-3
    assert runs.settings[0].optim.clothes_lr == 1e-4
