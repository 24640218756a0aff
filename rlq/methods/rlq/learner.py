"""What a training step of RLQ updates."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rlq.methods.rlq.network import Outputs
from rlq.models.heads import CosineHead


class Learner(NamedTuple):
    """What a step updates, and how its forward pass is computed."""

    model: Callable[..., Outputs]  # the network, wrapped when several processes share the work
    clothes_head: CosineHead | None
    optimiser: torch.optim.Optimizer  # model, identity, pose and gender heads
    clothes_optimiser: torch.optim.Optimizer | None
    owner: Tensor  # [clothes classes] identity of each class
    device: torch.device
    compute_type: torch.dtype
    channels_last: bool

    def images(self, images: Tensor) -> Tensor:
        """A batch on the device, in the memory format that convolutions like."""
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.to(self.device, non_blocking=True).contiguous(memory_format=order)

    def labels(self, labels: Tensor) -> Tensor:
        return labels.to(self.device, non_blocking=True)

    def autocast(self) -> torch.autocast:
        """bfloat16 for the blocks; necks, heads and losses stay in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.compute_type == torch.bfloat16)
