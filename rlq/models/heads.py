"""The parts after a branch: pooling with a batch-norm neck, and classifiers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PooledNeck(nn.Module):
    """Global maximum and average, concatenated in this order, then batch norm (BNNeck, Luo et al. 2019).

    [B, C, h, w] -> [B, 2C] in float32, also under autocast. The output is the feature of all losses and of evaluation.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2 * channels)
        nn.init.normal_(self.norm.weight, 1.0, 0.02)
        nn.init.zeros_(self.norm.bias)

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps.float()  # [B, C, h, w]
        pooled = torch.cat([maps.amax(dim=(2, 3)), maps.mean(dim=(2, 3))], dim=1)  # [B, 2C]
        with torch.autocast(pooled.device.type, enabled=False):
            return self.norm(pooled)


class LinearHead(nn.Linear):
    """A linear classifier [B, D] -> [B, classes], weights N(0, 0.001), bias 0; float32 also under autocast."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features, classes)
        nn.init.normal_(self.weight, 0.0, 0.001)
        nn.init.zeros_(self.bias)

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


class CosineHead(nn.Module):
    """Cosines of a feature with one direction per class: [B, D] -> [B, classes] in -1..1, without bias or scale.

    The clothes classifier of CAL (Gu et al. 2022, arXiv 2204.06890).
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, features))
        nn.init.normal_(self.weight, 0.0, 0.001)

    def forward(self, features: Tensor, *, frozen: bool = False) -> Tensor:
        """Return the cosines; with `frozen`, the features get gradients and the head's weights do not."""
        weight = self.weight.detach() if frozen else self.weight
        with torch.autocast(features.device.type, enabled=False):
            return F.linear(F.normalize(features.float()), F.normalize(weight))
