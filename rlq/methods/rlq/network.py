"""The network of RLQ (arXiv 2505.12580, section 3): shared blocks, then a CAL, a BOT and a pose branch."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlq.methods.rlq.settings import RlqSettings
from rlq.models.backbone import build_blocks, copies, output_channels
from rlq.models.heads import CosineHead, LinearHead, PooledNeck


class Outputs(NamedTuple):
    """The results of one forward pass; None for parts that the experiment does not have. D = 2 x channels."""

    cal: Tensor | None  # [B, D] feature of the clothes-adversarial branch
    bot: Tensor | None  # [B, D] feature of the bag-of-tricks branch
    pose: Tensor | None  # [B, D] feature of the pose branch
    id_cal: Tensor | None  # [B, identities] logits
    id_bot: Tensor | None  # [B, identities] logits
    pose_logits: Tensor | None  # [B, clusters + 1]
    gender_logits: Tensor | None  # [B, 2]

    def of(self, position: str) -> list[Tensor]:
        """Return the features at a position: cal, bot or both (CAL first)."""
        chosen = {"cal": [self.cal], "bot": [self.bot], "both": [self.cal, self.bot]}[position]
        return [feature for feature in chosen if feature is not None]


class Branch(nn.Module):
    """The blocks of one branch, and its neck."""

    def __init__(self, blocks: nn.ModuleList, channels: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.neck = PooledNeck(channels)

    def forward(self, maps: Tensor, tap: int | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the feature [B, D] of maps [B, C, h, w], and the maps after block `tap` of the branch (from 1)."""
        tapped = None
        for number, block in enumerate(self.blocks, start=1):
            maps = block(maps)
            if number == tap:
                tapped = maps
        return self.neck(maps), tapped


class RlqNetwork(nn.Module):
    """Shared trunk, one branch per entry of `branches`, and the pose branch, which only training uses.

    With shared split s and pose split p, both 0..4: the trunk is blocks 1..s (block 1 holds the stem), a branch the
    rest. The input of the pose branch is the output of block p, of the trunk if p <= s, else of the BOT branch; it has
    blocks p+1..4. With p = 0 it is a separate network, with p = 4 only a neck. All start from equal weights.
    """

    def __init__(self, settings: RlqSettings, *, identities: int, pretrained: bool | str | None = None) -> None:
        """Build the network. `pretrained` overrides `backbone.pretrained`: false if other weights are loaded next."""
        super().__init__()
        backbone, cap = settings.backbone, settings.cap
        weights = backbone.pretrained if pretrained is None else pretrained
        blocks = build_blocks(backbone.name, pretrained=weights, last_stride=backbone.last_stride)
        channels = output_channels(blocks)
        width = 2 * channels
        self.split, self.pose_split = backbone.split, cap.pose.split
        self.anchor = settings.anchor
        self.branch_names = settings.branches
        self.feature_width = width
        self.trunk = copies(blocks[: self.split], 0)
        names = settings.branches
        self.branches = nn.ModuleDict({name: Branch(copies(blocks, self.split), channels) for name in names})
        self.id_heads = nn.ModuleDict({name: LinearHead(width, identities) for name in names})
        self.pose_branch = self.pose_head = self.gender_head = None
        if cap.pose.enabled:
            self.pose_branch = Branch(copies(blocks, self.pose_split), channels)
            self.pose_head = LinearHead(width, cap.pose.clusters + 1)
        if cap.gender.enabled:
            self.gender_on = cap.gender.on
            self.gender_head = LinearHead(width * (2 if cap.gender.on == "both" else 1), 2)

    def forward(self, images: Tensor, *, attributes: bool = True) -> Outputs:
        """Return all features and logits of images [B, 3, H, W].

        Without `attributes` there are no pose and gender outputs. The pose branch runs all the same, without gradient,
        so that its batch norms see every training picture.
        """
        features, pose_input = self._features(images, with_pose=self.pose_branch is not None)
        pose = None
        if self.pose_branch is not None:
            with torch.set_grad_enabled(attributes and torch.is_grad_enabled()):
                pose = self.pose_branch(pose_input)[0]
            pose = pose if attributes else None
        return self.classify(features, pose, attributes=attributes)

    def classify(self, features: Mapping[str, Tensor], pose: Tensor | None, *, attributes: bool = True) -> Outputs:
        """Return these features, each [B, D], with the logits of the heads."""
        logits = {name: self.id_heads[name](feature) for name, feature in features.items()}
        outputs = Outputs(
            cal=features.get("cal"),
            bot=features.get("bot"),
            pose=pose,
            id_cal=logits.get("cal"),
            id_bot=logits.get("bot"),
            pose_logits=self.pose_head(pose) if pose is not None and self.pose_head is not None else None,
            gender_logits=None,
        )
        if self.gender_head is None or not attributes:
            return outputs
        return outputs._replace(gender_logits=self.gender_head(torch.cat(outputs.of(self.gender_on), dim=1)))

    def branch_features(self, images: Tensor) -> dict[str, Tensor]:
        """Return the identity features by branch, each [B, D]. A teacher computes only these."""
        return self._features(images, with_pose=False)[0]

    def embed(self, images: Tensor) -> Tensor:
        """Return f_ReID [B, D x branches] of images [B, 3, H, W]: BOT, then CAL. Heads and pose branch do not run."""
        features = self.branch_features(images)
        return torch.cat([features[name] for name in ("bot", "cal") if name in features], dim=1)

    def _features(self, images: Tensor, *, with_pose: bool) -> tuple[dict[str, Tensor], Tensor | None]:
        pose_input = images if with_pose and self.pose_split == 0 else None
        maps = images
        for number, block in enumerate(self.trunk, start=1):
            maps = block(maps)
            if with_pose and number == self.pose_split:
                pose_input = maps
        features = {}
        for name, branch in self.branches.items():
            taps = with_pose and name == self.anchor and self.pose_split > self.split
            features[name], tapped = branch(maps, self.pose_split - self.split if taps else None)
            pose_input = tapped if taps else pose_input
        return features, pose_input


class ParameterCounts(NamedTuple):
    """Numbers of parameters, all without the clothes head, which only training uses."""

    whole: int  # the network with all heads
    paper: int  # as in the paper: without ID_CAL and gender head
    inference: int  # parts that compute features


def count_parameters(network: RlqNetwork) -> ParameterCounts:
    """Count the parameters of a network."""

    def size(module: nn.Module | None) -> int:
        return sum(p.numel() for p in module.parameters()) if module is not None else 0

    inference = size(network.trunk) + size(network.branches)
    pose = size(network.pose_branch) + size(network.pose_head)
    return ParameterCounts(
        whole=size(network),
        paper=inference + size(network.id_heads[network.anchor]) + pose,
        inference=inference,
    )


def clothes_head(network: RlqNetwork, classes: int) -> CosineHead | None:
    """Return a new cosine classifier of clothes on f_CAL; None for a network without a CAL branch."""
    return CosineHead(network.feature_width, classes) if "cal" in network.branch_names else None
