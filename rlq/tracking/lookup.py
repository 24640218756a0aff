"""Find runs in the store by id, prefix or name, and fetch their tags, metrics and files."""

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

ID_PREFIX = re.compile("[0-9a-f]{4,32}")
SHOWN = 5  # runs named in an error


@dataclass(frozen=True)
class StoredRun:
    """A run in the store."""

    run_id: str
    name: str
    status: str
    tags: dict[str, str]
    metrics: dict[str, float]  # name -> latest value


def find_stored_run(uri: str, word: str) -> StoredRun:
    """Return the run with this id, unique prefix of an id (4 characters or more) or name.

    Raise TrackingError if there is no such run or more than one, or if the store is unreachable.
    """
    uri = absolute_uri(uri)
    where = without_credentials(uri)
    try:
        client = open_client(uri)
        with store_errors(uri):
            runs = _matching(client, word)
    except (Unreachable, Refused) as error:
        raise TrackingError(f"{word} cannot be looked up in {where}: {error}") from error
    if not runs:
        raise TrackingError(f"there is no run {word} in {where}; give a run id, the beginning of one, or a name")
    if len(runs) > 1:
        candidates = listed((f"{run.info.run_id[:8]} ({run.info.run_name})" for run in runs), SHOWN)
        raise TrackingError(f"{word} matches several runs: {candidates}; give more of the id")
    (run,) = runs
    return StoredRun(run.info.run_id, run.info.run_name, run.info.status, dict(run.data.tags), dict(run.data.metrics))


def fetch_files(uri: str, run_id: str, folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Copy a run's top-level artifacts with these endings to `folder` and return their paths, sorted by name.

    Each file is written whole or not at all. Raise TrackingError if the store is unreachable.
    """
    uri = absolute_uri(uri)
    try:
        client = open_client(uri)
        # Without a folder of ours, MLflow would leave a temporary one behind for each file.
        with store_errors(uri), TemporaryDirectory() as scratch:
            paths = [artifact.path for artifact in client.list_artifacts(run_id) if not artifact.is_dir]
            # A name with a slash could be ../ from a malicious server.
            names = sorted(path for path in paths if path.endswith(endings) and "/" not in path)
            contents = {name: Path(client.download_artifacts(run_id, name, scratch)).read_bytes() for name in names}
    except (Unreachable, Refused) as error:
        where = without_credentials(uri)
        raise TrackingError(f"the files of run {run_id} cannot be fetched from {where}: {error}") from error
    for name, content in contents.items():
        write_file(folder / name, content)
    return [folder / name for name in names]


def _matching(client: "MlflowClient", word: str) -> "list[Run]":
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    quoted = word.replace("'", "")  # a run whose name has quotes can only be found by its id
    filters = [f"attributes.run_id = '{quoted}'", f"attributes.run_name = '{quoted}'"]
    if ID_PREFIX.fullmatch(word):
        filters.append(f"attributes.run_id LIKE '{word}%'")
    for text in filters:
        runs = client.search_runs(experiments, text, max_results=100)
        if runs:
            return list(runs)
    return []
