"""The network as one function from pictures to features, for programs that know nothing of rlq."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlq.data.transforms import DEVIATION, MEAN
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.weights import leave_features_only


class PicturesToFeatures(nn.Module):
    """What `rlq embed` does after resizing: normalise, add the feature of the mirrored picture, scale to length 1."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: RlqNetwork) -> None:
        super().__init__()
        own = leave_features_only(copy.deepcopy(network)).cpu().to(memory_format=torch.contiguous_format)
        self.network = own.eval()
        self.register_buffer("mean", 255 * torch.tensor(MEAN)[:, None, None])  # [3, 1, 1]
        self.register_buffer("deviation", 255 * torch.tensor(DEVIATION)[:, None, None])  # [3, 1, 1]

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures uint8 RGB [B, H, W, 3] -> features float32 [B, D] of length 1, to be compared by their product."""
        images = (pictures.permute(0, 3, 1, 2).float() - self.mean) / self.deviation  # [B, 3, H, W]
        return F.normalize(self.network.embed(images) + self.network.embed(images.flip(3)))  # [B, D]
