"""Send a run folder to a store: as much as possible now, the rest later, and nothing twice."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlq.tracking.journal import EVENTS, METRICS, Journal, Progress
from rlq.tracking.provenance import without_credentials
from rlq.tracking.store import Refused, Unreachable, experiment_id, open_client, store_errors, upload_timeout

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 600.0  # seconds between attempts; an attempt with a hanging server takes 20
ROWS = 1000  # metrics per call
FILES = {"file", "model"}  # events for the artifact store, which may fail while the tracking store works


class Pause:
    """The time until the next attempt: none after a success, longer after every failure."""

    def __init__(self) -> None:
        self.reason = ""  # why the last attempt failed; empty after a success
        self._length, self._until = 0.0, 0.0

    def over(self) -> bool:
        return time.monotonic() >= self._until

    def failed(self, reason: str) -> None:
        self.reason = reason
        self._length = min(max(self._length * 2, FIRST_PAUSE), LONGEST_PAUSE)
        self._until = time.monotonic() + self._length

    def worked(self) -> None:
        self.reason, self._length, self._until = "", 0.0, 0.0


class Delivery:
    """One run folder and one store. `send` never raises because of the store."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self.uri = folder, uri
        self.metrics, self.events = Journal(folder / METRICS), Journal(folder / EVENTS)
        self.progress = Progress(folder)
        self.state = self.progress.store(without_credentials(uri))
        self.refused: dict[int, str] = {}  # event -> reason; tried again only when forced
        self._rows, self._files = Pause(), Pause()
        self._failures: Counter[int] = Counter()
        self._client: MlflowClient | None = None

    def send(self, force: bool = False) -> int:
        """Send all unsent items, except during a pause after a failure; return the number of items sent."""
        before = self.unsent()
        if force:
            self.refused.clear()
        if force or self._rows.over():
            self._attempt(self._rows, self._send_rows)
        if not self._rows.reason and (force or self._files.over()):
            self._attempt(self._files, self._send_files)
        return before - self.unsent()

    def unsent(self) -> int:
        """Return the number of metric rows and events that the store has not received."""
        return len(self.metrics.rows) - self.state["metrics"] + len(self.events.rows) - len(self.state["events"])

    def reasons(self) -> str:
        """Return why items are unsent."""
        reasons = [self._rows.reason, self._files.reason, *self.refused.values()]
        return "; ".join(dict.fromkeys(reason for reason in reasons if reason)) or "no attempt was made"

    def connect(self) -> "MlflowClient":
        """Open the store and create the run in it if needed. Raise Unreachable or Refused."""
        if self._client is None:
            self._client = open_client(self.uri)
        if not self.state["run_id"]:
            self._find_or_create(self._client)
        return self._client

    def _find_or_create(self, client: "MlflowClient") -> None:
        first = self.events.rows[0]
        if first["run_id"] and without_credentials(self.uri) == self.progress.uri:  # the run began in another folder
            with store_errors(self.uri):
                run = client.get_run(first["run_id"])
        else:
            experiment = experiment_id(client, self.uri, first["experiment"], self.folder)
            # The response to an earlier call may have been lost, so look for the run before creating a second one.
            with store_errors(self.uri):
                runs = client.search_runs([experiment], f"tags.`rlq.local_id` = '{first['local_id']}'", max_results=1)
                run = runs[0] if runs else client.create_run(experiment, first["time"], first["tags"], first["name"])
        self.state.update(run_id=run.info.run_id, experiment_id=run.info.experiment_id)
        self._mark_sent(0)

    def postpone(self, error: Exception) -> None:
        """Pause, because the store is unreachable."""
        self._failed(self._rows, error)

    def _attempt(self, pause: Pause, work: Callable[[], None]) -> None:
        try:
            work()
        except (Unreachable, Refused) as error:
            self._failed(pause, error)
        else:
            if pause.reason:
                log.warning("tracking: %s accepts the data again", without_credentials(self.uri))
            pause.worked()

    def _failed(self, pause: Pause, error: Exception) -> None:
        if not pause.reason:
            log.warning(
                "tracking: %s does not accept the data (%s); the run continues, everything is kept in %s",
                without_credentials(self.uri), error, self.folder,
            )  # fmt: skip
        pause.failed(str(error))

    def _send_rows(self) -> None:
        client = self.connect()
        from mlflow.entities import Metric

        while self.state["metrics"] < len(self.metrics.rows):
            start = self.state["metrics"]
            rows = self.metrics.rows[start : start + ROWS]
            with store_errors(self.uri):
                client.log_batch(
                    self.state["run_id"],
                    metrics=[Metric(row["name"], row["value"], row["time"], row["step"]) for row in rows],
                )
            self.state["metrics"] = start + len(rows)
            self.progress.save()
        for index in self._pending(files=False):
            self._send_event(client, index)

    def _send_files(self) -> None:
        client = self.connect()
        waiting = self._pending(files=True)
        newest = {_target(self.events.rows[index]): index for index in waiting}
        # Events that failed come last, so that they do not block the others.
        for index in sorted(waiting, key=lambda i: (self._failures[i], i)):
            if newest[_target(self.events.rows[index])] != index:
                self._mark_sent(index)  # a later event has replaced it
                continue
            try:
                with upload_timeout():
                    self._send_event(client, index)
            except Unreachable:
                self._failures[index] += 1
                raise

    def _pending(self, files: bool) -> list[int]:
        finished = {*self.state["events"], *self.refused}
        rows = enumerate(self.events.rows)
        return [index for index, row in rows if index not in finished and (row["kind"] in FILES) == files]

    def _send_event(self, client: "MlflowClient", index: int) -> None:
        event = self.events.rows[index]
        try:
            with store_errors(self.uri):
                if event["kind"] == "model":
                    self._send_model(client, index)
                else:
                    SENDERS[event["kind"]](client, self.state, event, self.folder)
        except Refused as error:
            self.refused[index] = str(error)
            log.warning("tracking: %s refuses %s: %s", without_credentials(self.uri), event["kind"], error)
        else:
            self._mark_sent(index)

    def _send_model(self, client: "MlflowClient", index: int) -> None:
        from mlflow.entities import LoggedModelOutput

        event, experiment, run = self.events.rows[index], self.state["experiment_id"], self.state["run_id"]
        source = self.folder / event["path"]
        if not source.resolve().is_relative_to(self.folder.resolve()):
            raise Refused(f"{source} is not a folder of this run")
        if not source.is_dir():
            raise Refused(f"{source} does not exist any more")
        mark = f"{self.events.rows[0]['local_id']}.{index}"  # an earlier attempt may have created the model
        models = client.search_logged_models([experiment], f"tags.`rlq.event` = '{mark}'", max_results=1)
        model = (
            models[0]
            if models
            else client.create_logged_model(
                experiment, event["name"], run, {"rlq.event": mark}, event["params"], model_type="reid"
            )
        )
        client.log_model_artifacts(model.model_id, str(source))
        client.finalize_logged_model(model.model_id, "READY")
        outputs = client.get_run(run).outputs  # a second output of the same model would be an error
        if outputs is None or model.model_id not in {output.model_id for output in outputs.model_outputs}:
            client.log_outputs(run, [LoggedModelOutput(model.model_id, step=0)])

    def _mark_sent(self, index: int) -> None:
        self.state["events"].append(index)
        self.progress.save()


