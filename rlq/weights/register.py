"""Register the network of a run in MLflow's model registry, as a function from pictures to features."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.seeding import generator
from rlq.core.settings import TrackingSettings
from rlq.data.transforms import TestTransform
from rlq.methods.catalogue import load_model, method_of
from rlq.runs.folder import SETTINGS, find_weights, read_about
from rlq.runs.load import fingerprint, load
from rlq.tracking import (
    RegisteredVersion,
    check_model_name,
    load_function,
    register_folder,
    resolve_uri,
    save_function,
    store_of,
)

CHECKED_BATCHES = (1, 2, 5)
TOLERANCE = 1e-3  # allowed length of the difference between features of length 1


def register(
    word: str, name: str, *, which: str = "best", uri: str | None = None, console: Console | None = None
) -> RegisteredVersion:
    """Register the `which` weights of a run, or a weights folder, as the next version of the model `name`.

    The run's own tracking store is used, unless `uri` names another one that has the run. The exported function is
    first compared with the network. Raises RlqError if their features differ.
    """
    console = console or Console()
    check_model_name(name)
    runs = Path(TrackingSettings().folder)
    source, run = find_weights(word, which, runs)
    store, run_id, tags = uri or resolve_uri(runs), None, {}
    if run is not None:
        store, run_id = store_of(run, uri)
        if not run_id:
            raise RlqError(f"{run} is not in its store yet; send it first: rlq track sync {run}")
        tags = {"rlq.run": run_id, "rlq.run_name": read_about(run).name, "rlq.weights": which}
        tags["rlq.settings_fingerprint"] = fingerprint(load(run / SETTINGS))
    model = load_model(source, torch.device("cpu"))
    settings = model.settings
    tags |= {"rlq.dataset": settings.data.dataset, "rlq.variant": settings.title}
    function = method_of(settings).portable(model)
    with torch.inference_mode():
        width = function(torch.zeros(1, *settings.data.size, 3, dtype=torch.uint8)).shape[1]
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        save_function(function, folder, np.zeros((2, *settings.data.size, 3), np.uint8), width, _requirements())
        off = _largest_deviation(load_function(folder), model)
        if not off <= TOLERANCE:
            raise RlqError(
                f"{name} is not registered: the exported function's features are off by {off:.1e} of their length, "
                f"more than {TOLERANCE:.0e}"
            )
        console.line(f"checked  features of the exported function are off by {off:.1e} of their length")
        registered = register_folder(
            store,
            folder,
            name,
            experiment=settings.tracking.experiment,
            run_id=run_id,
            params={"data.dataset": settings.data.dataset, "variant": settings.title},
            tags=tags,
        )
    height, wide = settings.data.size
    console.line(
        f"input    uint8 RGB [n, {height}, {wide}, 3], any n; resize with antialiasing (Pillow's BILINEAR does)"
    )
    console.line(f"output   float32 [n, {width}] of length 1, as rlq embed gives: compare by their product")
    console.line(f"model    {name}, version {registered.version}, in {registered.store}, from {source}")
    console.line(f'load     mlflow.pytorch.load_model("{registered.uri}"), or mlflow.pyfunc')
    console.line(f"page     {registered.page}")
    return registered


def _largest_deviation(function: Callable[[Tensor], Tensor], model: Any) -> float:
    """Return the largest difference from the features of `rlq embed`, which have length 1."""
    size, embed = model.settings.data.size, model.image_features
    transform, off = TestTransform(size), []
    for batch in CHECKED_BATCHES:
        pictures = generator("register", batch).integers(0, 256, (batch, *size, 3), np.uint8)
        images = torch.from_numpy(np.stack([transform(picture) for picture in pictures]))  # [B, 3, H, W]
        with torch.inference_mode():
            exact = F.normalize(embed(images) + embed(images.flip(3)))
            off += (function(torch.from_numpy(pictures)) - exact).norm(dim=1).tolist()
    return float(np.max(off))  # NaN if any is NaN


def _requirements() -> list[str]:
    """Return the libraries needed to load the function, for MLflow's records; rlq is not among them."""
    return [f"{library}=={importlib.metadata.version(library).partition('+')[0]}" for library in ("mlflow", "torch")]
