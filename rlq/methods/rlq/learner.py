"""The parameters that a training step of RLQ updates, with their optimisers."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rlq.methods.rlq.network import Outputs
from rlq.models.heads import CosineHead


class Learner(NamedTuple):
    """Network, clothes head and optimisers of a step, and how its forward pass is computed."""

    model: Callable[..., Outputs]  # the network, wrapped when several processes share the work
    clothes_head: CosineHead | None
    optimiser: torch.optim.Optimizer  # model, identity, pose and gender heads
    clothes_optimiser: torch.optim.Optimizer | None
    owner: Tensor  # [clothes classes] identity of each class
    device: torch.device
    compute_type: torch.dtype
    channels_last: bool

    def images(self, images: Tensor) -> Tensor:
        """Return a batch on the device, in the memory format of the network."""
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.to(self.device, non_blocking=True).contiguous(memory_format=order)

    def labels(self, labels: Tensor) -> Tensor:
        """Return labels on the device."""
        return labels.to(self.device, non_blocking=True)

    def autocast(self) -> torch.autocast:
        """Return a context in which blocks compute in `compute_type`; necks, heads and losses stay in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.compute_type == torch.bfloat16)
