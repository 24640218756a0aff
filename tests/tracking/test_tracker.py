"""An MLflow run from its opening to its end, and again after an interruption."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from naming import assert_names

from rlq.tracking import MlflowTracker, TrackingError, local_run_id, open_run, sync
from rlq.tracking.journal import EVENTS

Begin = Callable[..., MlflowTracker]


@pytest.fixture
def client(store: str) -> MlflowClient:
    return MlflowClient(store)


def history(client: MlflowClient, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, name)]


def test_everything_that_is_logged_arrives(begin: Begin, client: MlflowClient, tmp_path: Path):
    weights = tmp_path / "runs" / "a" / "best"
    tracker = begin(tags={"rlq.kind": "run", "mlflow.user": "ada"})
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    (tmp_path / "elsewhere.csv").write_text("a,b\n")
    tracker.log_params({"optim.lr": 3.5e-4, "tad.gaussian_kernel": [5, 21]})
    tracker.log_tags({"rlq.variant": "full"})
    for epoch in range(3):
        tracker.log_metrics({"CC/rank1": np.float32(0.25 * epoch), "CC/mAP": 0.125}, step=epoch)
    tracker.log_text("# Report\n", "report.md")
    tracker.log_dict({"größe": [1, 2]}, "resolved.yaml")
    tracker.log_dict({"a": 1}, "tables/cc.json")
    figure = Figure(figsize=(1, 1))
    tracker.log_figure(figure, "figures/cmc.png")
    tracker.log_file(tmp_path / "elsewhere.csv", "tables")
    tracker.log_dataset("prcc", "3f2a9c01", "/data/prcc", "train")
    tracker.log_model(weights, "rlq", {"backbone.split": 2})
    tracker.end()

    run = client.get_run(tracker.run_id)
    assert (run.info.status, run.info.run_name, client.get_experiment(run.info.experiment_id).name) == (
        "FINISHED",
        "a",
        "prcc",
    )
    assert run.data.params == {
        "optim.lr": "0.00035",
        "tad.gaussian_kernel": "[5, 21]",
        "tad.gaussian_kernel.low": "5",
        "tad.gaussian_kernel.high": "21",
    }
    assert run.data.tags.items() >= {"rlq.kind": "run", "rlq.variant": "full", "mlflow.user": "ada"}.items()
    assert run.data.tags["mlflow.source.name"]
    assert history(client, tracker.run_id, "CC/rank1") == [(0, 0.0), (1, 0.25), (2, 0.5)]
    files = {
        file.path for folder in ("", "tables", "figures") for file in client.list_artifacts(tracker.run_id, folder)
    }
    assert files == {
        *("report.md", "resolved.yaml", "tables", "figures"),
        *("tables/cc.json", "tables/elsewhere.csv", "figures/cmc.png"),
    }
    found = Path(client.download_artifacts(tracker.run_id, "resolved.yaml", str(tmp_path)))
    assert found.read_text(encoding="utf-8") == "größe: [1, 2]\n"
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest, dataset.tags[0].value) == ("prcc", "3f2a9c01", "train")
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (model.name, model.status, model.params, model.source_run_id) == (
        "rlq",
        "READY",
        {"backbone.split": "2"},
        tracker.run_id,
    )
    assert [file.path for file in client.list_logged_model_artifacts(model.model_id)] == ["config.json"]
    assert tracker.links()["run"].endswith(f"/runs/{tracker.run_id}?workflowType=machine_learning")


def test_a_run_that_is_left_goes_on_and_can_be_taken_up_by_another(begin: Begin, client: MlflowClient):
    first = begin()
    first.log_metrics({"loss": 1.0}, step=0)
    first.leave()
    assert client.get_run(first.run_id).info.status == "RUNNING"
    second = begin(resume_run_id=first.run_id)
    second.log_metrics({"loss": 0.5}, step=1)
    second.end()
    run = client.get_run(first.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"loss": 0.5}


def test_sending_everything_again_changes_nothing(begin: Begin, client: MlflowClient, tmp_path: Path):
    tracker = begin()
    tracker.log_params({"a": 1})
    tracker.log_metrics({"loss": 1.0}, step=0)
    tracker.log_dataset("prcc", "3f2a9c01", "/data", "train")
    (tmp_path / "weights").mkdir()
    tracker.log_model(tmp_path / "weights", "rlq", {})
    tracker.end("KILLED")
    before = client.get_run(tracker.run_id).to_dictionary()
    assert sync(tracker.folder) == 0
    (tracker.folder / "tracking.json").unlink()  # forget what has been sent
    assert sync(tracker.folder) == 6
    assert client.get_run(tracker.run_id).to_dictionary() == before
    assert history(client, tracker.run_id, "loss") == [(0, 1.0)]
    assert len(client.search_runs([before["info"]["experiment_id"]])) == 1
    assert len(client.search_logged_models([before["info"]["experiment_id"]])) == 1


def test_metrics_are_on_disk_one_row_each(begin: Begin):
    tracker = begin()
    tracker.log_metrics({"loss": 0.5, "CC/rank1": 1}, step=7)
    rows = [json.loads(line) for line in (tracker.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(row["name"], row["value"], row["step"]) for row in rows] == [("loss", 0.5, 7), ("CC/rank1", 1.0, 7)]
    assert all(row["time"] > 1_600_000_000_000 for row in rows)
    tracker.end()


def test_numbers_that_are_none_become_a_tag_with_their_first_step(begin: Begin, client: MlflowClient):
    tracker = begin()
    tracker.log_metrics({"loss": math.nan, "ok": 1.0}, step=4)
    tracker.log_metrics({"loss": math.inf}, step=5)
    tracker.end("FAILED")
    run = client.get_run(tracker.run_id)
    assert (run.data.metrics, run.data.tags["nonfinite.loss"], run.info.status) == ({"ok": 1.0}, "4", "FAILED")


def test_a_name_that_mlflow_cannot_store_is_refused_before_anything_is_kept(begin: Begin):
    tracker = begin()
    with pytest.raises(ValueError, match="rank@1"):
        tracker.log_metrics({"loss": 1.0, "rank@1": 0.5}, step=0)
    with pytest.raises(ValueError, match=r"a\.txt") as told:
        tracker.log_dict({}, "a.txt")
    assert_names(told.value, ".json")
    with pytest.raises(ValueError, match=re.escape(str(tracker.folder / "none"))):
        tracker.log_model(tracker.folder / "none", "rlq", {})
    assert not tracker.delivery.metrics.rows
    tracker.end()


def test_a_child_lies_below_its_parent(begin: Begin, client: MlflowClient):
    parent = begin("sweep")
    child = begin("trial", parent_run_id=parent.run_id)
    assert client.get_run(child.run_id).data.tags["mlflow.parentRunId"] == parent.run_id
    child.end()
    parent.end()


def test_a_resumed_run_logs_nothing_twice(begin: Begin, client: MlflowClient):
    first = begin()
    first.log_params({"schedule.epochs": 2, "seed": 1})
    for epoch in range(2):
        first.log_metrics({"loss": float(epoch), "odd": math.nan}, step=epoch)
    first.end("KILLED")
    with (first.folder / "metrics.jsonl").open("a") as file:
        file.write('{"name": "loss", "val')  # killed while writing

    second = begin(resume_run_id=first.run_id, tags={"rlq.resumed": "yes"})
    assert (second.run_id, client.get_run(first.run_id).info.status) == (first.run_id, "RUNNING")
    second.log_params({"schedule.epochs": 4, "seed": 1, "new": "x"})
    for epoch in range(1, 4):
        second.log_metrics({"loss": float(epoch), "odd": math.nan}, step=epoch)
    second.end()
    run = client.get_run(first.run_id)
    assert history(client, first.run_id, "loss") == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert run.data.params == {"schedule.epochs": "2", "seed": "1", "new": "x"}
    assert run.data.tags.items() >= {"changed.schedule.epochs": "4", "rlq.resumed": "yes", "nonfinite.odd": "0"}.items()
    assert run.info.status == "FINISHED"
    assert len((first.folder / "metrics.jsonl").read_text().splitlines()) == 4


def test_a_run_continues_in_a_new_folder_without_repeating_itself(begin: Begin, client: MlflowClient):
    first = begin("here")
    first.log_params({"seed": 1})
    first.log_metrics({"loss": 1.0}, step=0)
    first.end()
    second = begin("there", resume_run_id=first.run_id)
    second.log_params({"seed": 2})
    second.log_metrics({"loss": 9.0}, step=0)
    second.log_metrics({"loss": 2.0}, step=1)
    second.end()
    run = client.get_run(first.run_id)
    assert (second.run_id, run.data.params, run.data.tags["changed.seed"]) == (first.run_id, {"seed": "1"}, "2")
    assert history(client, first.run_id, "loss") == [(0, 1.0), (1, 2.0)]


def test_an_unknown_run_cannot_be_resumed_and_leaves_no_folder(begin: Begin, tmp_path: Path):
    with pytest.raises(TrackingError, match="0" * 32):
        begin("b", resume_run_id="0" * 32)
    assert not (tmp_path / "runs" / "b").exists()
    begin("b").end()


def test_a_bad_tag_leaves_the_folder_as_it_was(begin: Begin, tmp_path: Path):
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "mine.txt").write_text("kept")
    with pytest.raises(ValueError, match="a@b"):
        begin("b", tags={"a@b": "c"})
    assert {path.name for path in (tmp_path / "runs" / "b").iterdir()} <= {"mine.txt", "tracking.lock"}


def test_a_folder_keeps_one_run(begin: Begin):
    first = begin()
    first.end()
    with pytest.raises(TrackingError, match=first.run_id):
        begin()
    with pytest.raises(TrackingError) as refused:
        begin(resume_run_id="1234")
    assert_names(refused.value, first.run_id, "1234")


def test_a_run_whose_process_was_killed_before_anybody_knew_its_id_is_resumed_by_its_folder(
    begin: Begin, client: MlflowClient, tmp_path: Path
):
    folder = tmp_path / "runs/a"
    assert local_run_id(folder) is None
    tracker = begin()
    tracker._lock.release()  # as a kill does
    assert local_run_id(folder) == tracker.local_id
    again = begin(resume_run_id=local_run_id(folder))
    again.end()
    assert again.run_id == tracker.run_id
    assert client.get_run(again.run_id).info.status == "FINISHED"


def test_a_first_line_that_was_torn_off_is_no_run_and_a_broken_one_is_told(begin: Begin, tmp_path: Path):
    folder = tmp_path / "runs/a"
    folder.mkdir()
    (folder / EVENTS).write_text('{"kind": "open", "local_')
    assert local_run_id(folder) is None
    begin().end()
    assert local_run_id(folder) is not None
    for broken in ("{}\n", "[]\n", "[" * 100_000 + "\n"):
        (folder / EVENTS).write_text(broken)
        with pytest.raises(TrackingError) as told:
            begin()
        assert_names(told.value, EVENTS, "line 1")
        assert (folder / EVENTS).read_text() == broken


def test_the_same_model_is_kept_once_and_a_changed_one_again(begin: Begin, client: MlflowClient):
    tracker = begin()
    (tracker.folder / "best").mkdir()
    for text in ("first", "first", "second"):
        (tracker.folder / "best/model.safetensors").write_text(text)
        tracker.log_model(tracker.folder / "best", "rlq", {"epoch": 1})
    tracker.end()
    (experiment,) = client.search_experiments(filter_string="name = 'prcc'")
    assert len(client.search_logged_models([experiment.experiment_id])) == 2


def test_two_processes_cannot_write_one_run(begin: Begin, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rlq.tracking.mlflow.LOCK_TIMEOUT", 0.1)
    tracker = begin()
    with pytest.raises(TrackingError, match=re.escape(str(tracker.folder))):
        sync(tracker.folder)
    with pytest.raises(TrackingError, match=re.escape(str(tracker.folder))):
        begin(resume_run_id=tracker.run_id)
    tracker.end()
    assert sync(tracker.folder) == 0


def test_without_an_address_the_store_is_made_in_the_folder_above(begin: Begin, store: str, tmp_path: Path):
    tracker = begin(uri=None)  # finds the fixture's store, which lies where a new one would
    assert tracker.delivery.uri == store
    tracker.end()


def test_a_folder_without_a_run_cannot_be_synced(tmp_path: Path):
    with pytest.raises(TrackingError, match=re.escape(str(tmp_path))):
        sync(tmp_path)


def test_an_experiment_in_the_bin_stops_the_run_before_it_begins(begin: Begin, client: MlflowClient):
    begin().end()
    client.delete_experiment(client.get_experiment_by_name("prcc").experiment_id)
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        begin("b")


def test_open_run_takes_names_only():
    with pytest.raises(TypeError, match="positional"):
        open_run(Path(), None, "prcc", "a", {})
