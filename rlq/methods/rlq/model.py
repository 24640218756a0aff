"""A trained network of RLQ as a Model, which the rest of the toolkit uses."""

from pathlib import Path

import torch

from rlq.methods.ranking import PictureModel
from rlq.methods.rlq.weights import load_network

TITLES = {"bot": "f_BOT", "cal": "f_CAL"}  # in their order within the feature


def load_model(source: Path, device: torch.device) -> PictureModel:
    """Load the weights of a folder or of an exported file. Raises DataError, as load_network does."""
    network, settings = load_network(source, device)
    names = [name for name in TITLES if name in network.branch_names]
    width = network.feature_width
    branches = {TITLES[name]: slice(number * width, (number + 1) * width) for number, name in enumerate(names)}
    return PictureModel(settings, network, network.embed, settings.tad.ranges(), branches)
