"""The methods by their names in experiment files. Only here does such a name become code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rlq.core.errors import SettingsError
from rlq.core.settings import ExperimentSettings
from rlq.methods.base import Method, Model
from rlq.methods.rlq.method import Rlq
from rlq.methods.weights_folder import FIRST_METHOD, read_config

METHODS: dict[str, Method] = {"rlq": Rlq()}


def find_method(name: object) -> Method:
    """Return a method by its name. Raises SettingsError that lists the known names."""
    method = METHODS.get(name) if isinstance(name, str) else None
    if method is None:
        raise SettingsError(f"method = {name!r}: there is no such method; known are {', '.join(sorted(METHODS))}")
    return method


def method_of(settings: ExperimentSettings) -> Method:
    """Return the method of an experiment."""
    return find_method(settings.method)


def named_in(tree: Mapping[str, Any]) -> Method:
    """Return the method that an experiment's tree names; without a name, it is the first method."""
    return find_method(tree.get("method", FIRST_METHOD))


def load_model(source: Path, device: torch.device) -> Model:
    """Load a weights folder or an exported file with the method that it names. Raises DataError or SettingsError."""
    return find_method(read_config(source).method).load(source, device)
