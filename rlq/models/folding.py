"""Batch norms taken into the convolutions before them: the same numbers up to rounding, with less to do."""

import re
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_NORM = re.compile(r"bn(\d*)")


def fold_batch_norms(network: nn.Module) -> int:
    """Fold, in place, every batch norm that follows a convolution; return how many there were.

    They follow each other as bn1 follows conv1 in timm's blocks, or in a Sequential. A norm that does more than
    normalising stays as it is. Raises ValueError for a network in training mode, whose norms have no fixed numbers.
    """
    if network.training:
        raise ValueError("batch norms of a network in training mode change with every batch and cannot be folded")
    found = 0
    for module in list(network.modules()):
        for before, after in _neighbours(module):
            parent, name = _last(module, before)
            first, second = parent._modules.get(name), module._modules.get(after)
            if type(first) is nn.Conv2d and type(second) is nn.BatchNorm2d:
                setattr(parent, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
                found += 1
    return found


def largest_deviation(features: Tensor, exact: Tensor) -> float:
    """Return the longest difference of two rows [B, D], as a share of the exact row's length."""
    return float(((features - exact).norm(dim=1) / exact.norm(dim=1)).max())


def _neighbours(module: nn.Module) -> list[tuple[str, str]]:
    """Names of children of which the second takes what the first gives."""
    names = list(module._modules)
    if isinstance(module, nn.Sequential):
        return list(pairwise(names))
    return [(f"conv{match[1]}", name) for name in names if (match := _NORM.fullmatch(name))]


def _last(parent: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Where the last module of a child is, such as the third convolution of a deep stem: its parent, its name there."""
    child = parent._modules.get(name)
    while isinstance(child, nn.Sequential) and len(child):
        parent, name = child, list(child._modules)[-1]
        child = parent._modules[name]
    return parent, name
