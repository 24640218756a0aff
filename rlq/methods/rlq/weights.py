"""Weights beside what is needed to build their network: model.safetensors and config.json in one folder, or all of it
in one exported file."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from rlq.core.config import validate
from rlq.core.errors import DataError, SettingsError
from rlq.core.files import parsed_json
from rlq.methods.rlq.cap import freeze
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.training.checkpoint import load_weights, write_whole

WEIGHTS, CONFIG = "model.safetensors", "config.json"
EXPORTED = "rlq-inference-1"  # what the metadata of an exported file call its format


def write_config(folder: Path, settings: RlqSettings, identities: int) -> None:
    """Write what load_network reads."""
    text = json.dumps({"format": 1, "identities": identities, "settings": settings.model_dump(mode="json")}, indent=1)
    write_whole(folder / CONFIG, lambda temporary: temporary.write_text(text + "\n"))


def load_network(source: Path, device: torch.device) -> tuple[RlqNetwork, RlqSettings]:
    """The network of a weights folder or of an exported .safetensors file, frozen, on a device.

    That of an exported file has no heads: it gives features, `branch_features` and `embed`, and nothing else. Raises
    DataError when there is something else.
    """
    exported = source.is_file()
    config = _read_metadata(source) if exported else _read_config(source / CONFIG)
    file = source if exported else source / WEIGHTS
    try:
        settings = validate(RlqSettings, config["settings"], str(source if exported else source / CONFIG))
    except SettingsError as error:
        raise DataError(f"these weights are of another version of rlq, or broken: {error}") from error
    tensors = load_weights(file)
    told_by = "metadata" if exported else CONFIG
    _check_shapes(settings, config["identities"], tensors, file, told_by, exported)
    network = RlqNetwork(settings, identities=config["identities"], pretrained=False)
    if exported:
        leave_features_only(network)
    _load(network, tensors, file, told_by)
    return freeze(network.to(device).to(memory_format=torch.channels_last)), settings


def leave_features_only(network: RlqNetwork) -> RlqNetwork:
    """Take away in place what serves training alone: all heads and the pose branch."""
    network.id_heads = nn.ModuleDict()
    network.pose_branch = network.pose_head = network.gender_head = None
    return network


def start_from(network: RlqNetwork, source: str) -> list[str]:
    """Take over every weight of the same name and shape from a weights folder, run folder or .safetensors file.

    Returns the names that were not there, which keep their values (heads for other people, say). Raises DataError
    when nothing of the blocks fits.
    """
    path = Path(source)
    candidates = [path, path / WEIGHTS, path / "best" / WEIGHTS]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise DataError(f"init_from = {source}: no weights at {', '.join(map(str, candidates))}")
    given, own = load_weights(file), network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    blocks = [name for name in own if name.startswith(("trunk.", "branches."))]
    absent = [name for name in blocks if name not in fitting]
    if absent:
        raise DataError(f"init_from = {file} lacks {len(absent)} of {len(blocks)} tensors of the blocks: {absent[:3]}")
    network.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def _check_shapes(
    settings: RlqSettings, identities: int, tensors: dict[str, Tensor], file: Path, told_by: str, exported: bool
) -> None:
    """Before memory is taken for it: a network that these weights do not fill may be larger than any memory."""
    with torch.device("meta"):
        plan = RlqNetwork(settings, identities=identities, pretrained=False)
    wanted = (leave_features_only(plan) if exported else plan).state_dict()
    odd = [name for name, value in wanted.items() if name in tensors and tensors[name].shape != value.shape]
    if odd:
        name = odd[0]
        raise DataError(
            f"{file} does not fit its {told_by}: {name} is {list(tensors[name].shape)} there, and should be "
            f"{list(wanted[name].shape)}" + (f"; so are {len(odd) - 1} more" if len(odd) > 1 else "")
        )
    missing = [name for name in wanted if name not in tensors]
    if missing:
        lacks = f"{', '.join(missing[:3])} of {len(wanted)} tensors"
        raise DataError(f"{file} does not fit its {told_by}: it lacks {lacks}")


def _load(network: RlqNetwork, tensors: dict[str, Tensor], file: Path, told_by: str) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(f"{file} does not fit its {told_by}: {str(error).splitlines()[-1].strip()}") from error


def _read_metadata(file: Path) -> dict[str, Any]:
    """What an exported file says about itself, as a config.json would."""
    try:
        with safe_open(file, "pt") as tensors:
            metadata = tensors.metadata() or {}
        if metadata.get("format") == EXPORTED:
            settings = parsed_json(metadata["settings"])
            if isinstance(settings, dict):
                return {"identities": 1, "settings": settings}
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} cannot be read as exported weights: {error}") from error
    raise DataError(
        f"{file} has no settings of rlq in it: name a file of `rlq weights export`, or a folder with {WEIGHTS} and "
        f"{CONFIG}"
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = parsed_json(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path.parent} holds no weights of rlq: {path.name} cannot be read ({error})") from error
    identities = config.get("identities") if isinstance(config, dict) else None
    if not isinstance(identities, int) or not 0 < identities < 10**7 or not isinstance(config.get("settings"), dict):
        raise DataError(f"{path} should hold `identities` (a number) and `settings`")
    return config
