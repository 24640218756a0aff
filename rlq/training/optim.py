"""Adam, and the learning rate as a function of the epoch."""

from collections.abc import Iterable

import torch
from torch import nn

from rlq.core.settings import OptimSettings


def adam(parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float) -> torch.optim.Adam:
    """Return Adam with its default betas and L2 decay of all parameters, as in CAL."""
    return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay, fused=True)


def learning_rate(settings: OptimSettings, epoch: int) -> float:
    """Return lr in an epoch (from 0): times gamma per passed milestone, with linear warm-up (Luo et al. 2019)."""
    passed = sum(epoch >= milestone for milestone in settings.milestones)
    warmup = 1.0
    if epoch < settings.warmup:
        warmup = settings.warmup_factor + (1 - settings.warmup_factor) * epoch / settings.warmup
    return settings.lr * settings.gamma**passed * warmup


def set_learning_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all parameter groups."""
    for group in optimiser.param_groups:
        group["lr"] = lr
