"""The plain forms that training steps are compared with, in our own words.

`WholeForwards` is a network of branches in which every branch starts at the pixels. `PlainCal` is a step of CAL (Gu et
al. 2022, arXiv 2204.06890) as a first version would have it: float32, contiguous memory, torch's usual Adam, a dense
mask of identities by clothes, every loss read at once.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlq.data.batches import Batch
from rlq.models.heads import CosineHead

SCALE, SMOOTHING = 16.0, 0.1


class BranchedNetwork(Protocol):
    """A network whose branches leave a shared trunk, with a pose branch that may leave it earlier."""

    trunk: nn.ModuleList  # blocks that the branches share
    branches: nn.ModuleDict  # each takes the trunk's maps; its first output is its feature [B, D]
    split: int  # number of blocks of the trunk
    pose_branch: Any  # as the branches, or None
    pose_split: int  # blocks before the pose branch

    def classify(self, features: Mapping[str, Tensor], pose: Tensor | None) -> Any:
        """Return features and logits, as the network's forward pass does."""


class WholeForwards(nn.Module):
    """The same network with the same weights, without shared computation."""

    def __init__(self, network: BranchedNetwork) -> None:
        """Raises ValueError when the pose branch leaves another branch and not the trunk."""
        super().__init__()
        if network.pose_branch is not None and network.pose_split > network.split:
            raise ValueError(f"the pose branch leaves after block {network.pose_split}, the trunk has {network.split}")
        self.network = network

    def forward(self, images: Tensor) -> Any:
        """images [B, 3, H, W] -> what the network gives."""
        network = self.network
        features = {name: branch(self._maps(images, network.split))[0] for name, branch in network.branches.items()}
        pose = None
        if network.pose_branch is not None:
            pose = network.pose_branch(self._maps(images, network.pose_split))[0]
        return network.classify(features, pose)

    def _maps(self, images: Tensor, blocks: int) -> Tensor:
        """Return the output of the first blocks of the trunk."""
        maps = images
        for block in self.network.trunk[:blocks]:
            maps = block(maps)
        return maps


class CalOutputs(Protocol):
    """What a network with a CAL branch gives, as far as the plain step uses it."""

    @property
    def cal(self) -> Tensor:
        """Features [B, D]."""

    @property
    def id_cal(self) -> Tensor:
        """Logits [B, identities]."""


class PlainCal:
    """A step of CAL on a network of one branch and a clothes head."""

    def __init__(self, network: nn.Module, clothes_head: CosineHead, owner: Tensor, lr: float, decay: float) -> None:
        """`owner` [clothes classes] has the identity of each class; `network` gives CalOutputs."""
        self.network, self.clothes_head = network, clothes_head
        self.optimiser = torch.optim.Adam(network.parameters(), lr=lr, weight_decay=decay)
        self.clothes_optimiser = torch.optim.Adam(clothes_head.parameters(), lr=lr, weight_decay=decay)
        people = torch.arange(int(owner.max()) + 1, device=owner.device)
        self.belongs = (owner == people[:, None]).float()  # [identities, clothes classes]

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Take one step and return its losses."""
        outputs: CalOutputs = self.network(batch.images.contiguous())
        feature, logits = outputs.cal, outputs.id_cal
        clothes_loss = F.cross_entropy(SCALE * self.clothes_head(feature.detach()), batch.clothes)
        self.clothes_optimiser.zero_grad()
        clothes_loss.backward()
        self.clothes_optimiser.step()
        id_loss = F.cross_entropy(logits, batch.pids, label_smoothing=SMOOTHING)
        adversarial = self._adversarial(SCALE * self.clothes_head(feature), batch)
        self.optimiser.zero_grad()
        (id_loss + adversarial).backward()
        self.optimiser.step()
        return {
            "id_cal": id_loss.item(),
            "clothes_ce": clothes_loss.item(),
            "clothes_adversarial": adversarial.item(),
        }

    def _adversarial(self, z: Tensor, batch: Batch) -> Tensor:
        """Return CAL's clothes-adversarial loss of logits [B, clothes classes], by dense masks of the same shape."""
        same_person = self.belongs[batch.pids]
        others = (z.exp() * (1 - same_person)).sum(dim=1, keepdim=True)
        log_share = z - (z.exp() + others).log()
        worn = F.one_hot(batch.clothes, z.shape[1])
        weight = (1 - SMOOTHING) * worn + SMOOTHING / same_person.sum(dim=1, keepdim=True) * same_person
        return -(weight * log_share).sum() / len(z)
