"""Networks that are not trained."""

from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def freeze(network: Network) -> Network:
    """Put a network into evaluation mode without gradients, as a teacher needs, and return it."""
    return network.eval().requires_grad_(False)
