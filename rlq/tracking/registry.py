"""Registered models: networks that can be loaded from the store by name, without rlq."""

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rlq.tracking.interface import TrackingError, param_texts, tag_texts
from rlq.tracking.provenance import without_credentials
from rlq.tracking.store import (
    Refused,
    Unreachable,
    absolute_uri,
    experiment_id,
    is_server,
    open_client,
    store_errors,
    ui_address,
    upload_timeout,
)

if TYPE_CHECKING:
    import numpy as np
    from mlflow import MlflowClient

MODEL_NAME = re.compile(r"[\w. -]*\w[\w. -]*")  # MLflow itself refuses / and :

EXAMPLE_FILES = ("artifact_path", "serving_input_path")  # keys of MLmodel that name files of the example


class RegisteredVersion(NamedTuple):
    """A version of a registered model."""

    name: str
    version: str
    store: str  # the store's address, without credentials
    page: str  # the version's address in the UI

    @property
    def uri(self) -> str:
        """The address for MLflow's load_model."""
        return f"models:/{self.name}/{self.version}"


def save_function(function: Any, folder: Path, example: "np.ndarray", width: int, requirements: list[str]) -> None:
    """Write a torch module as an MLflow model in pt2 format: pictures [n, ...] like `example` -> float32 [n, width].

    The example needs two rows or more, because torch would treat a single row as a constant number of rows.
    """
    if len(example) < 2:
        raise ValueError(f"the example has {len(example)} rows; it needs two or more")
    import mlflow.pytorch
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    inputs = Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, width))])  # no names: pyfunc would pass dicts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        mlflow.pytorch.save_model(
            function,
            str(folder),
            signature=ModelSignature(inputs=inputs, outputs=outputs),
            input_example=example,
            pip_requirements=requirements,
            serialization_format="pt2",
        )
    model = Model.load(str(folder))
    for name in filter(None, ((model.saved_input_example_info or {}).get(key) for key in EXAMPLE_FILES)):
        (folder / name).unlink()  # only the export needed the example, and as JSON it may be as large as the weights
    model.saved_input_example_info = None  # type: ignore[assignment]  # the value that MLflow's own models start with
    model.save(str(folder / "MLmodel"))


def load_function(folder: Path) -> Callable[[Any], Any]:
    """Return the module that `save_function` wrote, loaded by MLflow."""
    import mlflow.pytorch

    return mlflow.pytorch.load_model(str(folder))


def check_model_name(name: str) -> str:
    """Return a model's name. Raise TrackingError if MLflow's registry or its addresses do not accept it."""
    if not MODEL_NAME.fullmatch(name):
        raise TrackingError(f"{name!r} cannot name a model; use letters, digits and _ . -, as in rlq-prcc")
    return name


def register_folder(
    uri: str,
    folder: Path,
    name: str,
    *,
    experiment: str,
    run_id: str | None,
    params: Mapping[str, object],
    tags: Mapping[str, str],
) -> RegisteredVersion:
    """Send a folder of `save_function` to the store and make it the next version of the registered model `name`.

    The version appears after all files have been sent. Raise TrackingError if the store is unreachable or refuses.
    """
    uri, texts = absolute_uri(uri), tag_texts(tags)
    try:
        client = open_client(uri)
        if run_id is None:
            home = experiment_id(client, uri, experiment, folder)
        else:
            with store_errors(uri):
                home = client.get_run(run_id).info.experiment_id
        with store_errors(uri), upload_timeout():
            model = client.create_logged_model(home, name, run_id, texts, param_texts(params), model_type="reid")
            client.log_model_artifacts(model.model_id, str(folder))
            client.finalize_logged_model(model.model_id, "READY")
        _make_name(client, uri, name)
        with store_errors(uri):
            # A server needs the id of the logged model. Without a server, MLflow would look the id up in its global
            # store, which may be a different one; therefore the location is given, and no id.
            version = client.create_model_version(
                name, model.artifact_location, run_id, texts, model_id=model.model_id if is_server(uri) else None
            )
    except (Unreachable, Refused) as error:
        raise TrackingError(f"{name} cannot be registered in {without_credentials(uri)}: {error}") from error
    page = f"{ui_address(uri)}/#/models/{name}/versions/{version.version}"
    return RegisteredVersion(name, str(version.version), without_credentials(uri), page)


def _make_name(client: "MlflowClient", uri: str, name: str) -> None:
    """Create the registered model of this name unless it exists."""
    try:
        with store_errors(uri):
            client.create_registered_model(name)
    except Refused:
        with store_errors(uri):
            client.get_registered_model(name)  # raises the reason if the name does not exist