def _target(event: dict[str, Any]) -> tuple[str, str]:
    """Return what the event writes; a later event with the same target replaces it."""
    return event["kind"], f"{event['folder']}/{Path(event['path']).name}" if event["kind"] == "file" else event["name"]


def _params(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    from mlflow.entities import Param

    client.log_batch(state["run_id"], params=[Param(name, text) for name, text in event["values"].items()])


def _tags(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    from mlflow.entities import RunTag

    client.log_batch(state["run_id"], tags=[RunTag(name, text) for name, text in event["values"].items()])


def _parent(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    """Set the parent, a run that was opened while the store was unreachable and must have been sent first."""
    parents = client.search_runs([state["experiment_id"]], f"tags.`rlq.local_id` = '{event['run']}'", max_results=1)
    if not parents:
        raise Refused(f"the parent run {event['run']} has not been sent yet; sync its folder, then this one again")
    client.set_tag(state["run_id"], "mlflow.parentRunId", parents[0].info.run_id)


def _dataset(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(event["name"], event["digest"], "rlq", event["source"])
    client.log_inputs(state["run_id"], [DatasetInput(dataset, [InputTag("mlflow.data.context", event["context"])])])


def _file(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    source = folder / event["path"]
    if not source.resolve().is_relative_to(folder.resolve()):  # the journal may come from somebody else
        raise Refused(f"{source} is not a file of this run")
    if not source.is_file():
        raise Refused(f"{source} does not exist any more")
    client.log_artifact(state["run_id"], str(source), event["folder"] or None)


def _resume(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    client.update_run(state["run_id"], status="RUNNING")


def _end(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    client.set_terminated(state["run_id"], event["status"], event["time"])


SENDERS = {
    "params": _params,
    "tags": _tags,
    "parent": _parent,
    "dataset": _dataset,
    "file": _file,
    "resume": _resume,
    "end": _end,
}
