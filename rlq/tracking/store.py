"""Stores: where they are, how one is opened, and which of their errors mean "away" and which mean "no"."""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from rlq.core.files import remove_partial, written_whole
from rlq.tracking.provenance import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCAL_UI = "http://localhost:5000"  # where `mlflow server` shows a local store unless told otherwise

# A call to a dead server would take minutes by MLflow's own defaults; whoever wants those sets the variables.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
}
UPLOAD_TIMEOUT = "600"

# A bare 404 (ENDPOINT_NOT_FOUND) is none of them: it comes from a proxy in front of a server that is down.
REFUSALS = {
    "BAD_REQUEST",
    "CUSTOMER_UNAUTHORIZED",
    "INVALID_PARAMETER_VALUE",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED",
}

# What the clients of artifact stores raise; looked up only where MLflow has loaded them.
FOREIGN_ERRORS = (
    ("sqlalchemy.exc", "SQLAlchemyError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("boto3.exceptions", "Boto3Error"),
    ("azure.core.exceptions", "AzureError"),
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("paramiko.ssh_exception", "SSHException"),
)


class Unreachable(Exception):
    """The store did not answer; the same call may work later."""


class Refused(Exception):
    """The store answered, and said no."""


def resolve_uri(runs: Path) -> str:
    """MLFLOW_TRACKING_URI where it is set, else a SQLite file in the runs folder. Always absolute."""
    return absolute_uri(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{runs.absolute()}/mlflow.db")


def absolute_uri(uri: str) -> str:
    """The address, with the path of a SQLite file made absolute."""
    path = _sqlite_path(uri)
    return uri if path is None else f"sqlite:///{path.absolute()}"


def with_credentials(uri: str) -> str:
    """The address as MLFLOW_TRACKING_URI gives it, where that is the same store: run folders keep no passwords."""
    known = os.environ.get("MLFLOW_TRACKING_URI", "")
    return known if known and without_credentials(known) == uri else uri


def open_client(uri: str) -> "MlflowClient":
    """A client of the store, which is made or migrated first if it is a local file. Raises Unreachable or Refused."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)  # several lines about every new store
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # a traceback of what it raises to us anyway
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a line per retry; ours says it once

    path = _sqlite_path(uri)
    with store_errors(uri):
        if path is None:
            return MlflowClient(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # two processes that migrate one new file break it
            if not path.exists():
                _make(path)
            client = MlflowClient(uri)
            client.search_experiments(max_results=1)
            return client


def _make(path: Path) -> None:
    """A new store, which is there whole or not at all: no MLflow goes on with one that a full disk or a kill has left
    half made."""
    from mlflow import MlflowClient

    remove_partial(path.parent, path.name)
    # The temporary file has a new name each time, because MLflow opens each address only once.
    with written_whole(path, refusal=Unreachable) as partial:
        MlflowClient(f"sqlite:///{partial}").search_experiments(max_results=1)


def experiment_id(client: "MlflowClient", uri: str, name: str, folder: Path) -> str:
    """The experiment of this name, made where it is missing. Raises Unreachable or Refused.

    Its artifacts go to `<store>/artifacts/<name>`; a server decides for itself. The folder is fixed at creation.
    """
    with store_errors(uri):
        found = client.get_experiment_by_name(name)
    if found is None:
        place = _artifact_location(uri, name, folder)
        try:
            with store_errors(uri):
                return client.create_experiment(name, artifact_location=place)
        except Refused:
            with store_errors(uri):
                found = client.get_experiment_by_name(name)
            if found is None:
                raise  # not because another process was faster
    if found.lifecycle_stage != "active":
        raise Refused(
            f"the experiment {name!r} is in the bin; take it out with "
            f"`mlflow experiments restore -x {found.experiment_id}`, or choose another name"
        )
    return found.experiment_id


def links_to(uri: str, experiment: str, run: str) -> dict[str, str]:
    """Addresses of pages in the UI. Without the workflow type it opens in a mode that shows no training runs."""
    table = f"{ui_address(uri)}/#/experiments/{experiment}/runs"
    kind = "workflowType=machine_learning"
    return {
        "run": f"{table}/{run}?{kind}",
        "table": f"{table}?{kind}",
        "charts": f"{table}?{kind}&compareRunsMode=CHART",
    }


def ui_address(uri: str) -> str:
    """Where the store's UI is."""
    return without_credentials(uri).rstrip("/") if is_server(uri) else LOCAL_UI


def is_server(uri: str) -> bool:
    """Whether the store is behind a server, which shows it at the same address."""
    return uri.startswith(("http://", "https://"))


@contextmanager
def upload_timeout() -> Iterator[None]:
    """Wait longer for answers to uploads: a server in front of slow storage answers once all is stored."""
    name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    usual = os.environ[name]
    if usual == ENVIRONMENT[name]:
        os.environ[name] = UPLOAD_TIMEOUT
    try:
        yield
    finally:
        os.environ[name] = usual


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn every error of the store's clients into Unreachable or Refused; our own bugs pass through."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        kind = Refused if error.error_code in REFUSALS else Unreachable
        raise kind(_reason(uri, error)) from error
    except _client_errors() as error:
        raise Unreachable(_reason(uri, error)) from error


def _reason(uri: str, error: Exception) -> str:
    import requests

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, requests.ConnectionError | requests.Timeout):
            return "no answer"
        cause = cause.__cause__ or cause.__context__
    text = " ".join(str(error).split()).replace(uri, without_credentials(uri))
    return text if len(text) <= 300 else text[:297] + "..."


def _client_errors() -> tuple[type[Exception], ...]:
    """OSError, which covers those of requests and of full or read-only disks, and what is known of the others."""
    known = (getattr(sys.modules.get(module), name, None) for module, name in FOREIGN_ERRORS)
    return OSError, *(kind for kind in known if kind is not None)


def _sqlite_path(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _artifact_location(uri: str, experiment: str, folder: Path) -> str | None:
    if uri.startswith(("http://", "https://", "databricks")):
        return None
    path = _sqlite_path(uri)
    home = path.parent if path is not None else folder.parent  # another database has no folder of its own
    return (home.absolute() / "artifacts" / re.sub(r"[^\w.-]+", "_", experiment)).as_uri()
