"""Registered models: a function goes into a store and comes out again."""

import re
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from naming import assert_names
from torch import nn

from rlq.tracking import TrackingError, check_model_name, load_function, register_folder, save_function
from rlq.tracking.store import open_client

EXAMPLE = np.zeros((2, 3, 4, 3), np.uint8)


class Sums(nn.Module):
    """uint8 [B, 3, 4, 3] -> float32 [B, 3]."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.float().sum(dim=(1, 2))


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("function") / "model"
    save_function(Sums(), folder, EXAMPLE, 3, ["torch"])
    return folder


def send(uri: str, folder: Path, name: str = "sums", run_id: str | None = None):
    return register_folder(
        uri, folder, name, experiment="prcc", run_id=run_id, params={"split": 2}, tags={"rlq.dataset": "prcc"}
    )


def test_a_saved_function_takes_any_number_of_rows(function: Path):
    for count in (1, 2, 7):
        assert load_function(function)(torch.ones(count, 3, 4, 3, dtype=torch.uint8)).tolist() == [[12.0] * 3] * count
    with pytest.raises(ValueError, match=r"\b1\b"):
        save_function(Sums(), function.parent / "b", EXAMPLE[:1], 3, ["torch"])


@pytest.mark.slow
def test_versions_count_on_and_carry_run_params_and_tags(begin, store: str, function: Path):
    tracker = begin()
    first, second = send(store, function, run_id=tracker.run_id), send(store, function, run_id=tracker.run_id)
    assert (first.version, second.version, second.uri) == ("1", "2", "models:/sums/2")
    assert second.page == "http://localhost:5000/#/models/sums/versions/2"
    version = MlflowClient(store).get_model_version("sums", "2")
    assert (version.run_id, version.tags, version.status) == (tracker.run_id, {"rlq.dataset": "prcc"}, "READY")
    models = MlflowClient(store).search_logged_models(["1"])
    (model,) = (model for model in models if model.artifact_location == version.source)
    assert (model.params, model.source_run_id, model.status) == ({"split": "2"}, tracker.run_id, "READY")


def test_a_store_that_is_away_or_has_no_such_run_registers_nothing(store: str, dead: str, function: Path):
    with pytest.raises(TrackingError) as away:
        send(dead.replace("http://", "http://me:secret@"), function)
    assert_names(away.value, "sums", dead)
    with pytest.raises(TrackingError) as unknown:
        send(store, function, run_id="0" * 32)
    assert_names(unknown.value, "sqlite", "0" * 32)
    assert MlflowClient(store).search_registered_models() == []


@pytest.mark.parametrize("name", ["a/b", "a:1", "", "  ", "..", "a?"])
def test_names_that_would_break_addresses_are_refused(name: str):
    with pytest.raises(TrackingError, match=re.escape(repr(name))):
        check_model_name(name)


def test_usual_names_pass():
    assert [check_model_name(name) for name in ("rlq-prcc", "RLQ 2", "a.b_c")] == ["rlq-prcc", "RLQ 2", "a.b_c"]


@pytest.mark.slow
def test_a_real_server_takes_a_function_and_gives_it_back(
    begin, dead: str, serve, tmp_path: Path, function: Path, monkeypatch: pytest.MonkeyPatch
):
    open_client(f"sqlite:///{tmp_path}/served.db")
    serve(f"sqlite:///{tmp_path}/served.db", dead)
    tracker = begin(uri=dead)
    tracker.end()
    assert send(dead, function, run_id=tracker.run_id).page.startswith(f"{dead}/#/models/sums/versions/1")
    found = send(dead, function, name="no run")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", dead)
    for uri in ("models:/sums/1", found.uri):
        assert mlflow.pytorch.load_model(uri)(torch.ones(2, 3, 4, 3, dtype=torch.uint8)).tolist() == [[12.0] * 3] * 2
