"""A store that goes away neither stops a run nor loses any of it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient
from naming import assert_names

from rlq.tracking import MlflowTracker, TrackingError, outbox, sync
from rlq.tracking.store import open_client

Begin = Callable[..., MlflowTracker]


def a_whole_run(tracker: MlflowTracker) -> None:
    (tracker.folder / "best").mkdir()
    (tracker.folder / "best" / "config.json").write_text("{}")
    tracker.log_params({"seed": 1, "range": [1, 2]})
    tracker.log_dataset("prcc", "3f2a9c01", "/data", "train")
    for epoch in range(3):
        tracker.log_metrics({"loss": 1.0 / (epoch + 1)}, step=epoch)
        tracker.log_text(f"epoch {epoch}", "report.md")
    tracker.log_model(tracker.folder / "best", "rlq", {"split": 2})
    tracker.log_tags({"rlq.done": "yes"})
    tracker.end()


def in_store(store: str, local_id: str) -> dict[str, object]:
    """All that the store holds of the one run that was opened under this local id."""
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("prcc").experiment_id
    (run,) = client.search_runs([experiment], f"tags.`rlq.local_id` = '{local_id}'")
    models = [m for m in client.search_logged_models([experiment]) if m.source_run_id == run.info.run_id]
    report = client.download_artifacts(run.info.run_id, "report.md")
    return {
        "status": run.info.status,
        "params": run.data.params,
        "done": run.data.tags.get("rlq.done"),
        "loss": [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")],
        "datasets": [d.dataset.digest for d in run.inputs.dataset_inputs],
        "report": Path(report).read_text(),
        "models": [(m.name, m.status, m.params) for m in models],
        "outputs": [output.model_id for output in run.outputs.model_outputs] == [m.model_id for m in models],
        "weights": [f.path for m in models for f in client.list_logged_model_artifacts(m.model_id)],
    }


WHOLE = {
    "status": "FINISHED",
    "params": {"seed": "1", "range": "[1, 2]", "range.low": "1", "range.high": "2"},
    "done": "yes",
    "loss": [(0, 1.0), (1, 0.5), (2, 1.0 / 3)],
    "datasets": ["3f2a9c01"],
    "report": "epoch 2",
    "models": [("rlq", "READY", {"split": "2"})],
    "outputs": True,
    "weights": ["config.json"],
}


def test_without_a_server_the_run_goes_on_quickly_and_is_sent_later(begin: Begin, dead: str, store: str, caplog):
    start = time.monotonic()
    tracker = begin(uri=dead)
    a_whole_run(tracker)
    assert time.monotonic() - start < 3
    assert tracker.run_id == tracker.local_id and tracker.links() == {}
    at_first, at_the_end = (record.message for record in caplog.records)
    assert_names(at_first, dead, tracker.folder)
    assert "rlq track sync" not in at_first
    assert_names(at_the_end, 12, dead, f"rlq track sync {tracker.folder}")
    with pytest.raises(TrackingError) as unsent:
        sync(tracker.folder)
    assert_names(unsent.value, 12, tracker.folder, dead)
    assert sync(tracker.folder, store) == 12
    assert sync(tracker.folder, store) == 0
    assert in_store(store, tracker.local_id) == WHOLE


def test_a_run_that_began_without_a_server_is_resumed_by_either_of_its_ids(begin: Begin, dead: str, store: str):
    tracker = begin(uri=dead)
    tracker.log_metrics({"loss": 1.0}, step=0)
    tracker.end("KILLED")
    again = begin(uri=store, resume_run_id=tracker.local_id)  # now the store is there
    assert again.run_id != tracker.local_id
    again.log_metrics({"loss": 1.0}, step=0)
    again.end()
    last = begin(uri=store, resume_run_id=again.run_id)
    last.end()
    client = MlflowClient(store)
    assert len(client.get_metric_history(last.run_id, "loss")) == 1
    assert client.get_run(last.run_id).info.status == "FINISHED"


def test_a_child_finds_its_parent_even_if_both_began_without_a_server(begin: Begin, dead: str, store: str):
    parent = begin("parent", uri=dead)
    child = begin("child", uri=dead, parent_run_id=parent.run_id)
    child.end()
    parent.end()
    with pytest.raises(TrackingError, match=parent.run_id):
        sync(child.folder, store)
    sync(parent.folder, store)
    assert sync(child.folder, store) == 1
    client = MlflowClient(store)
    runs = {run.info.run_name: run for run in client.search_runs(["1"])}
    assert runs["child"].data.tags["mlflow.parentRunId"] == runs["parent"].info.run_id


def test_after_a_failure_the_store_is_left_alone_for_a_while(begin: Begin, monkeypatch: pytest.MonkeyPatch, caplog):
    tracker, clock, calls = begin(), [1000.0], []
    monkeypatch.setattr(outbox.time, "monotonic", lambda: clock[0])

    def unplugged(*_, **__):
        calls.append(clock[0])
        raise requests.ConnectionError("no route to host")

    with monkeypatch.context() as cable:
        cable.setattr(MlflowClient, "log_batch", unplugged)
        for epoch in range(400):
            tracker.log_metrics({"loss": 1.0}, step=epoch)
            clock[0] += 10
    assert calls == [1000, 1060, 1180, 1420, 1900, 2500, 3100, 3700, 4300, 4900]
    clock[0] += 600
    tracker.log_metrics({"loss": 1.0}, step=400)
    assert tracker.delivery.unsent() == 0
    tracker.end()
    away, back = (record.message for record in caplog.records)
    assert_names(away, tracker.delivery.uri, tracker.folder)
    assert_names(back, tracker.delivery.uri)
    assert away != back


class Faulty:
    """A client whose n-th call fails, before or after the store has done what was asked."""

    def __init__(self, client: MlflowClient, fail_at: int, after: bool) -> None:
        self.client, self.left, self.after = client, fail_at, after

    def __getattr__(self, name: str):
        method = getattr(self.client, name)

        def call(*args, **kwargs):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise requests.ConnectionError("cable pulled")
            result = method(*args, **kwargs)
            if self.left == 0:
                raise requests.ConnectionError("the answer is lost")
            return result

        return call


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_whichever_call_fails_the_run_arrives_whole_and_once(begin: Begin, store: str, monkeypatch, after: bool):
    real, fail_at, failed = outbox.open_client, 0, 0
    while True:
        fail_at += 1
        faulty = Faulty(real(store), fail_at, after)
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "open_client", lambda uri, faulty=faulty: faulty)
            tracker = begin(f"run{fail_at}")
            a_whole_run(tracker)
        if faulty.left > 0:
            break  # that many calls are not made: every one has failed once
        failed += 1
        sync(tracker.folder)
        assert in_store(store, tracker.local_id) == WHOLE, f"call {fail_at} failed"
    assert failed > 12


def test_a_file_that_cannot_be_stored_does_not_hold_up_the_rest(begin: Begin, store: str, monkeypatch):
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.0)
    store_file, client = MlflowClient.log_artifact, MlflowClient(store)

    def picky(self, run_id, path, folder=None):
        if path.endswith("large.txt"):
            raise requests.HTTPError("413 Request Entity Too Large")
        store_file(self, run_id, path, folder)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", picky)
        tracker = begin()
        tracker.log_text("x", "large.txt")
        tracker.log_text("y", "small.txt")
        tracker.log_metrics({"loss": 1.0}, step=0)
        tracker.end()
        assert [file.path for file in client.list_artifacts(tracker.run_id)] == ["small.txt"]
        assert client.get_run(tracker.run_id).info.status == "FINISHED"
        with pytest.raises(TrackingError) as told:
            sync(tracker.folder)
        assert_names(told.value, 1, "413 Request Entity Too Large")
    assert sync(tracker.folder) == 1


def test_what_the_store_refuses_is_named_and_the_rest_goes_on(begin: Begin, store: str, caplog):
    tracker = begin()
    tracker.log_text("x", "gone.txt")
    tracker.log_text("x", "folder/gone.txt")
    MlflowClient(store).delete_run(tracker.run_id)
    tracker.log_params({"a": 1})
    assert_names(caplog.text, "params", "'active'")
    tracker.end()
    MlflowClient(store).restore_run(tracker.run_id)
    assert sync(tracker.folder) == 2
    assert MlflowClient(store).get_run(tracker.run_id).data.params == {"a": "1"}


def test_a_file_that_was_removed_before_it_was_sent_is_named(begin: Begin, dead: str, store: str):
    tracker = begin(uri=dead)
    tracker.log_text("x", "report.md")
    tracker.end()
    (tracker.folder / "artifacts" / "report.md").unlink()
    with pytest.raises(TrackingError, match=r"artifacts/report\.md"):
        sync(tracker.folder, store)


def test_a_password_in_the_address_is_written_nowhere(begin: Begin, dead: str, caplog):
    tracker = begin(uri=dead.replace("http://", "http://me:secret@"))
    tracker.log_metrics({"loss": 1.0}, step=0)
    tracker.end()
    kept = [path.read_text() for path in tracker.folder.iterdir()]
    assert len(kept) >= 3 and not any("secret" in text for text in [*kept, caplog.text])


@pytest.fixture
def answering() -> Iterator[Callable[[int], str]]:
    """Start a server that answers every request with one status."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_: object) -> None: ...

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_does_not_let_us_in_stops_the_run_before_it_begins(begin: Begin, answering, status: int):
    with pytest.raises(TrackingError, match=str(status)):
        begin(uri=answering(status))


@pytest.mark.parametrize("status", [404, 502])
def test_a_proxy_whose_server_is_down_does_not_stop_a_run(begin: Begin, answering, store: str, status: int):
    tracker = begin(uri=answering(status))
    a_whole_run(tracker)
    assert sync(tracker.folder, store) == 12
    assert in_store(store, tracker.local_id) == WHOLE


@pytest.mark.slow
def test_a_real_server_that_is_killed_and_comes_back_has_the_whole_run(begin, dead: str, serve, tmp_path):
    open_client(f"sqlite:///{tmp_path}/served.db")
    address = dead
    server = serve(f"sqlite:///{tmp_path}/served.db", address)
    tracker = begin(uri=address)
    assert tracker.links()["table"].startswith(f"{address}/#/experiments/")
    tracker.log_text("before", "first.txt")
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    a_whole_run(tracker)
    assert tracker.delivery.unsent() > 5
    serve(f"sqlite:///{tmp_path}/served.db", address)
    assert sync(tracker.folder) > 5
    assert in_store(address, tracker.local_id) == WHOLE
