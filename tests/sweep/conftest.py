"""Sweeps in a folder of a test's own, with runs that take no time."""

from pathlib import Path

import pytest
from fake_runs import FakeRuns, Sweeping

from rlq.sweep import summary, trial
from rlq.tracking.store import open_client


@pytest.fixture
def sweeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweeping:
    """A folder for sweeps. Plots, which take seconds, are left to the tests of plots."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("RLQ_STORAGE", raising=False)
    (tmp_path / "runs").mkdir()
    open_client(f"sqlite:///{tmp_path}/runs/mlflow.db")
    monkeypatch.setattr(summary, "figures", lambda study, metrics: ({}, []))
    monkeypatch.setattr(summary, "pages", lambda study, metrics: {})
    return Sweeping(tmp_path)


@pytest.fixture
def runs(sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    """Every run of a trial, made up."""
    fake = FakeRuns(sweeping.folder / "runs" / "made-up")
    monkeypatch.setattr(trial.experiment, "run", fake)
    return fake
