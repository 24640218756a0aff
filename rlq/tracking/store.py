"""Stores: their addresses, how one is opened, and which of its errors mean unreachable and which mean refused."""

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

LOCAL_UI = "http://localhost:5000"  # where `mlflow server` shows a local store by default

# With MLflow's own defaults, a call to a dead server would take minutes. Variables that are set already are kept.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
}
UPLOAD_TIMEOUT = "600"

# A plain 404 (ENDPOINT_NOT_FOUND) is not a refusal: it comes from a proxy in front of a server that is down.
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

# Errors of the clients of artifact stores; they are looked up only if MLflow has imported the client.
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
    """The store answered with a refusal."""


def resolve_uri(runs: Path) -> str:
    """Return MLFLOW_TRACKING_URI if it is set, else the address of a SQLite file in the runs folder, as absolute."""
    return absolute_uri(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{runs.absolute()}/mlflow.db")


def absolute_uri(uri: str) -> str:
    """Return an address; the path of a SQLite file is made absolute."""
    path = _sqlite_path(uri)
    return uri if path is None else f"sqlite:///{path.absolute()}"


def with_credentials(uri: str) -> str:
    """Return MLFLOW_TRACKING_URI if it is the same store, else the address; run folders contain no passwords."""
    from_environment = os.environ.get("MLFLOW_TRACKING_URI", "")
    return from_environment if from_environment and without_credentials(from_environment) == uri else uri


def open_client(uri: str) -> "MlflowClient":
    """Return a client of the store; a local file is created or migrated first. Raise Unreachable or Refused."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs several lines per new store
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it logs tracebacks of what it also raises
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it logs every retry

    path = _sqlite_path(uri)
    with store_errors(uri):
        if path is None:
            return MlflowClient(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # two processes that migrate a new file at once break it
            if not path.exists():
                _create(path)
            client = MlflowClient(uri)
            client.search_experiments(max_results=1)
            return client


def _create(path: Path) -> None:
    """Create a store as a whole, because MLflow cannot use one that a full disk or a kill has left incomplete."""
    from mlflow import MlflowClient

    remove_partial(path.parent, path.name)
    # The temporary file has a new name each time, because MLflow opens each address only once.
    with written_whole(path, refusal=Unreachable) as partial:
        MlflowClient(f"sqlite:///{partial}").search_experiments(max_results=1)


def experiment_id(client: "MlflowClient", uri: str, name: str, folder: Path) -> str:
    """Return the id of the experiment of this name, which is created if missing. Raise Unreachable or Refused.

    Its artifacts go to `<store>/artifacts/<name>`, or where a server puts them. The location is fixed at creation.
    """
    with store_errors(uri):
        experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = _artifact_location(uri, name, folder)
        try:
            with store_errors(uri):
                return client.create_experiment(name, artifact_location=location)
        except Refused:
            with store_errors(uri):
                experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise  # the reason is not that another process has just created it
    if experiment.lifecycle_stage != "active":
        raise Refused(
            f"the experiment {name!r} is deleted; restore it with "
            f"`mlflow experiments restore -x {experiment.experiment_id}`, or choose another name"
        )
    return experiment.experiment_id


def links_to(uri: str, experiment: str, run: str) -> dict[str, str]:
    """Return addresses of pages in the UI. Without the workflow type, it would open without training runs."""
    table = f"{ui_address(uri)}/#/experiments/{experiment}/runs"
    kind = "workflowType=machine_learning"
    return {
        "run": f"{table}/{run}?{kind}",
        "table": f"{table}?{kind}",
        "charts": f"{table}?{kind}&compareRunsMode=CHART",
    }


def ui_address(uri: str) -> str:
    """Return the address of the store's UI."""
    return without_credentials(uri).rstrip("/") if is_server(uri) else LOCAL_UI


def is_server(uri: str) -> bool:
    """Return whether the address is that of a server, which also shows the UI there."""
    return uri.startswith(("http://", "https://"))


@contextmanager
def upload_timeout() -> Iterator[None]:
    """Wait longer for responses to uploads, because a server with slow storage responds after everything is stored."""
    name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    before = os.environ[name]
    if before == ENVIRONMENT[name]:
        os.environ[name] = UPLOAD_TIMEOUT
    try:
        yield
    finally:
        os.environ[name] = before


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn every error of the store's clients into Unreachable or Refused; other errors pass through."""
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
    """Return OSError, which includes errors of requests and of full or read-only disks, and the imported others."""
    imported = (getattr(sys.modules.get(module), name, None) for module, name in FOREIGN_ERRORS)
    return OSError, *(kind for kind in imported if kind is not None)


def _sqlite_path(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _artifact_location(uri: str, experiment: str, folder: Path) -> str | None:
    if uri.startswith(("http://", "https://", "databricks")):
        return None
    path = _sqlite_path(uri)
    parent = path.parent if path is not None else folder.parent  # other databases have no folder
    return (parent.absolute() / "artifacts" / re.sub(r"[^\w.-]+", "_", experiment)).as_uri()
