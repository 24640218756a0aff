"""Weights with the description of their network: model.safetensors and config.json in one folder, or one exported file.
All methods use this format."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from rlq.core.errors import DataError
from rlq.core.files import parsed_json, write_file
from rlq.core.settings import ExperimentSettings
from rlq.methods.base import CONFIG, WEIGHTS

EXPORTED = "rlq-inference-1"  # name of the format in the metadata of an exported file
FIRST_METHOD = "rlq"  # the method of weights whose settings name none


class Config(NamedTuple):
    """The description of a network, from a weights folder or from the metadata of an exported file."""

    settings: dict[str, Any]
    facts: dict[str, Any]  # other values that the method needs to build the network, such as the number of identities
    weights: Path  # the safetensors file
    origin: str  # the file it was read from, for messages
    is_exported: bool

    @property
    def method(self) -> str:
        """Return the name of the method that the weights belong to."""
        return str(self.settings.get("method", FIRST_METHOD))

    @property
    def place(self) -> str:
        """Return the word for the place of this description: config.json or metadata."""
        return "metadata" if self.is_exported else CONFIG


def write_config(folder: Path, settings: ExperimentSettings, **facts: Any) -> None:
    """Write the description that read_config reads."""
    tree = {"format": 1, **facts, "settings": settings.model_dump(mode="json")}
    write_file(folder / CONFIG, json.dumps(tree, indent=1) + "\n")


def read_config(source: Path) -> Config:
    """Read the description of a weights folder or of an exported .safetensors file. Raises DataError."""
    if source.is_file():
        return Config(_read_metadata(source), {}, source, str(source), is_exported=True)
    path = source / CONFIG
    try:
        tree = parsed_json(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{source} holds no weights of rlq: {CONFIG} cannot be read ({error})") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("settings"), dict):
        raise DataError(f"{path} should hold `settings` and what its network needs, such as `identities`")
    facts = {name: value for name, value in tree.items() if name not in ("format", "settings")}
    return Config(tree["settings"], facts, source / WEIGHTS, str(path), is_exported=False)


def _read_metadata(file: Path) -> dict[str, Any]:
    """Read the settings in the metadata of an exported file."""
    try:
        with safe_open(file, "np") as tensors:
            metadata = tensors.metadata() or {}
        if metadata.get("format") == EXPORTED:
            settings = parsed_json(metadata["settings"])
            if isinstance(settings, dict):
                return settings
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} cannot be read as exported weights: {error}") from error
    raise DataError(
        f"{file} has no settings of rlq in it: name a file of `rlq weights export`, or a folder with {WEIGHTS} and "
        f"{CONFIG}"
    )
