"""Whole sweeps as people start them: several workers here, torchrun inside a trial, Ctrl-C in the middle."""

import json
import os
import re
import signal
import time
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from naming import assert_names
from processes import PATIENCE, ended, start, sweep_file

from rlq.sweep.study import attempts, parent_of

pytestmark = pytest.mark.slow


def study_of(home, name):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{home.folder}/runs/sweeps/{name}.db")


def runs_of(home, name) -> list:
    client = MlflowClient(f"sqlite:///{home.folder}/runs/mlflow.db")
    return client.search_runs(["1"], f"tags.`rlq.study` = '{name}'", order_by=["attributes.start_time ASC"])


def wait_for(words: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while words not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_two_workers_on_this_machine_share_the_trials(home, tmp_path):
    file, log = sweep_file(home, tmp_path, "pair", epochs=1), tmp_path / "log"
    assert ended(start(home, [str(file), "--workers", "2", "--json"], log), log) == 0, log.read_text()
    lines = log.read_text().splitlines()
    assert len([line for line in lines if line.startswith("trial ") and "best/CC/rank1" in line]) == 4
    told = json.loads(lines[-1])
    assert told["counts"] == {"complete": 4, "pruned": 0, "failed": 0, "running": 0, "waiting": 0}
    assert {trial["state"] for trial in told["trials"]} == {"COMPLETE"}
    assert len({trial.user_attrs["worker"]["pid"] for trial in attempts(study_of(home, "pair"))}) == 2
    runs = runs_of(home, "pair")
    assert sorted((run.data.tags["rlq.kind"], run.info.status) for run in runs) == [
        ("sweep", "FINISHED"),
        *[("trial", "FINISHED")] * 4,
    ]
    plots = home.folder / "runs/sweeps/pair/parent/artifacts/plots"
    assert {path.name for path in plots.glob("*.png")} >= {"history.png", "slice.png"}
    shown = [(home.folder / f"runs/sweeps/pair/worker-{n}.log").read_text() for n in (1, 2)]
    assert all("epoch 1/1" in text for text in shown)


def test_the_processes_of_torchrun_compute_and_end_each_trial_together(home, tmp_path):
    pruner = {"name": "median", "startup": 1}
    rates = {"optim.lr": {"values": [1e-2, 1e-7]}}
    guesses = [{"optim.lr": 1e-2}, {"optim.lr": 1e-7}]
    changes = {"trials": 2, "pruner": pruner, "parameters": rates, "enqueue": guesses}
    metric = {"name": "General/mAP", "goal": "maximize"}
    file, log = sweep_file(home, tmp_path, "group", epochs=3, metric=metric, **changes), tmp_path / "log"
    assert ended(start(home, [str(file)], log, processes=2), log) == 0, log.read_text()
    study = study_of(home, "group")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"], log.read_text()
    trials = [run for run in runs_of(home, "group") if run.data.tags["rlq.kind"] == "trial"]
    assert [run.data.tags["rlq.processes"] for run in trials] == ["2", "2"]
    assert [run.info.run_id for run in trials] == [trial.user_attrs["run_id"] for trial in study.trials]
    assert [run.info.status for run in trials] == ["FINISHED", "KILLED"]
    assert_names(trials[1].data.tags["rlq.ended_by"], "median", "General/mAP")
    assert len(re.findall(r"^best ", log.read_text(), re.MULTILINE)) == 1


def test_ctrl_c_ends_all_workers_and_the_same_command_goes_on(home, tmp_path):
    file, log = sweep_file(home, tmp_path, "stopped", trials=3), tmp_path / "log"
    command = [str(file), "--workers", "2"]
    process = start(home, command, log)
    folder = home.folder / "runs/sweeps/stopped"
    wait_for("workers  2", log)
    for worker in (1, 2):
        wait_for("epoch 1/4", folder / f"worker-{worker}.log")
    os.kill(process.pid, signal.SIGINT)
    assert ended(process, log) == 128 + signal.SIGINT, log.read_text()
    study = study_of(home, "stopped")
    assert [trial.state.name for trial in attempts(study)].count("RUNNING") == 0
    assert {run.info.status for run in runs_of(home, "stopped")} <= {"KILLED", "FINISHED"}
    again = tmp_path / "again"
    assert ended(start(home, [str(file)], again), again) == 0, again.read_text()
    assert [trial.state.name for trial in attempts(study)] == ["COMPLETE"] * 3
    by_id = {run.info.run_id: run for run in runs_of(home, "stopped")}
    assert by_id[parent_of(study)].info.status == "FINISHED"
    finished = [run_id for run_id, run in by_id.items() if run.info.status == "FINISHED"]
    assert sorted(finished) == sorted([parent_of(study), *(t.user_attrs["run_id"] for t in attempts(study))])
