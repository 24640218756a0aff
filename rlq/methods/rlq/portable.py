"""The network as one function from pictures to features, for programs without rlq."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlq.data.transforms import DEVIATION, MEAN
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.weights import remove_training_parts


class PicturesToFeatures(nn.Module):
    """Computes features as `rlq embed` does after resizing: normalise, add the mirrored picture's feature, scale."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: RlqNetwork) -> None:
        super().__init__()
        features_only = remove_training_parts(copy.deepcopy(network))
        self.network = features_only.cpu().to(memory_format=torch.contiguous_format).eval()
        self.register_buffer("mean", 255 * torch.tensor(MEAN)[:, None, None])  # [3, 1, 1]
        self.register_buffer("deviation", 255 * torch.tensor(DEVIATION)[:, None, None])  # [3, 1, 1]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return float32 features [B, D] of length 1, to compare by their product; pictures uint8 RGB [B, H, W, 3]."""
        images = (pictures.permute(0, 3, 1, 2).float() - self.mean) / self.deviation  # [B, 3, H, W]
        return F.normalize(self.network.embed(images) + self.network.embed(images.flip(3)))  # [B, D]
