"""The network of RLQ out of a weights folder or an exported file, and weights to start from."""

from pathlib import Path

import torch
from torch import Tensor, nn

from rlq.core.config import validate
from rlq.core.errors import DataError, SettingsError
from rlq.methods.base import WEIGHTS
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.weights_folder import Config, read_config
from rlq.models.freezing import freeze
from rlq.training.checkpoint import load_weights


def load_network(source: Path, device: torch.device) -> tuple[RlqNetwork, RlqSettings]:
    """Load the network of a weights folder or of an exported .safetensors file, frozen, on a device.

    That of an exported file has no heads: it gives features, `branch_features` and `embed`, and nothing else. The
    run's own random numbers are not drawn from. Raises DataError when there is something else.
    """
    config = read_config(source)
    identities = 1 if config.is_exported else _identities(config)
    try:
        settings = validate(RlqSettings, config.settings, config.origin)
    except SettingsError as error:
        raise DataError(f"these weights are of another version of rlq, or broken: {error}") from error
    tensors = load_weights(config.weights)
    _check_shapes(settings, identities, tensors, config)
    with torch.random.fork_rng(devices=[]):  # building a network draws its initial weights
        network = RlqNetwork(settings, identities=identities, pretrained=False)
    if config.is_exported:
        leave_features_only(network)
    _load(network, tensors, config)
    return freeze(network.to(device).to(memory_format=torch.channels_last)), settings


def _identities(config: Config) -> int:
    identities = config.facts.get("identities")
    if not isinstance(identities, int) or not 0 < identities < 10**7:
        raise DataError(f"{config.origin} should hold `identities` (a number) and `settings`")
    return identities


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


def _check_shapes(settings: RlqSettings, identities: int, tensors: dict[str, Tensor], config: Config) -> None:
    """Check before memory is allocated: a network that these weights do not fill may be larger than any memory."""
    with torch.device("meta"):
        plan = RlqNetwork(settings, identities=identities, pretrained=False)
    wanted = (leave_features_only(plan) if config.is_exported else plan).state_dict()
    odd = [name for name, value in wanted.items() if name in tensors and tensors[name].shape != value.shape]
    if odd:
        name = odd[0]
        raise DataError(
            f"{config.weights} does not fit its {config.place}: {name} is {list(tensors[name].shape)} there, and "
            f"should be {list(wanted[name].shape)}" + (f"; so are {len(odd) - 1} more" if len(odd) > 1 else "")
        )
    missing = [name for name in wanted if name not in tensors]
    if missing:
        lacks = f"{', '.join(missing[:3])} of {len(wanted)} tensors"
        raise DataError(f"{config.weights} does not fit its {config.place}: it lacks {lacks}")


def _load(network: RlqNetwork, tensors: dict[str, Tensor], config: Config) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{config.weights} does not fit its {config.place}: {reason}") from error
