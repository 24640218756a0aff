"""A PostgreSQL server and an MLflow server that live for a test."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS = 60  # until a server that does not start is given up


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database: RLQ_POSTGRES_URL, or a server of our own from the machine's packages."""
    given = os.environ.get("RLQ_POSTGRES_URL")
    if given:
        yield given
        return
    if postgres_tools() is None:
        reason = "no PostgreSQL: neither RLQ_POSTGRES_URL nor pg_ctl (PATH, /usr/lib/postgresql/*/bin)"
        if os.environ.get("RLQ_REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with own_postgres() as (address, _):
        yield address


@contextmanager
def own_postgres() -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of an empty database on a server of our own, and what restarts that at once, as a crash would."""
    tools = postgres_tools()
    assert tools is not None
    folder = Path(tempfile.mkdtemp(prefix="rlq-postgres-"))  # pytest's own folders are closed to other users
    user, port = _owner(folder), free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    start = (tools / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w")
    try:
        _run(user, tools / "initdb", "-D", folder / "data", "-A", "trust", "-U", "rlq", "--no-sync")
        _run(user, *start, "start")
        try:
            yield (
                f"postgresql://rlq@127.0.0.1:{port}/postgres",
                lambda: _run(user, *start, "-m", "immediate", "restart"),
            )
        finally:
            _run(user, tools / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """The address of a server that keeps its runs in a folder."""
    address = f"http://127.0.0.1:{free_port()}"
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    store = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "served")]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", address.rpartition(":")[2], *store]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(f"{address}/health")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def postgres_tools() -> Path | None:
    """The folder with initdb and pg_ctl, the newest version of several."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


def _owner(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: its own user then does, and owns the folder."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam("postgres")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return "postgres"


def _run(user: str | None, *words: object) -> None:
    own = {"user": user, "group": user, "extra_groups": []} if user else {}
    # output goes to a file: the server would keep a pipe open
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run([str(word) for word in words], stdout=output, stderr=output, cwd="/", check=False, **own)
        output.seek(0)
        assert done.returncode == 0, f"{words[0]}: {output.read()}"


def _wait_for(page: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.3)
        try:
            if urllib.request.urlopen(page, timeout=1).read() == b"OK":
                return
        except OSError:
            continue
    raise AssertionError(f"{page} did not answer within {SECONDS} s")
