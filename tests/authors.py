"""The authors' networks, built from torchvision's ResNets with the names of the published files, and such files."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50

SMALL, REAL = resnet18, resnet50
STEM = 4  # children of a ResNet before layer1
CLOTHES = 9


class Head(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(width, classes)


class PlainCal(nn.Module):
    """base.0 .. base.7 and bn; its ID head lies in a dictionary of its own."""

    def __init__(self, build=SMALL) -> None:
        super().__init__()
        self.base, self.width = nn.Sequential(*children(build)), 2 * build().fc.in_features
        self.bn = nn.BatchNorm1d(self.width)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"cal": self.bn(pooled(self.base(images)))}


class Branches(nn.Module):
    """Two branches, or three, with the shared split `split` and the pose split `pose`, each 0..4."""

    def __init__(self, build=SMALL, *, split: int = 2, pose: int | None = None, identities: int = 7, clusters: int = 5):
        super().__init__()
        self.split, self.pose, self.width = split, pose, 2 * build().fc.in_features
        cut = STEM + split if split else 0
        if split:
            self.common = nn.Sequential(*children(build)[:cut])
        self.branch1, self.branch2 = (nn.Sequential(*children(build)[cut:]) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm1d(self.width), nn.BatchNorm1d(self.width)
        self.identity_classifier = Head(self.width, identities)
        if pose is not None:
            self.branch3 = nn.Sequential(*children(build)[STEM + pose if pose else 0 :])
            self.bn3 = nn.BatchNorm1d(self.width)
            self.identity_classifier2 = Head(self.width, clusters + 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Features of CAL and BOT, and what the pose head says."""
        shared = list(self.common) if self.split else []
        passed = [images]  # before each child of trunk and BOT branch, and after the last
        for child in [*shared, *self.branch2]:
            passed.append(child(passed[-1]))
        cal = self.branch1(passed[len(shared)])
        found = {"cal": self.bn1(pooled(cal)), "bot": self.bn2(pooled(passed[-1]))}
        if self.pose is not None:
            maps = passed[STEM + self.pose] if self.pose else images
            pose = self.bn3(pooled(self.branch3(maps)))
            found["pose_logits"] = self.identity_classifier2.classifier(pose)
        return found | {"id_bot": self.identity_classifier.classifier(found["bot"])}


def children(build) -> list[nn.Module]:
    """conv1, bn1, relu, maxpool, layer1 .. layer4 of a new network, whose last stride is 1."""
    network = build()
    for name, layer in network.layer4[0].named_modules():
        if isinstance(layer, nn.Conv2d) and name in ("conv1", "conv2", "downsample.0"):
            layer.stride = (1, 1)
    return list(network.children())[:8]


def pooled(maps: Tensor) -> Tensor:
    return torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], dim=1)


def noise(rows: int, seed: int = 0, size: tuple[int, int] = (64, 32)) -> Tensor:
    return torch.randn(rows, 3, *size, generator=torch.Generator().manual_seed(seed))


def trained(network: nn.Module) -> nn.Module:
    """In evaluation mode, with weights and batch norms of their own in every part."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 0.7
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.2)
        for seed in (1, 2):
            network(noise(4, seed))
    return network.eval()


def state_of(network: nn.Module, identities: int = 7) -> dict:
    """What the authors save of a network, with a clothes head of a few classes."""
    return {
        "model_state_dict": network.state_dict(),
        "classifier_state_dict": Head(network.width, identities).state_dict(),
        "clothes_classifier_state_dict": {"weight": torch.ones(CLOTHES, network.width)},
        "rank1": np.float64(0.625),
        "epoch": 39,
    }


def save(network: nn.Module, path: Path, identities: int = 7) -> dict:
    """Write a published file, and return what is in it."""
    state = state_of(network, identities)
    torch.save(state, path)
    return state


def without(state: dict, *keys: str) -> dict:
    return {key: value for key, value in state.items() if key not in keys}


def rewrite(source: Path, target: Path, change, packing: int = zipfile.ZIP_STORED) -> None:
    """Copy a torch file with `change(name, content)` in place of each part's content."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", packing) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
