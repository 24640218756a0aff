"""Finding, opening and naming stores."""

import multiprocessing
import os
from pathlib import Path

import pytest

from rlq.tracking import resolve_uri
from rlq.tracking.store import (
    Refused,
    Unreachable,
    absolute_uri,
    experiment_id,
    links_to,
    open_client,
    store_errors,
    upload_timeout,
    with_credentials,
)


def test_without_a_server_the_store_is_a_file_in_the_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_uri(Path("runs")) == f"sqlite:///{tmp_path}/runs/mlflow.db"


def test_the_environment_names_the_server_and_a_relative_file_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert resolve_uri(Path("runs")) == "http://host:5000"
    assert absolute_uri("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    assert absolute_uri("postgresql://host/db") == "postgresql://host/db"


def test_a_password_is_taken_from_the_environment_only_for_the_same_server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host:5000")
    assert with_credentials("http://host:5000") == "http://me:secret@host:5000"
    assert with_credentials("http://other:5000") == "http://other:5000"


def test_an_experiment_is_made_once_and_keeps_its_artifacts_beside_the_store(store: str, tmp_path: Path):
    client = open_client(store)
    first = experiment_id(client, store, "long term/LTCC", tmp_path)
    assert experiment_id(client, store, "long term/LTCC", tmp_path) == first
    place = client.get_experiment(first).artifact_location
    assert place == (tmp_path / "runs" / "artifacts" / "long_term_LTCC").as_uri()


def test_an_experiment_that_another_process_made_in_between_is_taken(store: str, tmp_path: Path, monkeypatch):
    client = open_client(store)
    there = experiment_id(client, store, "prcc", tmp_path)
    look = type(client).get_experiment_by_name
    answers = iter([None])  # the first look comes too early
    monkeypatch.setattr(client, "get_experiment_by_name", lambda name: next(answers, look(client, name)))
    assert experiment_id(client, store, "prcc", tmp_path) == there


def test_an_experiment_in_the_bin_is_refused_with_the_way_out(store: str, tmp_path: Path):
    client = open_client(store)
    client.delete_experiment(experiment_id(client, store, "prcc", tmp_path))
    with pytest.raises(Refused, match=r"mlflow experiments restore -x 1"):
        experiment_id(client, store, "prcc", tmp_path)


def test_links_are_full_addresses_without_password_that_aim_at_training_runs():
    links = links_to("https://me:secret@host/", "7", "abc")
    assert links == {
        "run": "https://host/#/experiments/7/runs/abc?workflowType=machine_learning",
        "table": "https://host/#/experiments/7/runs?workflowType=machine_learning",
        "charts": "https://host/#/experiments/7/runs?workflowType=machine_learning&compareRunsMode=CHART",
    }
    assert links_to("sqlite:////a.db", "7", "abc")["run"].startswith("http://localhost:5000/#/")


def test_errors_mean_away_or_no_and_bugs_pass(store: str):
    client = open_client(store)
    with pytest.raises(Refused, match="abc"), store_errors(store):
        client.get_run("abc" * 10 + "de")
    with pytest.raises(Unreachable, match="disk is full"), store_errors(store):
        raise OSError("disk is full")
    with pytest.raises(KeyError), store_errors(store):
        raise KeyError("a bug")


def test_a_password_stays_out_of_reasons():
    uri = "http://me:secret@host"
    with pytest.raises(Unreachable) as caught, store_errors(uri):
        raise OSError(f"cannot reach {uri} today")
    assert str(caught.value) == "cannot reach http://host today"


def test_uploads_may_take_longer_unless_the_user_says_how_long(store: str, monkeypatch: pytest.MonkeyPatch):
    open_client(store)
    name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    monkeypatch.setenv(name, "10")
    with upload_timeout():
        assert os.environ[name] == "600"
    assert os.environ[name] == "10"
    monkeypatch.setenv(name, "33")
    with upload_timeout():
        assert os.environ[name] == "33"


def _open_new(folder: Path) -> str:
    uri = resolve_uri(folder)
    return experiment_id(open_client(uri), uri, "prcc", folder)


@pytest.mark.slow
def test_processes_that_open_a_new_store_at_once_all_succeed(tmp_path: Path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        ids = pool.map(_open_new, [tmp_path] * 4, chunksize=1)
    assert len(set(ids)) == 1


@pytest.mark.slow
def test_a_store_whose_making_was_interrupted_is_made_anew(tmp_path, monkeypatch, create_store):
    """MLflow goes on with no half-made one; a full disk or a kill must not leave it in the store's place."""
    from mlflow import MlflowClient

    monkeypatch.setattr("rlq.tracking.store._create", create_store)
    path = tmp_path / "mlflow.db"

    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "search_experiments", full)
        with pytest.raises(Unreachable, match="No space left"):
            open_client(f"sqlite:///{path}")
    assert not path.exists() and not list(tmp_path.glob(".*.mlflow.db"))
    (tmp_path / ".12345678.mlflow.db").write_bytes(b"half of one")
    assert open_client(f"sqlite:///{path}").search_experiments() and path.is_file()
    assert not list(tmp_path.glob(".*.mlflow.db"))
