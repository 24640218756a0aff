"""A run's network as a registered model: loaded from MLflow alone, it gives the features of `rlq embed`."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from PIL import Image

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.tracking import TrackingError
from rlq.weights.register import register

HEIGHT, WIDTH = 32, 16  # of the pictures that the runs in `home` are trained on


@pytest.fixture(scope="module")
def registered(home, whole_run):
    with home.entered():
        return register(whole_run.run_id, "rlq-test", console=Console(quiet=True))


@pytest.fixture
def load(home, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable]:
    """What a stranger does: MLflow's own function, with the store's address in the environment."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home.folder}/runs/mlflow.db")
    return mlflow.pytorch.load_model


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_registered_model_gives_what_rlq_embed_gives(registered, load, home, whole_run, pictures, tmp_path, count):
    for number, picture in enumerate(pictures[:count]):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    output = tmp_path / "features.npz"
    assert home.command("embed", whole_run.run_id, tmp_path, "--output", output).exit_code == 0
    wanted = np.load(output)["features"]
    found = load(registered.uri)(torch.from_numpy(pictures[:count])).numpy()
    assert found.dtype == np.float32 and found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-5
    assert np.abs(found[0] - wanted[0]).max() < 1e-2 * np.abs(wanted[0]).max()


@pytest.mark.slow
def test_pyfunc_takes_arrays_of_any_number_and_refuses_other_sizes_and_types(registered, load, pictures):
    function = mlflow.pyfunc.load_model(registered.uri)
    wanted = load(registered.uri)(torch.from_numpy(pictures)).numpy()
    assert np.allclose(function.predict(pictures), wanted, atol=1e-6)
    assert np.allclose(function.predict(pictures[:1]), wanted[:1], atol=1e-6)
    assert np.allclose(np.linalg.norm(wanted, axis=1), 1, atol=1e-6)
    for wrong in (pictures[:, :, :8], pictures.astype(np.float32)):
        with pytest.raises(mlflow.exceptions.MlflowException, match="schema"):
            function.predict(wrong)


@pytest.mark.slow
def test_a_version_says_which_run_it_is_of_and_the_next_one_counts_on(registered, home, whole_run):
    client = home.client
    version = client.get_model_version("rlq-test", registered.version)
    assert (version.run_id, version.status) == (whole_run.run_id, "READY")
    told = {name: version.tags[name] for name in ("rlq.run", "rlq.run_name", "rlq.weights", "rlq.dataset")}
    assert told == {
        "rlq.run": whole_run.run_id,
        "rlq.run_name": "whole",
        "rlq.weights": "best",
        "rlq.dataset": "synthetic",
    }
    assert len(version.tags["rlq.settings_fingerprint"]) == 16
    shown = home.command("weights", "register", whole_run.run_id, "--name", "rlq-test", "--weights", "last")
    wanted = rf"^model +rlq-test\b.*\b{int(registered.version) + 1}\b.*sqlite"
    assert re.search(wanted, shown.output, re.MULTILINE)
    assert 'mlflow.pytorch.load_model("models:/rlq-test/' in shown.output
    assert client.get_model_version("rlq-test", str(int(registered.version) + 1)).tags["rlq.weights"] == "last"


@pytest.mark.slow
def test_a_model_holds_no_picture_and_does_not_ask_for_rlq(registered, load, home):
    source = home.client.get_model_version("rlq-test", registered.version).source
    folder = Path(mlflow.artifacts.download_artifacts(source))
    requirements = (folder / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in requirements] == ["mlflow", "torch"]
    assert not list(folder.glob("*example*"))


@pytest.mark.slow
def test_weights_without_a_run_are_registered_too(home, whole_run, tmp_path):
    shutil.copytree(home.folder / whole_run.folder / "best", tmp_path / "weights")
    with home.entered():
        found = register(str(tmp_path / "weights"), "given", console=Console(quiet=True))
    version = home.client.get_model_version("given", found.version)
    assert not version.run_id and version.tags["rlq.dataset"] == "synthetic" and "rlq.run" not in version.tags


def test_what_cannot_be_registered_is_told_before_anything_is_exported(home, whole_run, tmp_path, monkeypatch):
    monkeypatch.setattr("rlq.weights.register.save_function", None)
    with home.entered():
        with pytest.raises(TrackingError, match="'a/b'"):
            register(whole_run.run_id, "a/b")
        with pytest.raises(RlqError, match="nobody"):
            register("nobody", "rlq-test")
        with pytest.raises(RlqError, match=r"rlq track sync "):
            register(whole_run.run_id, "rlq-test", uri=f"sqlite:///{tmp_path}/other.db")
