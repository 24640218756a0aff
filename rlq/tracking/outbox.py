"""Bring what a run folder holds to a store: as much as it takes now, the rest later, nothing twice."""

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

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 600.0  # seconds between attempts; one to a server that hangs takes 20
ROWS = 1000  # metrics per call
FILES = {"file", "model"}  # events that go to the artifact store, which may fail by itself


class Pause:
    """When to try again: at once after a success, ever later after failures."""

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
        self.refused: dict[int, str] = {}  # event -> reason; not tried again before a forced attempt
        self._rows, self._files = Pause(), Pause()
        self._failures: Counter[int] = Counter()
        self._client: MlflowClient | None = None

    def send(self, force: bool = False) -> int:
        """Send what is unsent, unless a pause after a failure says wait; return how many things went out."""
        before = self.unsent()
        if force:
            self.refused.clear()
        if force or self._rows.over():
            self._attempt(self._rows, self._send_rows)
        if not self._rows.reason and (force or self._files.over()):
            self._attempt(self._files, self._send_files)
        return before - self.unsent()

    def unsent(self) -> int:
        """How many metric rows and events the store has not got."""
        return len(self.metrics.rows) - self.state["metrics"] + len(self.events.rows) - len(self.state["events"])

    def reasons(self) -> str:
        """Why things are unsent."""
        found = [self._rows.reason, self._files.reason, *self.refused.values()]
        return "; ".join(dict.fromkeys(reason for reason in found if reason)) or "no attempt was made"

    def connect(self) -> "MlflowClient":
        """Open the store and make sure that the run is in it. Raises Unreachable or Refused."""
        if self._client is None:
            self._client = open_client(self.uri)
        if not self.state["run_id"]:
            self._find_or_create(self._client)
        return self._client

    def _find_or_create(self, client: "MlflowClient") -> None:
        first = self.events.rows[0]
        if first["run_id"] and without_credentials(self.uri) == self.progress.uri:  # it began in another folder
            with store_errors(self.uri):
                run = client.get_run(first["run_id"])
        else:
            experiment = experiment_id(client, self.uri, first["experiment"], self.folder)
            # The answer to an earlier call may have been lost on the way, so look before making a second run.
            with store_errors(self.uri):
                known = client.search_runs([experiment], f"tags.`rlq.local_id` = '{first['local_id']}'", max_results=1)
                run = known[0] if known else client.create_run(experiment, first["time"], first["tags"], first["name"])
        self.state.update(run_id=run.info.run_id, experiment_id=run.info.experiment_id)
        self._done(0)

    def postpone(self, error: Exception) -> None:
        """Note that the store is away, so that it is left alone for a while."""
        self._failed(self._rows, error)

    def _attempt(self, pause: Pause, work: Callable[[], None]) -> None:
        try:
            work()
        except (Unreachable, Refused) as error:
            self._failed(pause, error)
        else:
            if pause.reason:
                log.warning("tracking: %s takes the data again", without_credentials(self.uri))
            pause.worked()

    def _failed(self, pause: Pause, error: Exception) -> None:
        if not pause.reason:
            log.warning(
                "tracking: %s does not take the data (%s); the run goes on, everything is kept in %s",
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
        newest = {_place(self.events.rows[index]): index for index in waiting}
        for index in sorted(waiting, key=lambda i: (self._failures[i], i)):  # one that fails does not block the others
            if newest[_place(self.events.rows[index])] != index:
                self._done(index)  # overwritten since
                continue
            try:
                with upload_timeout():
                    self._send_event(client, index)
            except Unreachable:
                self._failures[index] += 1
                raise

    def _pending(self, files: bool) -> list[int]:
        done = {*self.state["events"], *self.refused}
        rows = enumerate(self.events.rows)
        return [index for index, row in rows if index not in done and (row["kind"] in FILES) == files]

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
            self._done(index)

    def _send_model(self, client: "MlflowClient", index: int) -> None:
        from mlflow.entities import LoggedModelOutput

        event, experiment, run = self.events.rows[index], self.state["experiment_id"], self.state["run_id"]
        source = self.folder / event["path"]
        if not source.resolve().is_relative_to(self.folder.resolve()):
            raise Refused(f"{source} is no folder of this run")
        if not source.is_dir():
            raise Refused(f"{source} is gone")
        mark = f"{self.events.rows[0]['local_id']}.{index}"  # an earlier attempt may have got halfway
        known = client.search_logged_models([experiment], f"tags.`rlq.event` = '{mark}'", max_results=1)
        model = (
            known[0]
            if known
            else client.create_logged_model(
                experiment, event["name"], run, {"rlq.event": mark}, event["params"], model_type="reid"
            )
        )
        client.log_model_artifacts(model.model_id, str(source))
        client.finalize_logged_model(model.model_id, "READY")
        outputs = client.get_run(run).outputs  # a second output of the same model would be an error
        if outputs is None or model.model_id not in {output.model_id for output in outputs.model_outputs}:
            client.log_outputs(run, [LoggedModelOutput(model.model_id, step=0)])

    def _done(self, index: int) -> None:
        self.state["events"].append(index)
        self.progress.save()


def _place(event: dict[str, Any]) -> tuple[str, str]:
    return event["kind"], f"{event['folder']}/{Path(event['path']).name}" if event["kind"] == "file" else event["name"]


def _params(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    from mlflow.entities import Param

    client.log_batch(state["run_id"], params=[Param(name, text) for name, text in event["values"].items()])


def _tags(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    from mlflow.entities import RunTag

    client.log_batch(state["run_id"], tags=[RunTag(name, text) for name, text in event["values"].items()])


def _parent(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    """The parent too was opened while the store was away: it can be named once it is there."""
    found = client.search_runs([state["experiment_id"]], f"tags.`rlq.local_id` = '{event['run']}'", max_results=1)
    if not found:
        raise Refused(f"the parent run {event['run']} is not there yet; sync its folder, then this one again")
    client.set_tag(state["run_id"], "mlflow.parentRunId", found[0].info.run_id)


def _dataset(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(event["name"], event["digest"], "rlq", event["source"])
    client.log_inputs(state["run_id"], [DatasetInput(dataset, [InputTag("mlflow.data.context", event["context"])])])


def _file(client: "MlflowClient", state: dict[str, Any], event: dict[str, Any], folder: Path) -> None:
    source = folder / event["path"]
    if not source.resolve().is_relative_to(folder.resolve()):  # a journal that somebody else has written
        raise Refused(f"{source} is no file of this run")
    if not source.is_file():
        raise Refused(f"{source} is gone")
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
