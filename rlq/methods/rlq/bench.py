"""Training steps of RLQ to time, built as in a run: networks of random weights, batches of noise."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from rlq.core.config import apply_changes, validate
from rlq.core.distributed import compute_type
from rlq.data.batches import Batch, PairBatch
from rlq.methods.benchmark import BenchSetup, BenchStep
from rlq.methods.ranking import PictureModel
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.learner import Learner
from rlq.methods.rlq.network import RlqNetwork, clothes_head
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.tad import TadStep, TeacherFeatures
from rlq.models.compiling import compile_forward, compiled
from rlq.models.freezing import freeze
from rlq.training.optim import adam

BASE = ("cap.pose.enabled=false", "cap.gender.enabled=false")
CAL = ("branches=[cal]", "losses.triplet=0", *BASE)
PER_PERSON = 4  # rows of a batch
POSES = 16


def bench_steps(setup: BenchSetup) -> dict[str, Callable[[], BenchStep]]:
    """Return functions that build the steps, by name. All but the step of CAL share one network and one teacher."""
    cal, whole = _Experiment(setup, *CAL), _Experiment(setup)
    return {
        "CAL": cal.cap,
        "RLQ CAP": whole.cap,
        "RLQ TAD": whole.tad,
        "RLQ TAD, teacher's features kept": whole.tad_without_teacher,
        "TAD of the base model": whole.tad_of_base,
    }


class _Experiment:
    """The parts of one experiment. Each is built when a step first needs it."""

    def __init__(self, setup: BenchSetup, *changes: str) -> None:
        self.setup, self.settings = setup, experiment(setup, *changes)
        self.device = torch.device(setup.device)
        self._learners: dict[bool, Learner] = {}

    @cached_property
    def network(self) -> RlqNetwork:
        """Build the student."""
        network = build_network(self.settings, self.setup)
        if self.setup.compiled:
            compile_forward(network)
        return network

    @cached_property
    def teacher(self) -> RlqNetwork:
        """Build the teacher, a frozen base model."""
        return freeze(build_network(experiment(self.setup, *BASE), self.setup))

    def cap(self) -> BenchStep:
        """Build the CAP step."""

        def build(*arguments: Any, **options: Any) -> CapStep:
            step = CapStep(self._learner(*arguments, **options), self.settings)
            step.begin(0)
            return step

        return BenchStep(self._model(self.network, self.settings), target_batch(self.setup), build)

    def tad(self) -> BenchStep:
        """Build the TAD step; in a compiled setup the teacher is compiled too."""
        if not self.setup.compiled:
            return self._tad(self.network, self.settings, None)
        features = compiled(self.teacher.branch_features)
        return self._tad(self.network, self.settings, lambda batch, hq: features(hq))

    def tad_without_teacher(self) -> BenchStep:
        """Build the TAD step that does not call the teacher, as with tad.teacher_features = once."""
        step = self.tad()
        with torch.no_grad():
            computed = self.teacher.branch_features(step.batch.hq)
        return self._tad(self.network, self.settings, lambda batch, hq: computed)

    def tad_of_base(self) -> BenchStep:
        """Build the TAD step of the base model, which is the network without its pose branch and gender head."""
        settings = experiment(self.setup, *BASE)
        base, network = build_network(settings, self.setup), self.network
        base.trunk, base.branches, base.id_heads = network.trunk, network.branches, network.id_heads
        return self._tad(base, settings, None)

    def _tad(self, network: RlqNetwork, settings: RlqSettings, teacher_features: TeacherFeatures | None) -> BenchStep:
        def build(*arguments: Any, forward: Callable[..., Any] | None = None, **options: Any) -> TadStep:
            learner = self._learner(*arguments, forward=forward or network, **options)
            return TadStep(learner, self.teacher, settings, teacher_features)

        return BenchStep(self._model(network, settings), pair_batch(self.setup), build)

    def _learner(self, precision: str, *, fused: bool = True, forward: Callable[..., Any] | None = None) -> Learner:
        if fused not in self._learners:
            self._learners[fused] = build_learner(self.network, self.settings, self.setup, fused=fused)
        learner = self._learners[fused]
        return learner._replace(model=forward or learner.model, compute_type=compute_type(precision, self.device))

    def _model(self, network: RlqNetwork, settings: RlqSettings) -> PictureModel:
        return PictureModel(settings, network, network.embed, settings.tad.ranges(), {})


def experiment(setup: BenchSetup, *changes: str) -> RlqSettings:
    """Return the default experiment with clothes losses from the first epoch on."""
    tree = {
        "data": {"dataset": "ltcc", "size": list(setup.size)},
        "backbone": {"name": setup.backbone, "pretrained": False},
        "schedule": {"clothes_from": 0},
    }
    return validate(RlqSettings, apply_changes(tree, changes), "benchmark")


def build_network(settings: RlqSettings, setup: BenchSetup) -> RlqNetwork:
    """Return a network of random weights in training mode."""
    torch.manual_seed(0)
    order = torch.channels_last if setup.channels_last else torch.contiguous_format
    return RlqNetwork(settings, identities=setup.people).to(setup.device).to(memory_format=order).train()


def build_learner(network: RlqNetwork, settings: RlqSettings, setup: BenchSetup, *, fused: bool = True) -> Learner:
    """Return a learner around a network, in float32; `fused`: with torch's fused Adam, else its default one."""
    device, optim, classes = torch.device(setup.device), settings.optim, setup.people * setup.outfits
    head = clothes_head(network, classes)

    def optimiser(module: nn.Module) -> torch.optim.Optimizer:
        make = adam if fused else torch.optim.Adam
        return make(module.parameters(), lr=optim.lr, weight_decay=optim.weight_decay)

    head = head.to(device) if head is not None else None
    return Learner(
        model=network,
        clothes_head=head,
        optimiser=optimiser(network),
        clothes_optimiser=optimiser(head) if head is not None else None,
        owner=torch.arange(classes, device=device) // setup.outfits,
        device=device,
        compute_type=torch.float32,
        channels_last=setup.channels_last,
    )


def target_batch(setup: BenchSetup) -> Batch:
    """Return noise with all labels, four rows per person. Labels stay on the CPU, as loaders leave them."""
    rows = torch.arange(setup.rows)
    pids = rows // PER_PERSON % setup.people
    if torch.device(setup.device).type == "cuda":
        rows, pids = rows.pin_memory(), pids.pin_memory()
    return Batch(
        images=_noise(setup, setup.rows),
        pids=pids,
        clothes=pids * setup.outfits + rows % setup.outfits,
        labels={"pose": rows % POSES, "gender": pids % 2},
        paths=tuple(f"{row}.png" for row in rows.tolist()),
    )


def pair_batch(setup: BenchSetup) -> PairBatch:
    """Return pairs of unrelated noise."""
    hq, lq = _noise(setup, 2 * setup.pairs).chunk(2)
    return PairBatch(hq, lq, tuple(f"{pair}.png" for pair in range(setup.pairs)), 0)


def _noise(setup: BenchSetup, rows: int) -> Tensor:
    pictures = torch.randn(rows, 3, *setup.size, generator=torch.Generator().manual_seed(rows))
    return pictures.to(setup.device).contiguous(memory_format=torch.channels_last)
