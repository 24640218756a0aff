"""Trials whose worker died: noticed by heartbeat or mended by hand, tried again within the bound, closed in MLflow."""

import os
import re
import socket
import subprocess
import time
from dataclasses import replace

import pytest
from fake_runs import Lines
from mlflow import MlflowClient
from naming import assert_names
from optuna.trial import TrialState

from rlq.core.console import Console
from rlq.runs.folder import About, write_about
from rlq.runs.result import Result
from rlq.sweep import run as searching
from rlq.sweep import trial as trials
from rlq.sweep.storage import quiet
from rlq.sweep.study import WORKER, Tally, attempts, heartbeat, is_alive, parent_of, tally
from rlq.tracking import open_run
from rlq.training.loop import History


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def begun(sweeping, plan, **worker):
    """A study whose first trial runs elsewhere, with a run in MLflow and a checkpoint. Returns study and folder."""
    sweeping.search(plan_with(plan, trials=1))
    study = searching._open(plan, Console(quiet=True))[0]
    trial = study.ask()
    folder = sweeping.folder / "runs" / f"dead-{trial.number}"
    tracker = open_run(
        folder=folder,
        uri=f"sqlite:///{sweeping.folder}/runs/mlflow.db",
        experiment="rlq",
        run_name="dead",
        tags={},
        parent_run_id=parent_of(study),
    )
    tracker.leave()
    (folder / "last.pt").write_text("state")
    trial.suggest_int("cap.pose.clusters", 5, 40, step=5)
    trial.set_user_attr(WORKER, heartbeat() | worker)
    trial.set_user_attr("run_id", tracker.run_id)
    trial.set_user_attr("folder", str(folder))
    return study, trial, folder


def plan_with(plan, **changes):
    return replace(plan, sweep=plan.sweep.model_copy(update=changes))


def status(sweeping, run_id):
    return MlflowClient(f"sqlite:///{sweeping.folder}/runs/mlflow.db").get_run(run_id)


def test_a_dead_trial_is_mended_and_tried_again_from_its_checkpoint(sweeping, runs, gone):
    plan = sweeping.plan()
    study, dead, folder = begun(sweeping, plan, pid=gone)
    console = Lines()
    assert searching.mend_search(plan, force=False, console=console) == 1
    assert_names(console.text, gone, socket.gethostname())
    closed = status(sweeping, dead.user_attrs["run_id"])
    assert closed.info.status == "KILLED"
    assert_names(closed.data.tags["rlq.ended_by"], gone)
    study = sweeping.search(plan)
    assert tally(study) == Tally(complete=4, pruned=0, failed=0, running=0, waiting=0)
    assert study.trials[dead.number].state == TrialState.FAIL
    (again,) = [trial for trial in attempts(study) if trial.user_attrs["slot"] == dead.user_attrs["slot"]]
    assert again.params == dead.params
    assert [member.continues for member in runs.members if member.continues] == [folder]


def test_a_living_trial_and_those_of_other_machines_are_left_alone(sweeping, runs):
    plan = sweeping.plan()
    study, _, _ = begun(sweeping, plan)
    console = Lines()
    assert searching.mend_search(plan, force=True, console=console) == 0
    assert_names(console.texts[-1], os.getpid(), socket.gethostname())
    study, other, _ = begun(sweeping, plan, host="node7", seen=time.time() - 100)
    assert searching.mend_search(plan, force=False, console=console) == 0
    assert_names(console.texts[-1], "node7", "--mend", "--force")
    assert searching.mend_search(plan, force=True, console=console) == 0
    assert_names(console.texts[-1], "node7", "180 s")
    other.set_user_attr(WORKER, heartbeat() | {"host": "node7", "seen": time.time() - 200})
    assert searching.mend_search(plan, force=True, console=console) == 1
    assert study.trials[other.number].state == TrialState.FAIL


def test_a_worker_without_heartbeats_warns_and_does_not_wait_for_others(sweeping, runs):
    plan = sweeping.plan()
    begun(sweeping, plan)
    console = Lines()
    study = sweeping.search(plan, console)
    assert tally(study) == Tally(complete=3, pruned=0, failed=0, running=1, waiting=0)
    assert_names(console.text, "warning", "rlq sweep --mend")
    run = status(sweeping, parent_of(study))
    assert run.info.status == "RUNNING"


@pytest.mark.slow
def test_a_heartbeat_that_stops_is_noticed_by_a_worker_that_waits(sweeping, runs, gone):
    plan = sweeping.plan(storage=None, heartbeat={"interval": 1, "grace": 2, "retries": 2})
    with quiet():
        study, dead, folder = begun(sweeping, plan, pid=gone)
    study._storage.record_heartbeat(dead._trial_id)
    console = Lines()
    study = sweeping.search(plan, console)
    assert tally(study) == Tally(complete=4, pruned=0, failed=0, running=0, waiting=0)
    assert any(re.match(r"waiting\b.*\b1\b", text) for text in console.texts)
    assert status(sweeping, dead.user_attrs["run_id"]).info.status == "KILLED"
    assert [member.continues for member in runs.members if member.continues] == [folder]
    assert status(sweeping, parent_of(study)).info.status == "FINISHED"


def test_a_trial_that_kills_its_workers_is_given_up_after_the_bound(sweeping, runs, gone):
    plan = sweeping.plan(heartbeat={"interval": 1, "grace": 2, "retries": 1})
    study, _, _ = begun(sweeping, plan, pid=gone)
    console = Lines()
    assert searching.mend_search(plan, force=False, console=console) == 1
    while (again := study.ask()).user_attrs.get("kills") != 1:  # those that wait in front of it
        study.tell(again, state=TrialState.FAIL)
    again.set_user_attr(WORKER, heartbeat() | {"pid": gone})
    assert searching.mend_search(plan, force=False, console=console) == 1
    assert re.search(r"\b2\b", console.texts[-1])
    assert tally(study).waiting == 0
    assert tally(study).failed == 3


def test_a_run_that_was_finished_before_its_worker_died_is_not_made_again(sweeping, runs, gone, monkeypatch):
    plan = sweeping.plan()
    _, _, folder = begun(sweeping, plan, pid=gone)
    write_about(folder, About("old", "dead", "trial", "", "FINISHED"))
    (folder / "result.json").write_text("{}")
    found = Result(folder, "old", plan.base.settings, {"best/CC/rank1": 0.99}, History(), {})
    monkeypatch.setattr(trials, "read_result", lambda place: found)
    searching.mend_search(plan, force=False, console=Lines())
    study = sweeping.search(plan)
    assert tally(study) == Tally(complete=4, pruned=0, failed=0, running=0, waiting=0)
    assert study.best_value == 0.99
    assert study.best_trial.user_attrs["run_id"] == "old"
    assert len(runs.members) == 3


def test_another_process_with_the_number_of_a_dead_worker_is_not_it():
    own = heartbeat()
    assert is_alive(own)
    assert not is_alive(own | {"born": "12"})
