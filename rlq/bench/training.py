"""Networks, steps and batches of noise to time: of real size, or so small that only their working shows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rlq.core.config import apply_changes, validate
from rlq.core.distributed import compute_type
from rlq.data.batches import Batch, PairBatch
from rlq.methods.rlq.cap import CapStep, Learner, freeze
from rlq.methods.rlq.network import RlqNetwork, clothes_head
from rlq.methods.rlq.settings import RlqSettings
from rlq.training.optim import adam

CAL = ("branches=[cal]", "losses.triplet=0", "cap.pose.enabled=false", "cap.gender.enabled=false")
BASE = ("cap.pose.enabled=false", "cap.gender.enabled=false")
OWN_OUTFITS, PAIRS = 3, 81  # of a person: worn ones, and pairs of colours


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    backbone: str
    size: tuple[int, int]  # height, width
    rows: int  # of a CAP batch, and pairs of a TAD batch
    people: int  # those of LTCC

    @property
    def outfits(self) -> int:
        """Clothes classes of each person."""
        return OWN_OUTFITS + PAIRS

    def __str__(self) -> str:
        return f"{self.backbone.partition('.')[0]}, {self.size[0]}x{self.size[1]}"


REAL = Scale("resnet50.tv_in1k", (384, 192), 8, 77)
TINY = Scale("test_resnet.r160_in1k", (64, 32), 8, 6)


def experiment(scale: Scale, *changes: str) -> RlqSettings:
    """The recipe with clothes from the first epoch on."""
    tree = {
        "data": {"dataset": "ltcc", "size": list(scale.size)},
        "backbone": {"name": scale.backbone, "pretrained": False},
        "schedule": {"clothes_from": 0},
    }
    return validate(RlqSettings, apply_changes(tree, changes), "benchmark")


def build_network(
    settings: RlqSettings, scale: Scale, device: torch.device, *, channels_last: bool = True
) -> RlqNetwork:
    """In training mode, of random weights."""
    torch.manual_seed(0)
    order = torch.channels_last if channels_last else torch.contiguous_format
    return RlqNetwork(settings, identities=scale.people).to(device).to(memory_format=order).train()


def owners(scale: Scale, device: torch.device) -> Tensor:
    """[clothes classes] whose each one is."""
    return torch.arange(scale.people * scale.outfits, device=device) // scale.outfits


def learner_of(
    network: RlqNetwork,
    settings: RlqSettings,
    scale: Scale,
    device: torch.device,
    *,
    precision: str = "auto",
    channels_last: bool = True,
    fused: bool = True,
) -> Learner:
    """What a step needs around a network, as a run has it; without `fused`, torch's usual Adam."""
    optim = settings.optim
    head = clothes_head(network, scale.people * scale.outfits)

    def optimiser(module: nn.Module) -> torch.optim.Optimizer:
        if fused:
            return adam(module.parameters(), lr=optim.lr, weight_decay=optim.weight_decay)
        return torch.optim.Adam(module.parameters(), lr=optim.lr, weight_decay=optim.weight_decay)

    head = head.to(device) if head is not None else None
    return Learner(
        model=network,
        clothes_head=head,
        optimiser=optimiser(network),
        clothes_optimiser=optimiser(head) if head is not None else None,
        owner=owners(scale, device),
        device=device,
        compute_type=compute_type(precision, device),
        channels_last=channels_last,
    )


def at(learner: Learner, precision: str) -> Learner:
    """The same in another precision."""
    return learner._replace(compute_type=compute_type(precision, learner.device))


def teacher_of(scale: Scale, device: torch.device) -> RlqNetwork:
    """A base model, frozen."""
    network = build_network(experiment(scale, *BASE), scale, device)
    freeze(network)
    return network


def target_batch(scale: Scale, device: torch.device) -> Batch:
    """Noise, four rows of each person, all labels there."""
    rows = torch.arange(scale.rows)
    pids = rows // 4 % scale.people
    if device.type == "cuda":  # as a loader hands them over
        rows, pids = rows.pin_memory(), pids.pin_memory()
    return Batch(
        images=_noise(scale, scale.rows, device),
        pids=pids,
        clothes=pids * scale.outfits + rows % scale.outfits,
        poses=rows % 16,
        genders=pids % 2,
        paths=tuple(f"{row}.png" for row in rows.tolist()),
    )


def pair_batch(scale: Scale, device: torch.device) -> PairBatch:
    """Noise beside other noise."""
    hq, lq = _noise(scale, 2 * scale.rows, device).chunk(2)
    return PairBatch(hq, lq, tuple(f"{row}.png" for row in range(scale.rows)), 0)


def stepping(step: CapStep, batch: Batch) -> Callable[[], object]:
    """One step per call."""
    step.begin(0)
    return lambda: step(batch)


def _noise(scale: Scale, rows: int, device: torch.device) -> Tensor:
    pictures = torch.randn(rows, 3, *scale.size, generator=torch.Generator().manual_seed(rows))
    return pictures.to(device).contiguous(memory_format=torch.channels_last)
