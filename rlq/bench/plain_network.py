"""The straightforward forms that the training step is measured beside, in our own words.

`WholeForwards` is the same network, but that every branch goes all the way from the pixels. `PlainCal` is a step of CAL
(Gu et al. 2022, arXiv 2204.06890) as one writes it first: float32, memory as it comes, torch's usual Adam, a mask of
identities by clothes, every number read when it is there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rlq.data.batches import Batch
from rlq.methods.rlq.network import Outputs, RlqNetwork
from rlq.models.heads import CosineHead

SCALE, SMOOTHING = 16.0, 0.1


class WholeForwards(nn.Module):
    """A network whose branches share weights as RLQ's do, and no work."""

    def __init__(self, network: RlqNetwork) -> None:
        """Raises ValueError for a pose branch that leaves another branch, which is not the usual network."""
        super().__init__()
        if network.pose_branch is not None and network.pose_split > network.split:
            raise ValueError(f"the pose branch leaves after block {network.pose_split}, the trunk has {network.split}")
        self.network = network

    def forward(self, images: Tensor) -> Outputs:
        """images [B, 3, H, W] -> what RlqNetwork gives."""
        network = self.network
        features = {}
        for name, branch in network.branches.items():
            maps = images
            for block in network.trunk:
                maps = block(maps)
            features[name] = branch(maps)[0]
        pose = pose_logits = gender = None
        if network.pose_branch is not None and network.pose_head is not None:
            maps = images
            for block in network.trunk[: network.pose_split]:
                maps = block(maps)
            pose = network.pose_branch(maps)[0]
            pose_logits = network.pose_head(pose)
        logits = {name: network.id_heads[name](feature) for name, feature in features.items()}
        found = Outputs(
            cal=features.get("cal"),
            bot=features.get("bot"),
            pose=pose,
            id_cal=logits.get("cal"),
            id_bot=logits.get("bot"),
            pose_logits=pose_logits,
            gender_logits=None,
        )
        if network.gender_head is not None:
            gender = network.gender_head(torch.cat(found.of(network.gender_on), dim=1))
        return found._replace(gender_logits=gender)


class PlainCal:
    """A step of CAL on a network of one branch and a clothes head."""

    def __init__(self, network: RlqNetwork, clothes_head: CosineHead, owner: Tensor, lr: float, decay: float) -> None:
        """owner [clothes classes] = whose each class is."""
        self.network, self.clothes_head = network, clothes_head
        self.optimiser = torch.optim.Adam(network.parameters(), lr=lr, weight_decay=decay)
        self.clothes_optimiser = torch.optim.Adam(clothes_head.parameters(), lr=lr, weight_decay=decay)
        people = torch.arange(int(owner.max()) + 1, device=owner.device)
        self.belongs = (owner == people[:, None]).float()  # [identities, clothes classes]

    def __call__(self, batch: Batch) -> dict[str, float]:
        outputs = self.network(batch.images.contiguous())
        feature, logits = outputs.cal, outputs.id_cal
        assert feature is not None and logits is not None  # as the network's one branch is CAL
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
        """Every outfit of the row's person against all outfits of other people, by dense masks [B, clothes classes]."""
        mine = self.belongs[batch.pids]
        others = (z.exp() * (1 - mine)).sum(dim=1, keepdim=True)
        log_share = z - (z.exp() + others).log()
        own = F.one_hot(batch.clothes, z.shape[1])
        weight = (1 - SMOOTHING) * own + SMOOTHING / mine.sum(dim=1, keepdim=True) * mine
        return -(weight * log_share).sum() / len(z)
