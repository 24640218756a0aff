"""Stores and runs for the tests of tracking."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rlq.tracking import MlflowTracker, open_run
from rlq.tracking.store import open_client


@pytest.fixture(autouse=True)
def no_server_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The address of a SQLite store of this test's own."""
    (tmp_path / "runs").mkdir()
    uri = f"sqlite:///{tmp_path}/runs/mlflow.db"
    open_client(uri)
    return uri


@pytest.fixture
def begin(tmp_path: Path, store: str) -> Callable[..., MlflowTracker]:
    """Open a run with as few words as a test needs."""

    def begin(name: str = "a", **changes: object) -> MlflowTracker:
        asked = {"folder": tmp_path / "runs" / name, "uri": store, "experiment": "prcc", "run_name": name, "tags": {}}
        return open_run(**asked | changes)

    return begin


@pytest.fixture
def dead() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def serve() -> Iterator[Callable[[str, str], subprocess.Popen]]:
    """Start a real server of a SQLite store at an address; it is ended with the test, if not before."""
    servers: list[subprocess.Popen] = []

    def start(store: str, address: str) -> subprocess.Popen:
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--backend-store-uri", store]
        files = Path(store.removeprefix("sqlite:///")).parent / "served"
        place = ["--port", address.rpartition(":")[2], "--artifacts-destination", str(files)]
        servers.append(subprocess.Popen([*command, *place], env=environment, start_new_session=True))
        for _ in range(120):
            time.sleep(0.5)
            try:
                if urllib.request.urlopen(f"{address}/health", timeout=1).read() == b"OK":
                    return servers[-1]
            except OSError:
                continue
        raise AssertionError("the server did not start")

    yield start
    for server in servers:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
