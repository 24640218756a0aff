"""The tracker for MLflow: everything is written to the run folder first, then sent to the store if it is reachable."""

import json
import logging
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from rlq.core.digest import folder_digest
from rlq.core.files import parsed_json
from rlq.core.yaml_file import yaml_text
from rlq.tracking.interface import (
    Status,
    TrackingError,
    check_artifact,
    check_digest,
    param_texts,
    split_finite,
    tag_texts,
)
from rlq.tracking.journal import EVENTS, PROGRESS, Progress
from rlq.tracking.outbox import Delivery
from rlq.tracking.provenance import source_tags, without_credentials
from rlq.tracking.store import Refused, Unreachable, absolute_uri, links_to, resolve_uri, store_errors, with_credentials

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

LOCK = "tracking.lock"
LOCK_TIMEOUT = 15.0  # seconds; after a process is killed, its data workers hold the lock until they end


def open_run(
    *,
    folder: Path,
    uri: str | None,
    experiment: str,
    run_name: str,
    tags: Mapping[str, str],
    parent_run_id: str | None = None,
    resume_run_id: str | None = None,
) -> "MlflowTracker":
    """Begin a run with its data in `folder`, or continue one (`resume_run_id`).

    Without a `uri`, the store is that of the parent folder. An unreachable store only delays the sending. A store that
    refuses (an unknown run to resume, a wrong password) raises TrackingError before anything is computed.
    """
    folder = folder.absolute()
    uri = absolute_uri(uri or resolve_uri(folder.parent))
    new_folder = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = _locked(folder)
    fresh = False
    try:
        fresh = local_run_id(folder) is None
        tracker = MlflowTracker(Delivery(folder, uri), lock)
        tracker.delivery.progress.uri = without_credentials(uri)
        if fresh:
            tracker._begin(experiment, run_name, tag_texts(tags), parent_run_id, resume_run_id)
        else:
            tracker._continue(resume_run_id, tags)
    except (TrackingError, ValueError):
        if fresh:
            for name in (EVENTS, PROGRESS):
                (folder / name).unlink(missing_ok=True)
        lock.release()
        if new_folder:
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()
        raise
    return tracker


def local_run_id(folder: Path) -> str | None:
    """Return the id by which the run in a folder can be resumed, even one that was never sent; None without a run."""
    path = folder / EVENTS
    line, end, _ = path.read_bytes().partition(b"\n") if path.is_file() else (b"", b"", b"")
    if not end:  # an empty file, or an incomplete line
        return None
    try:
        return parsed_json(line)["local_id"]
    except (ValueError, KeyError, TypeError) as error:
        raise TrackingError(f"{path}, line 1 does not open a run; repair it, or move {folder} away") from error


def sync(folder: Path, uri: str | None = None) -> int:
    """Send to a run folder's store (or to `uri`) everything that it has not received; return the number of items sent.

    Repeated calls are safe. Raise TrackingError if some items could not be sent.
    """
    folder = folder.absolute()
    if not (folder / EVENTS).exists():
        raise TrackingError(f"{folder} does not contain a run: it has no {EVENTS}")
    lock = _locked(folder)
    try:
        store, _ = store_of(folder, uri)
        delivery = Delivery(folder, store)
        sent = delivery.send(force=True)
        if delivery.unsent():
            raise TrackingError(
                f"{delivery.unsent()} items of {folder} are still not in {without_credentials(store)}: "
                f"{delivery.reasons()}"
            )
    finally:
        lock.release()
    return sent


def store_of(folder: Path, uri: str | None = None) -> tuple[str, str]:
    """Return the address of a run folder's store (or `uri`) and the run's id there; "" if the store has no such run."""
    progress = Progress(folder)
    uri = absolute_uri(uri or with_credentials(progress.uri) or resolve_uri(folder.absolute().parent))
    return uri, progress.store(without_credentials(uri))["run_id"]


