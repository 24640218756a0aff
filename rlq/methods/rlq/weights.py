"""Networks of RLQ from weights folders and exported files, and initial weights from earlier runs."""

from pathlib import Path

import torch
from torch import Tensor, nn

from rlq.core.config import validate
from rlq.core.errors import DataError, SettingsError
from rlq.core.text import listed
from rlq.methods.base import WEIGHTS
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.weights_folder import Config, read_config
from rlq.models.freezing import freeze
from rlq.training.checkpoint import load_weights


def load_network(source: Path, device: torch.device) -> tuple[RlqNetwork, RlqSettings]:
    """Load the network of a weights folder or of an exported .safetensors file, frozen, on a device.

    A network from an exported file has no heads: it computes `branch_features` and `embed` only. Global random
    generators keep their state. Raises DataError if the weights are broken or not those of RLQ.
    """
    config = read_config(source)
    identities = 1 if config.is_exported else _identities(config)
    try:
        settings = validate(RlqSettings, config.settings, config.origin)
    except SettingsError as error:
        raise DataError(f"these weights are broken, or of another version of rlq: {error}") from error
    tensors = load_weights(config.weights)
    _check_shapes(settings, identities, tensors, config)
    with torch.random.fork_rng(devices=[]):  # building a network draws its initial weights
        network = RlqNetwork(settings, identities=identities, pretrained=False)
    if config.is_exported:
        remove_training_parts(network)
    _load(network, tensors, config)
    return freeze(network.to(device).to(memory_format=torch.channels_last)), settings


def _identities(config: Config) -> int:
    identities = config.facts.get("identities")
    if not isinstance(identities, int) or not 0 < identities < 10**7:
        raise DataError(f"{config.origin} has identities = {identities!r}; wanted is a number from 1 to {10**7 - 1:,}")
    return identities


def remove_training_parts(network: RlqNetwork) -> RlqNetwork:
    """Remove in place the parts that only training needs: all heads and the pose branch. Return the network."""
    network.id_heads = nn.ModuleDict()
    network.pose_branch = network.pose_head = network.gender_head = None
    return network


def start_from(network: RlqNetwork, source: str) -> list[str]:
    """Copy every weight of the same name and shape from a weights folder, run folder or .safetensors file.

    Return the names of the other weights, which keep their values, such as heads for other people. Raises DataError
    unless all weights of the blocks can be copied.
    """
    path = Path(source)
    candidates = [path, path / WEIGHTS, path / "best" / WEIGHTS]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise DataError(f"init_from = {source}: there are no weights at {', '.join(map(str, candidates))}")
    given, state = load_weights(file), network.state_dict()
    fitting = {name: value for name, value in given.items() if name in state and state[name].shape == value.shape}
    blocks = [name for name in state if name.startswith(("trunk.", "branches."))]
    absent = [name for name in blocks if name not in fitting]
    if absent:
        raise DataError(
            f"init_from = {file} lacks {len(absent)} of {len(blocks)} tensors of the blocks: {listed(absent, 3)}; name "
            "weights of the same backbone and branches"
        )
    network.load_state_dict(fitting, strict=False)
    return [name for name in state if name not in fitting]


def _check_shapes(settings: RlqSettings, identities: int, tensors: dict[str, Tensor], config: Config) -> None:
    """Check shapes before memory is allocated: a network of other shapes may be larger than any memory."""
    with torch.device("meta"):
        plan = RlqNetwork(settings, identities=identities, pretrained=False)
    expected = (remove_training_parts(plan) if config.is_exported else plan).state_dict()
    misfits = [
        f"{name} is {list(tensors[name].shape)}, should be {list(value.shape)}"
        for name, value in expected.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if misfits:
        raise DataError(f"{config.weights} does not fit its {config.place}: {listed(misfits, 1)}")
    missing = [name for name in expected if name not in tensors]
    if missing:
        raise DataError(
            f"{config.weights} does not fit its {config.place}: it lacks {len(missing)} of {len(expected)} tensors: "
            f"{listed(missing, 3)}"
        )


def _load(network: RlqNetwork, tensors: dict[str, Tensor], config: Config) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{config.weights} does not fit its {config.place}: {reason}") from error
