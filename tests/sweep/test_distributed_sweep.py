"""Two workers, PostgreSQL and an MLflow server; one worker is killed in a trial, and nothing is lost or doubled."""

import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState
from processes import EPOCHS, PATIENCE, TRIALS, ended, start, sweep_file
from servers import mlflow_server, postgres

from rlq.sweep.study import WORKER, attempts, earlier_attempts, parent_of

pytestmark = pytest.mark.slow


def trial_in_the_middle(name: str, storage: str, worker: subprocess.Popen, log: Path) -> int:
    """The number of a trial that this process has evaluated once or more, and not finished."""
    study, deadline = None, time.monotonic() + PATIENCE
    while time.monotonic() < deadline and worker.poll() is None:
        time.sleep(0.2)
        if study is None and re.search(r"^study\s", log.read_text(), re.MULTILINE):  # the tables are there
            study = optuna.load_study(study_name=name, storage=storage)
        for trial in study.get_trials(deepcopy=False) if study else ():
            mine = trial.user_attrs.get(WORKER, {}).get("pid") == worker.pid
            if mine and trial.state == TrialState.RUNNING and 1 <= len(trial.intermediate_values) < EPOCHS:
                return trial.number
    raise AssertionError(log.read_text())


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(home, tmp_path):
    file = sweep_file(home, tmp_path, "shared")
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with postgres() as url, mlflow_server(tmp_path) as server:
        driver = url.replace("postgresql://", "postgresql+psycopg://")
        words = [str(file), "--storage", url]
        first, second = (start(home, words, log, MLFLOW_TRACKING_URI=server) for log in logs)
        try:
            killed = trial_in_the_middle("shared", driver, first, logs[0])
            os.killpg(first.pid, signal.SIGKILL)
            assert ended(first, logs[0]) == -signal.SIGKILL
            assert ended(second, logs[1]) == 0, logs[1].read_text()
        finally:
            for process in (first, second):
                process.kill()
        study = optuna.load_study(study_name="shared", storage=driver)
        client = MlflowClient(server)
        check_every_trial(study, client, killed)
        shown = logs[1].read_text()
        assert f"trial {killed:>3}" in shown
        assert re.search(r"^best\s", shown, re.MULTILINE) and re.search(r"^test\s+CC/", shown, re.MULTILINE)


def check_every_trial(study: optuna.Study, client: MlflowClient, killed: int) -> None:
    counted = attempts(study)
    assert [trial.state.name for trial in counted] == ["COMPLETE"] * TRIALS
    assert sorted(trial.user_attrs["slot"] for trial in counted) == list(range(TRIALS))
    dead = study.trials[killed]
    assert dead.state == TrialState.FAIL
    (again,) = [trial for trial in counted if earlier_attempts(trial) == [killed]]
    assert again.params == dead.params
    assert again.user_attrs["kills"] == 1
    assert len(study.trials) == TRIALS + 1

    experiment = client.get_experiment_by_name("rlq").experiment_id
    runs = client.search_runs([experiment], "tags.`rlq.study` = 'shared'")
    by_status = Counter((run.data.tags["rlq.kind"], run.info.status) for run in runs)
    assert by_status == {("sweep", "FINISHED"): 1, ("trial", "FINISHED"): TRIALS, ("trial", "KILLED"): 1}
    finished = {run.info.run_id: run for run in runs if run.info.status == "FINISHED"}
    for trial in counted:
        run = finished.pop(trial.user_attrs["run_id"])
        assert run.data.tags["rlq.trial"] == str(trial.number)
        assert run.data.tags["mlflow.parentRunId"] == parent_of(study)
        assert run.data.metrics["best/CC/rank1"] == trial.value
        curve = client.get_metric_history(run.info.run_id, "CC/rank1")
        assert [row.step for row in curve] == list(range(EPOCHS))  # of the one that was continued too
    assert list(finished) == [parent_of(study)]
    run = client.get_run(dead.user_attrs["run_id"])
    assert run.info.status == "KILLED"
    assert str(dead.user_attrs["worker"]["pid"]) in run.data.tags["rlq.ended_by"]
    kept = {file.path for file in client.list_artifacts(parent_of(study), "plots")}
    assert "plots/history.png" in kept
