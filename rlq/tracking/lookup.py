"""Runs as the store holds them: found by a word, with their tags, metrics and files."""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rlq.core.files import write_file
from rlq.core.text import listed
from rlq.tracking.interface import TrackingError
from rlq.tracking.provenance import without_credentials
from rlq.tracking.store import Refused, Unreachable, absolute_uri, open_client, store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

START = re.compile("[0-9a-f]{4,32}")  # of a run id
SHOWN = 5  # runs named in an error


@dataclass(frozen=True)
class StoredRun:
    """One run of the store."""

    run_id: str
    name: str
    status: str
    tags: dict[str, str]
    metrics: dict[str, float]  # the latest value of each


def find_stored_run(uri: str, word: str) -> StoredRun:
    """The run with this id, a unique prefix of one (4 characters or more) or this name.

    Raises TrackingError when there is none or more than one, or the store is away.
    """
    uri = absolute_uri(uri)
    where = without_credentials(uri)
    try:
        client = open_client(uri)
        with store_errors(uri):
            found = _matching(client, word)
    except (Unreachable, Refused) as error:
        raise TrackingError(f"{where} cannot be asked for {word}: {error}") from error
    if not found:
        raise TrackingError(f"there is no run {word} in {where}; wanted is a run id, the start of one, or a name")
    if len(found) > 1:
        choice = listed((f"{run.info.run_id[:8]} ({run.info.run_name})" for run in found), SHOWN)
        raise TrackingError(f"{word} may be any of {choice}; say more of its id")
    (run,) = found
    return StoredRun(run.info.run_id, run.info.run_name, run.info.status, dict(run.data.tags), dict(run.data.metrics))


def fetch_files(uri: str, run_id: str, folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Copy a run's top-level artifacts with these endings to `folder`; return them by name.

    Each is there whole or not at all. Raises TrackingError when the store is away.
    """
    uri = absolute_uri(uri)
    try:
        client = open_client(uri)
        # Without a folder of ours, MLflow would leave a temporary one behind for each file.
        with store_errors(uri), TemporaryDirectory() as scratch:
            found = [one.path for one in client.list_artifacts(run_id) if not one.is_dir]
            names = sorted(name for name in found if name.endswith(endings) and "/" not in name)  # a server may say ../
            contents = {name: Path(client.download_artifacts(run_id, name, scratch)).read_bytes() for name in names}
    except (Unreachable, Refused) as error:
        where = without_credentials(uri)
        raise TrackingError(f"the files of run {run_id} cannot be fetched from {where}: {error}") from error
    for name, content in contents.items():
        write_file(folder / name, content)
    return [folder / name for name in names]


def _matching(client: "MlflowClient", word: str) -> "list[Run]":
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    quoted = word.replace("'", "")  # names with quotes go by their id
    filters = [f"attributes.run_id = '{quoted}'", f"attributes.run_name = '{quoted}'"]
    if START.fullmatch(word):
        filters.append(f"attributes.run_id LIKE '{word}%'")
    for text in filters:
        found = client.search_runs(experiments, text, max_results=100)
        if found:
            return list(found)
    return []
