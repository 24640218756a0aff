"""Split a ResNet-like network of timm into four blocks, which branches share or copy."""

import copy
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from rlq.core.errors import SettingsError
from rlq.core.safe_load import first_line

STEM_PARTS = ("conv1", "bn1", "act1", "maxpool")
BLOCK_PARTS = ("layer1", "layer2", "layer3", "layer4")
FAMILIES = (
    "resnet, resnet-d, resnext, wide_resnet, seresnet, ecaresnet, res2net, resnest, resnetaa, resnetblur, resnetrs"
)


def build_blocks(name: str, *, pretrained: bool | str = True, last_stride: int = 1) -> nn.ModuleList:
    """Return four blocks, the first with the stem before it; block i maps [B, C, h, w] to [B, C', h', w'].

    `pretrained` is true (ImageNet weights from timm's hub), a local .pth or .safetensors file, or false.
    `last_stride` 1 keeps the resolution in the fourth block, as is usual in re-identification (Luo et al. 2019).
    Raise SettingsError for an unknown network, one that cannot be split, and weights that cannot be loaded.
    """
    network = _create(name, pretrained, last_stride)
    missing = [part for part in (*STEM_PARTS, *BLOCK_PARTS) if not hasattr(network, part)]
    if missing:
        raise SettingsError(
            f"backbone.name = {name} cannot be split into stem and four blocks (it has no {', '.join(missing)}); "
            f"networks of these families can: {FAMILIES}"
        )
    if last_stride == 1:
        _undo_dilation(network.get_submodule("layer4"))
    parts = [network.get_submodule(part) for part in (*STEM_PARTS, "layer1")]
    blocks = [network.get_submodule(part) for part in ("layer2", "layer3", "layer4")]
    return nn.ModuleList([nn.Sequential(*parts), *blocks])


def copies(blocks: nn.ModuleList, start: int) -> nn.ModuleList:
    """Return copies of the blocks from `start` on (0 = all), which share no weights with the originals."""
    return nn.ModuleList(copy.deepcopy(block) for block in list(blocks)[start:])


def output_channels(blocks: nn.ModuleList) -> int:
    """Return the number of channels of the last block's output."""
    was_training = blocks.training
    blocks.eval()
    with torch.no_grad():
        features: Tensor = torch.zeros(1, 3, 64, 64)
        for block in blocks:
            features = block(features)
    blocks.train(was_training)
    return features.shape[1]


def _create(name: str, pretrained: bool | str, last_stride: int) -> nn.Module:
    if ":" in name or "/" in name:  # timm would download from the address in such a name
        raise SettingsError(f"backbone.name = {name} should be the name of a network of timm, such as resnet50.tv_in1k")
    options: dict = {"num_classes": 0, "global_pool": ""}
    if last_stride == 1:
        options["output_stride"] = 16  # no stride in the fourth block; timm dilates it instead, which the caller undoes
    if isinstance(pretrained, str):
        path = Path(pretrained)
        if not path.is_file():
            raise SettingsError(f"backbone.pretrained = {pretrained}: there is no such file")
        options["pretrained_cfg_overlay"] = {"file": str(path)}
    try:
        return timm.create_model(name, pretrained=bool(pretrained), **options)
    except TypeError as error:
        raise SettingsError(
            f"backbone.name = {name} cannot be split into blocks ({error}); networks of these families can: {FAMILIES}"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"the ImageNet weights of {name} cannot be downloaded ({type(error).__name__}). Without a connection, copy "
            "the file here and use --set backbone.pretrained=FILE (.safetensors or .pth, names as in timm and "
            "torchvision), or train from scratch with --set backbone.pretrained=false"
        ) from error
    except RuntimeError as error:
        if isinstance(pretrained, str):
            raise SettingsError(
                f"backbone.pretrained = {pretrained} does not fit {name}: {first_line(error)}"
            ) from error
        similar = timm.list_models(f"*{name.partition('.')[0]}*")[:5] or ["resnet50", "resnet18", "resnet10t"]
        raise SettingsError(f"backbone.name = {name}: {first_line(error)}; similar: {', '.join(similar)}") from error


def _undo_dilation(block: nn.Module) -> None:
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d) and layer.dilation != (1, 1):
            assert not isinstance(layer.padding, str)  # timm pads by numbers
            layer.padding = tuple(p // d for p, d in zip(layer.padding, layer.dilation, strict=True))
            layer.dilation = (1, 1)
