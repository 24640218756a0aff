"""Two sources: the whole run, and a network that never learnt."""

from collections.abc import Callable

import pytest
import torch
from tiny_runs import Home

from rlq.analysis import Outcome, Source, analyse, source
from rlq.core.console import Console
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.weights_folder import write_config
from rlq.training.checkpoint import save_weights


@pytest.fixture(scope="session")
def trained(home: Home, whole_run) -> Source:
    return source(home.folder / whole_run.folder, home.folder / "runs")


@pytest.fixture(scope="session")
def untrained(home: Home, trained: Source, tmp_path_factory) -> Source:
    """Weights that no run made."""
    folder = tmp_path_factory.mktemp("weights") / "untrained"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = RlqNetwork(trained.settings, identities=2)
    save_weights(folder / "model.safetensors", network)
    write_config(folder, trained.settings, identities=2)
    return source(folder, home.folder / "runs")


@pytest.fixture(scope="session")
def ask(home: Home) -> Callable[..., Outcome]:
    """An analysis by its name, in the folder of the tiny data sets."""

    def ask(name: str, *sources: Source, seed: int = 0, **options) -> Outcome:
        with home.entered():
            return analyse(name, sources, seed=seed, console=Console(quiet=True), options=options)

    return ask
