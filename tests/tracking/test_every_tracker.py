"""What every tracker has to pass. A new one joins with one entry in TRACKERS."""

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient

from rlq.tracking import MemoryTracker, MlflowTracker, NullTracker, Tracker

METHODS = [name for name in vars(Tracker) if not name.startswith("_") and name != "run_id"]


class Stored(NamedTuple):
    """What a tracker has stored of a run."""

    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, dict[int, float]]  # name -> step -> value
    artifacts: set[str]
    datasets: list[tuple[str, str, str]]  # name, digest, context
    models: dict[str, dict[str, str]]  # name -> params
    status: str


class Kind(NamedTuple):
    """How a tracker is opened, and where what it stores is read."""

    tracker: type
    open: Callable[[Callable[..., MlflowTracker]], Any]  # takes the fixture `begin`
    stored: Callable[[Any, str], Stored] | None  # takes tracker and store; None: it stores nothing


def stored_in_memory(tracker: MemoryTracker, store: str) -> Stored:
    return Stored(
        tracker.params,
        tracker.tags,
        tracker.metrics,
        set(tracker.artifacts),
        [(name, digest, context) for name, digest, _, context in tracker.datasets],
        {name: params for name, (_, params) in tracker.models.items()},
        tracker.status or "RUNNING",
    )


def stored_by_mlflow(tracker: MlflowTracker, store: str) -> Stored:
    client = MlflowClient(store)
    run = client.get_run(tracker.run_id)
    histories = {name: client.get_metric_history(tracker.run_id, name) for name in run.data.metrics}
    outputs = run.outputs.model_outputs if run.outputs else []
    models = [client.get_logged_model(output.model_id) for output in outputs]
    return Stored(
        run.data.params,
        run.data.tags,
        {name: {row.step: row.value for row in rows} for name, rows in histories.items()},
        files_below(client, tracker.run_id, ""),
        [(one.dataset.name, one.dataset.digest, one.tags[0].value) for one in run.inputs.dataset_inputs],
        {model.name: model.params for model in models},
        run.info.status,
    )


def files_below(client: MlflowClient, run_id: str, folder: str) -> set[str]:
    files: set[str] = set()
    for entry in client.list_artifacts(run_id, folder):
        files |= files_below(client, run_id, entry.path) if entry.is_dir else {entry.path}
    return files


TRACKERS = {
    "memory": Kind(MemoryTracker, lambda begin: MemoryTracker(), stored_in_memory),
    "mlflow": Kind(MlflowTracker, lambda begin: begin(), stored_by_mlflow),
    "null": Kind(NullTracker, lambda begin: NullTracker(), None),
}
every_tracker = pytest.mark.parametrize("kind", TRACKERS.values(), ids=TRACKERS)
STORING = {name: kind for name, kind in TRACKERS.items() if kind.stored}
every_storing_tracker = pytest.mark.parametrize("kind", STORING.values(), ids=STORING)


def log_everything(tracker: Tracker, folder: Path) -> None:
    (folder / "weights").mkdir()
    (folder / "weights/config.json").write_text("{}")
    (folder / "table.csv").write_text("a,b\n")
    tracker.log_params({"optim.lr": 3.5e-4, "k": [1, 2], "name": None, "on": True})
    tracker.log_params({"optim.lr": 0.2, "on": True})
    tracker.log_tags({"rlq.kind": "run"})
    tracker.log_tags({"rlq.kind": "trial"})
    tracker.log_metrics({"CC/rank1": 0.5, "loss": math.inf}, step=3)
    tracker.log_metrics({"CC/rank1": 0.75, "loss": math.nan}, step=3)
    tracker.log_metrics({"CC/rank1": 0.25, "loss": math.nan}, step=4)
    tracker.log_text("hello", "report.md")
    tracker.log_dict({"größe": 1}, "tables/a.json")
    tracker.log_dict({"größe": 1}, "resolved.yaml")
    tracker.log_figure(Figure(figsize=(1, 1)), "figures/a.png")
    tracker.log_file(folder / "table.csv")
    tracker.log_file(folder / "table.csv", "tables")
    tracker.log_dataset("prcc", "3f2a9c01", folder, "train")
    tracker.log_model(folder / "weights", "rlq", {"backbone.split": 2})


@every_tracker
@pytest.mark.parametrize("method", METHODS)
def test_it_has_every_method_with_the_same_parameters(kind, method):
    expected = inspect.signature(getattr(Tracker, method))
    assert inspect.signature(getattr(kind.tracker, method)).parameters.keys() == expected.parameters.keys()


@every_tracker
def test_it_takes_everything_and_has_an_id_and_links(kind, begin, tmp_path):
    tracker = kind.open(begin)
    log_everything(tracker, tmp_path)
    assert isinstance(tracker.run_id, str) and tracker.run_id
    tracker.end("KILLED")
    assert all(isinstance(text, str) for pair in tracker.links().items() for text in pair)


@every_storing_tracker
def test_what_is_logged_is_kept(kind, begin, store, tmp_path):
    tracker = kind.open(begin)
    log_everything(tracker, tmp_path)
    tracker.end("FAILED")
    stored = kind.stored(tracker, store)
    assert stored.params == {
        "optim.lr": "0.00035", "k": "[1, 2]", "k.low": "1", "k.high": "2", "name": "null", "on": "true",
    }  # fmt: skip
    assert stored.tags.items() >= {"rlq.kind": "trial", "changed.optim.lr": "0.2", "nonfinite.loss": "3"}.items()
    assert "changed.on" not in stored.tags
    assert stored.metrics == {"CC/rank1": {3: 0.5, 4: 0.25}}
    assert stored.artifacts == {
        *("report.md", "resolved.yaml", "table.csv"),
        *("tables/a.json", "tables/table.csv", "figures/a.png"),
    }
    assert stored.datasets == [("prcc", "3f2a9c01", "train")]
    assert stored.models == {"rlq": {"backbone.split": "2"}}
    assert stored.status == "FAILED"


@every_storing_tracker
def test_names_that_cannot_be_stored_are_refused_and_leave_nothing(kind, begin, store, tmp_path):
    tracker = kind.open(begin)
    wrong = {
        "rank@1": lambda name: tracker.log_metrics({"loss": 1.0, name: 0.5}, step=0),
        "a//b": lambda name: tracker.log_params({name: 1}),
        "größe": lambda name: tracker.log_tags({name: "x"}),
        "../up.md": lambda name: tracker.log_text("x", name),
        "/etc/a.json": lambda name: tracker.log_dict({}, name),
        "a\\b.png": lambda name: tracker.log_figure(Figure(), name),
        "0" * 64: lambda name: tracker.log_dataset("prcc", name, tmp_path, "train"),
    }
    for name, log in wrong.items():
        with pytest.raises(ValueError) as raised:  # noqa: PT011 - its text is checked below
            log(name)
        assert repr(name) in str(raised.value)
    tracker.end()
    stored = kind.stored(tracker, store)
    assert (stored.params, stored.metrics, stored.artifacts, stored.datasets) == ({}, {}, set(), [])
    assert not stored.tags.keys() & wrong.keys()


@every_storing_tracker
@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_a_run_goes_on_until_it_ends_with_its_status(kind, begin, store, status):
    tracker = kind.open(begin)
    assert kind.stored(tracker, store).status == "RUNNING"
    tracker.end(status)
    assert kind.stored(tracker, store).status == status
