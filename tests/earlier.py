"""What the fixture of an earlier version's runs was made of: data sets, settings and networks small enough to keep.

Only names that both versions have are used here: `fixtures/make_earlier.py` runs with the earlier version of rlq.
"""

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

ARCHIVE = Path(__file__).parent / "fixtures/earlier/earlier.tar.xz"
PLACE = "/earlier"  # stands for the folder in which the fixture was made
TARGET = {"train_people": 6, "test_people": 4, "train_pictures": 3, "val_pictures": 1, "test_pictures": 2}
EXTERNAL = {"train_people": 6, "test_people": 3, "train_pictures": 4, "query_pictures": 2, "gallery_pictures": 2}
PICTURE = (128, 64)
EXPERIMENT = """\
data: {dataset: synthetic, size: [32, 16], batch: 8, instances: 2, workers: 0, test_batch: 16}
backbone: {name: earlier_resnet, pretrained: false}
cap: {pose: {clusters: 3}}
tad:
  external: synthetic_celeb
  teacher: teacher.yaml
  mix: {pixelation: 0.34, gaussian: 0.33, motion: 0.33}
optim: {lr: 1.0e-3, milestones: [3]}
schedule: {epochs: 4, evaluate_every: 2, clothes_from: 1, baselines: true}
compute: {threads: 1, precision: float32, device: cpu}
tracking: {figures: false}
"""
TEACHER = """\
variant: teacher
seed: 4
data: {dataset: synthetic_celeb, size: [32, 16], batch: 8, instances: 2, workers: 0, test_batch: 16}
backbone: {name: earlier_resnet, pretrained: false}
cap: {pose: {enabled: false}, gender: {enabled: false}}
tad: {enabled: false}
clothes: {augment: false}
optim: {lr: 1.0e-3, milestones: [1]}
schedule: {epochs: 2, evaluate_every: 2, clothes_from: 1, select: General/rank1}
compute: {threads: 1, precision: float32, device: cpu}
tracking: {figures: false}
"""
IMPORTED_PEOPLE = 6  # classes of the published network's ID head
PERIOD = 4099  # numbers that all its convolutions repeat, so that 45 MB of them pack well; a prime, so no filters agree


def register_network() -> None:
    """Make timm know `earlier_resnet`: four blocks as in test_resnet, with 8 to 16 channels."""
    if not timm.is_model("earlier_resnet"):
        timm.models.register_model(earlier_resnet)


def earlier_resnet(pretrained: bool = False, **options: Any) -> ResNet:
    """A ResNet of about 20,000 parameters, without weights to fetch."""
    for name in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
        options.pop(name, None)
    blocks = [BasicBlock, BasicBlock, Bottleneck, BasicBlock]
    shape = {"stem_width": 8, "stem_type": "deep", "avg_down": True, "channels": (8, 8, 8, 16)}
    return ResNet(block=blocks, layers=(1, 1, 1, 1), **shape, **options)


def fill(network: nn.Module) -> None:
    """Give all convolutions the same repeated numbers; batch norms, which follow, take out their scale."""
    numbers = torch.randn(PERIOD, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.copy_(repeated(numbers, module.weight) / 16)


def repeated(numbers: Tensor, like: Tensor) -> Tensor:
    """Return a tensor of this shape that repeats the numbers."""
    return numbers.repeat(like.numel() // len(numbers) + 1)[: like.numel()].view_as(like)


def arithmetic() -> dict[str, str]:
    """Return what results to the last bit depend on: the processor, and the libraries that compute."""
    libraries = ("torch", "timm", "numpy", "scikit-learn", "opencv-python-headless", "albumentations")
    found = {library: metadata.version(library) for library in libraries}
    return found | {"processor": processor(), "instructions": torch.backends.cpu.get_cpu_capability()}


def processor() -> str:
    """Return vendor, family and model of the processor, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    lines = [line.partition(":") for line in text.split("\n\n")[0].splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in lines}
    return " ".join(facts.get(name, "?") for name in ("vendor_id", "cpu family", "model"))
