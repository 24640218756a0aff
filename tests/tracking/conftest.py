"""Stores and runs for the tests of tracking. A new store takes seconds, so one is made and copied."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rlq.tracking import MlflowTracker, open_run
from rlq.tracking.store import open_client


@pytest.fixture(autouse=True)
def no_server_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    open_client(f"sqlite:///{path}")
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> str:
    """The address of a SQLite store of this test's own."""
    (tmp_path / "runs").mkdir()
    shutil.copy(empty_store, tmp_path / "runs" / "mlflow.db")
    return f"sqlite:///{tmp_path}/runs/mlflow.db"


@pytest.fixture
def begin(tmp_path: Path, store: str) -> Callable[..., MlflowTracker]:
    """Open a run with as few words as a test needs."""

    def begin(name: str = "a", **changes: object) -> MlflowTracker:
        asked = {"folder": tmp_path / "runs" / name, "uri": store, "experiment": "prcc", "run_name": name, "tags": {}}
        return open_run(**asked | changes)

    return begin