class MlflowTracker:
    """An open run, returned by `open_run`."""

    def __init__(self, delivery: Delivery, lock: FileLock) -> None:
        self.delivery = delivery
        self.folder = delivery.folder
        self._lock = lock
        self._rows = {(row["name"], row["step"]) for row in delivery.metrics.rows}
        self._params: dict[str, str] = {}
        self._nonfinite: set[str] = set()  # tags of non-finite metrics that are set already
        for event in delivery.events.rows:
            if event["kind"] == "params":
                self._params |= event["values"]
            elif event["kind"] == "tags":
                self._nonfinite |= {name for name in event["values"] if name.startswith("nonfinite.")}

    @property
    def run_id(self) -> str:
        return self.delivery.state["run_id"] or self.delivery.events.rows[0]["run_id"] or self.local_id

    @property
    def local_id(self) -> str:
        """The run's id without a store, which is also its tag `rlq.local_id`."""
        return self.delivery.events.rows[0]["local_id"]

    def log_params(self, flat: Mapping[str, object]) -> None:
        texts = param_texts(flat)
        new = {name: text for name, text in texts.items() if name not in self._params}
        changed = {f"changed.{name}": text for name, text in texts.items() if self._params.get(name, text) != text}
        self._params |= new
        if new:
            self._note("params", values=new)
        if changed:
            self.log_tags(changed)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        if tags:
            self._note("tags", values=tag_texts(tags))

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        finite, nonfinite = split_finite(values)
        now, step = _now(), int(step)
        new = {name: value for name, value in finite.items() if (name, step) not in self._rows}
        self._rows |= {(name, step) for name in new}
        self.delivery.metrics.append(
            *({"name": name, "value": value, "step": step, "time": now} for name, value in new.items())
        )
        first = {f"nonfinite.{name}": str(step) for name in nonfinite if f"nonfinite.{name}" not in self._nonfinite}
        self._nonfinite |= set(first)
        if first:
            self._note("tags", values=first)
        else:
            self.delivery.send()

    def log_text(self, text: str, name: str) -> None:
        self._artifact_path(name).write_text(text, encoding="utf-8")
        self._note_file(name)

    def log_dict(self, tree: Mapping[str, Any], name: str) -> None:
        suffix = Path(name).suffix
        if suffix == ".json":
            text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
        elif suffix in (".yaml", ".yml"):
            text = yaml_text(tree)
        else:
            raise ValueError(f"{name!r} should end in .json, .yaml or .yml")
        self.log_text(text, name)

    def log_figure(self, figure: "Figure", name: str) -> None:
        figure.savefig(self._artifact_path(name), bbox_inches="tight")
        self._note_file(name)

    def log_file(self, path: Path, folder: str = "") -> None:
        name = f"{folder}/{path.name}" if folder else path.name
        target = self._artifact_path(name)
        if path.absolute() != target:
            shutil.copyfile(path, target)
        self._note_file(name)

    def log_dataset(self, name: str, digest: str, root: str | Path, context: str) -> None:
        source = json.dumps({"root": str(root)})
        self._note("dataset", name=name, digest=check_digest(digest), source=source, context=context)

    def log_model(self, folder: Path, name: str, params: Mapping[str, object]) -> None:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; a model is a folder of weights and config")
        folder, texts = folder.absolute(), param_texts(params)
        if not folder.is_relative_to(self.folder):
            copy = self._artifact_path(f"models/{name}")
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy)
            folder = copy
        model = {"name": name, "path": folder.relative_to(self.folder).as_posix(), "params": texts}
        model |= {"digest": folder_digest(folder)}
        if any(event.items() >= model.items() for event in self.delivery.events.rows):
            self.delivery.send()  # a run that was killed at its end and resumed logs its model again
        else:
            self._note("model", **model)

    def end(self, status: Status = "FINISHED") -> None:
        self.delivery.events.append({"kind": "end", "status": status, "time": _now()})
        self.delivery.send(force=True)
        if self.delivery.unsent():
            log.warning(
                "tracking: %d items of this run are not in %s: %s. They are kept in %s. "
                "Send them later with: rlq track sync %s",
                self.delivery.unsent(), without_credentials(self.delivery.uri), self.delivery.reasons(),
                self.folder, self.folder,
            )  # fmt: skip
        self._lock.release()

    def leave(self) -> None:
        """Send everything and release the folder without ending the run, which another process continues."""
        self.delivery.send(force=True)
        self._lock.release()

    def links(self) -> dict[str, str]:
        state = self.delivery.state
        return links_to(self.delivery.uri, state["experiment_id"], state["run_id"]) if state["run_id"] else {}

    def _begin(self, experiment: str, name: str, tags: dict[str, str], parent: str | None, resume: str | None) -> None:
        local_id = f"local-{uuid.uuid4().hex}"
        tags = {**source_tags(), **tags, "rlq.local_id": local_id}
        parent_is_unsent = parent is not None and parent.startswith("local-")
        if parent is not None and not parent_is_unsent:
            tags["mlflow.parentRunId"] = parent
        first = {"kind": "open", "local_id": local_id, "experiment": experiment, "name": name, "run_id": resume or ""}
        self.delivery.events.append({**first, "tags": tags, "time": _now()})
        self.delivery.progress.save()
        self._connect(fetch=resume)
        if parent_is_unsent:
            self.delivery.events.append({"kind": "parent", "run": parent})
        if resume:
            self.delivery.events.append({"kind": "resume"})
        self.delivery.send()

    def _connect(self, fetch: str | None = None) -> None:
        """Connect to the store. One that refuses stops the run before anything is lost; an unreachable one does not."""
        try:
            self.delivery.connect()
            if fetch:
                self._fetch(fetch)
        except Refused as error:
            raise TrackingError(f"{without_credentials(self.delivery.uri)} refuses the run: {error}") from error
        except Unreachable as error:
            self.delivery.postpone(error)

    def _fetch(self, run_id: str) -> None:
        """Copy what a run from another folder has logged, so that nothing is logged twice."""
        delivery = self.delivery
        client = delivery.connect()
        with store_errors(delivery.uri):
            data = client.get_run(run_id).data
            history = [metric for name in sorted(data.metrics) for metric in client.get_metric_history(run_id, name)]
        rows = [{"name": m.key, "value": m.value, "step": m.step, "time": m.timestamp} for m in history]
        delivery.metrics.append(*rows)
        delivery.state["metrics"] = len(rows)
        self._rows |= {(row["name"], row["step"]) for row in rows}
        self._nonfinite |= {name for name in data.tags if name.startswith("nonfinite.")}
        self._params |= data.params
        if data.params:
            delivery.events.append({"kind": "params", "values": data.params})

    def _continue(self, resume: str | None, tags: Mapping[str, str]) -> None:
        if resume is None:
            raise TrackingError(
                f"{self.folder} already contains the run {self.run_id}; resume it or use another folder"
            )
        ids = {self.local_id, self.run_id, *(store["run_id"] for store in self.delivery.progress.stores.values())}
        if resume not in ids:
            raise TrackingError(f"{self.folder} contains the run {self.run_id}, not {resume}")
        self._connect()
        self.delivery.events.append({"kind": "resume"})
        if tags:
            self.delivery.events.append({"kind": "tags", "values": tag_texts(tags)})
        self.delivery.send()

    def _note(self, kind: str, **fields: Any) -> None:
        self.delivery.events.append({"kind": kind, **fields})
        self.delivery.send()

    def _note_file(self, name: str) -> None:
        parent = Path(name).parent.as_posix()
        self._note("file", path=f"artifacts/{name}", folder="" if parent == "." else parent)

    def _artifact_path(self, name: str) -> Path:
        """Return an artifact's path in the run folder, whose parent folder is created."""
        path = self.folder / "artifacts" / check_artifact(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _locked(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout as error:
        raise TrackingError(f"{folder} is in use: another process writes to this run") from error
    return lock


def _now() -> int:
    return int(time.time() * 1000)
