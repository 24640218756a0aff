"""The authors' names of the parts of their networks, and the network that a list of such names describes.

Their networks are torchvision's ResNets, cut into children that are numbered from 0 in every part: `common` holds the
first of conv1, bn1, relu, maxpool, layer1 .. layer4, a branch the others. Ours number the same children inside their
blocks, so that only the prefixes of names differ.
"""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from rlq.core.errors import DataError
from rlq.core.settings import BackboneSettings
from rlq.core.text import listed

ID_HEAD, ID_HEAD_APART = "identity_classifier.classifier", "classifier_state_dict.classifier"
POSE_HEAD = "identity_classifier2.classifier"

# Layers of basic blocks (two convolutions) or bottlenecks (three) -> the network of timm with torchvision's names.
BACKBONES: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "resnet18.tv_in1k",
    ("basic", (3, 4, 6, 3)): "resnet34.tv_in1k",
    ("bottleneck", (3, 4, 6, 3)): "resnet50.tv_in1k",
    ("bottleneck", (3, 4, 23, 3)): "resnet101.tv_in1k",
}
FIRST_LAYER = 4  # children 0 to 3 are the stem
CONVOLUTION = re.compile(r"(?P<child>\d+)\.(?P<block>\d+)\.conv(?P<number>\d)\.weight")


class Layout(NamedTuple):
    """A network of the authors, in the terms of our settings."""

    backbone: str
    branches: tuple[str, ...]  # cal and bot, or cal alone for plain CAL
    split: int  # blocks that the branches share
    pose_split: int | None  # block after which the pose branch leaves; None without one

    def describe(self) -> str:
        """Return one line that describes the network."""
        if len(self.branches) == 1:
            return f"plain CAL, {self.backbone}, one branch"
        shared = f"sharing blocks 1 to {self.split}" if self.split else "disjoint"
        pose = "no pose branch" if self.pose_split is None else f"pose branch from block {self.pose_split} on"
        return f"{self.backbone}, branches cal and bot {shared}, {pose}"


class _Layer(NamedTuple):
    blocks: int
    kind: str


def find_layout(names: Collection[str]) -> Layout:
    """Return the network that has these names. Raises DataError if the authors publish no such network.

    Only the layers of each part are compared; the caller compares names and shapes of all tensors.
    """
    parts = {part: _layers(names, part) for part in ("base", "common", "branch2", "branch3")}
    plain = bool(parts["base"])
    layers = parts["base"] if plain else [*parts["common"], *parts["branch2"]]
    if not layers:
        parts_wanted = "common, branch1, branch2 or base"
        raise DataError(f"has no part of the authors' networks ({parts_wanted}), but {first_names(names)}")
    kinds = {layer.kind for layer in layers}
    backbone = BACKBONES.get((kinds.pop(), tuple(layer.blocks for layer in layers))) if len(kinds) == 1 else None
    if backbone is None:
        blocks = ", ".join(f"{layer.blocks} {layer.kind}" for layer in layers)
        raise DataError(
            f"has layers of {blocks} blocks in {'base' if plain else 'common and branch2'}; "
            f"wanted are the four layers of {', '.join(sorted(set(BACKBONES.values())))}"
        )
    if plain:  # the split of a single branch changes nothing, so it is the default one
        return Layout(backbone, ("cal",), BackboneSettings().split, None)
    with_pose = any(name.startswith(("branch3.", "bn3.", "identity_classifier2.")) for name in names)
    return Layout(backbone, ("cal", "bot"), len(parts["common"]), 4 - len(parts["branch3"]) if with_pose else None)


def published_name(name: str, layout: Layout) -> str:
    """Return the authors' name of a parameter or buffer of our network."""
    plain = len(layout.branches) == 1
    match name.split("."):
        case ["trunk", number, *rest]:
            return _child("base" if plain else "common", 0, int(number), rest)
        case ["branches", branch, "blocks", number, *rest]:
            if plain:
                return _child("base", 0, layout.split + int(number), rest)
            return _child({"cal": "branch1", "bot": "branch2"}[branch], layout.split, int(number), rest)
        case ["branches", branch, "neck", "norm", rest]:
            return f"{'bn' if plain else {'cal': 'bn1', 'bot': 'bn2'}[branch]}.{rest}"
        case ["pose_branch", "blocks", number, *rest]:
            return _child("branch3", layout.pose_split or 0, int(number), rest)
        case ["pose_branch", "neck", "norm", rest]:
            return f"bn3.{rest}"
        case ["pose_head", rest]:
            return f"{POSE_HEAD}.{rest}"
        case ["id_heads", branch, rest]:
            return f"{ID_HEAD if branch == 'bot' else ID_HEAD_APART}.{rest}"
    raise ValueError(f"{name} is not a part of the authors' networks")


def first_names(names: Iterable[str]) -> str:
    """Return up to three names in order, and the number of the others."""
    return listed(sorted(map(str, names)), 3)


def _child(part: str, first: int, number: int, rest: list[str]) -> str:
    """Return the authors' name in block `number` of a part that begins with the network's block `first`, both from 0.

    Our block 0 joins the stem and layer1; the numbers of its children are those of the authors.
    """
    if first + number == 0:
        return ".".join([part, *rest])
    return ".".join([part, str(number if first else number + FIRST_LAYER), *rest])


def _layers(names: Collection[str], part: str) -> list[_Layer]:
    """Return the layers of a part in their order. The stem's children hold no blocks, so they are not layers."""
    blocks: dict[int, set[int]] = {}
    convolutions: dict[int, int] = {}
    for name in names:
        match = CONVOLUTION.fullmatch(name.removeprefix(f"{part}.")) if name.startswith(f"{part}.") else None
        if match:
            child = int(match["child"])
            blocks.setdefault(child, set()).add(int(match["block"]))
            convolutions[child] = max(convolutions.get(child, 0), int(match["number"]))
    return [_Layer(len(blocks[c]), "bottleneck" if convolutions[c] == 3 else "basic") for c in sorted(blocks)]
