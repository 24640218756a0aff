"""Fold batch norms into the convolutions before them: the same results up to rounding, with less computation."""

import re
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_NORM = re.compile(r"bn(\d*)")


def fold_batch_norms(network: nn.Module) -> int:
    """Fold every batch norm that follows a convolution, in place, and return the number of folded norms.

    They follow each other as bn1 follows conv1 in timm's blocks, or in a Sequential. A norm that does more than
    normalising is not folded. Raise ValueError for a network in training mode, whose statistics are not fixed.
    """
    if network.training:
        raise ValueError("batch norms of a network in training mode change with every batch and cannot be folded")
    folded = 0
    for module in list(network.modules()):
        for before, after in _consecutive_children(module):
            parent, name = _last(module, before)
            first, second = parent._modules.get(name), module._modules.get(after)
            if type(first) is nn.Conv2d and type(second) is nn.BatchNorm2d:
                setattr(parent, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
                folded += 1
    return folded


def largest_deviation(features: Tensor, exact: Tensor) -> float:
    """Return the longest difference of two rows [B, D], as a share of the exact row's length."""
    return float(((features - exact).norm(dim=1) / exact.norm(dim=1)).max())


def _consecutive_children(module: nn.Module) -> list[tuple[str, str]]:
    """Return pairs of names of children; the output of the first is the input of the second."""
    names = list(module._modules)
    if isinstance(module, nn.Sequential):
        return list(pairwise(names))
    return [(f"conv{match[1]}", name) for name in names if (match := _NORM.fullmatch(name))]


def _last(parent: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return parent and name of the last module inside a child, such as the third convolution of a deep stem."""
    child = parent._modules.get(name)
    while isinstance(child, nn.Sequential) and len(child):
        parent, name = child, list(child._modules)[-1]
        child = parent._modules[name]
    return parent, name
