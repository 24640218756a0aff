"""The training of RLQ: network, optimisers, loaders, steps and evaluation, put together for the loop."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from rlq.core.cache import FOLDER as CACHE
from rlq.core.console import Console
from rlq.core.distributed import Place, compute_type, type_name, wrap
from rlq.core.errors import SettingsError
from rlq.data.batches import collate_pairs, collate_target
from rlq.data.clothes import head_megabytes
from rlq.data.datasets import Classes, ExternalPairs, TargetPictures, loader
from rlq.data.picture_source import PictureSource
from rlq.data.samplers import IdentityBatches
from rlq.data.transforms import TrainTransform
from rlq.methods.ranking import evaluation_of
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.inputs import Inputs
from rlq.methods.rlq.learner import Learner
from rlq.methods.rlq.network import RlqNetwork, clothes_head
from rlq.methods.rlq.sections import RlqOptimSettings
from rlq.methods.rlq.settings import RlqSettings, reading_of
from rlq.methods.rlq.tad import TadStep, TeacherFeatures
from rlq.methods.rlq.teacher_features import cached_features
from rlq.methods.rlq.weights import start_from
from rlq.methods.weights_folder import write_config
from rlq.models.compiling import compile_forward, compiled, forget_compiled
from rlq.models.heads import CosineHead
from rlq.training.loop import Job, Metrics, Pass
from rlq.training.optim import adam, learning_rate, set_learning_rate

LARGE_HEAD = 2_000  # MB of a clothes head above which a warning is printed


def build(
    settings: RlqSettings,
    inputs: Inputs,
    teacher: RlqNetwork | None,
    *,
    place: Place,
    console: Console,
    folder: Path,
) -> Job:
    """Return what the training loop runs. Initial weights come from torch's global generator, which the caller seeds.

    `teacher` is None if settings.needs_teacher is false; a TAD pass then works without one.
    """
    network = RlqNetwork(settings, identities=len(inputs.labels.pid_names))
    if settings.init_from:
        start_from(network, settings.init_from)
    _check_teacher(network, teacher, settings)
    order = torch.channels_last if settings.compute.channels_last else torch.contiguous_format
    network = network.to(place.device).to(memory_format=order)
    _warn_of_size(inputs, network, console)
    head = clothes_head(network, inputs.clothes.total)
    head = head.to(place.device) if head is not None else None
    if settings.compute.compile:
        forget_compiled()
        compile_forward(network)
    learner = _learner(settings, inputs, network, head, place)
    network.train()
    modules: dict[str, nn.Module] = {"network": network}
    optimisers = {"model": learner.optimiser}
    if head is not None and learner.clothes_optimiser is not None:
        modules["clothes_head"] = head
        optimisers["clothes"] = learner.clothes_optimiser
    identities = len(inputs.labels.pid_names)
    return Job(
        passes=_passes(settings, inputs, teacher, learner, place, console),
        modules=modules,
        optimisers=optimisers,
        set_rates=partial(_set_rates, settings.optim, learner),
        evaluate=evaluation_of(network, inputs, reading_of(settings), place=place, console=console),
        folder=folder,
        describe=lambda weights: write_config(weights, settings, identities=identities),
        check_every=settings.compute.check_every,
    )


def _learner(
    settings: RlqSettings, inputs: Inputs, network: RlqNetwork, head: CosineHead | None, place: Place
) -> Learner:
    optim = settings.optim
    return Learner(
        model=wrap(network, place, partial=_leaves_parts_out(settings)),
        clothes_head=head,
        optimiser=adam(network.parameters(), lr=optim.lr, weight_decay=optim.weight_decay),
        clothes_optimiser=None
        if head is None
        else adam(head.parameters(), lr=optim.clothes_lr, weight_decay=optim.weight_decay),
        owner=torch.from_numpy(inputs.clothes.owner).to(place.device),
        device=place.device,
        compute_type=compute_type(settings.compute.precision, place.device),
        channels_last=settings.compute.channels_last,
    )


def _set_rates(optim: RlqOptimSettings, learner: Learner, epoch: int) -> Metrics:
    """Set the learning rates of an epoch and return them by name."""
    rate = learning_rate(optim, epoch)
    set_learning_rate(learner.optimiser, rate)
    return {"lr/model": rate} | ({"lr/clothes": optim.clothes_lr} if learner.clothes_head is not None else {})


def describe(settings: RlqSettings, inputs: Inputs, place: Place) -> str:
    """Return two lines about what is trained on which data."""
    kinds = settings.kinds_of_rows
    rows = settings.data.batch * len(kinds)
    listed = f" ({', '.join(kinds)})" if settings.cap.low_quality else ""
    number_type = type_name(settings.compute.precision, place.device)
    return (
        f"data     {inputs.data.name}: {len(inputs.data.train)} training pictures of {len(inputs.labels.pid_names)} "
        f"people, {len(inputs.data.query)} queries, {len(inputs.data.gallery)} gallery pictures"
        + (f"; external {settings.tad.external}: {len(inputs.external_train)}" if inputs.external_train else "")
        + f"\nrun      {settings.title}, {settings.backbone.name}, {settings.schedule.epochs} epochs; "
        f"{settings.data.batch} pictures = {rows} rows{listed} per device, {place.world} x {place.device.type} "
        f"({rows * place.world} rows in all), {number_type}"
    )


def _warn_of_size(inputs: Inputs, network: RlqNetwork, console: Console) -> None:
    """Print how much memory a large clothes head takes, before it is built."""
    size = head_megabytes(inputs.clothes, network.feature_width)
    if "cal" not in network.branch_names or size < LARGE_HEAD:
        return
    fewer = replace(inputs.clothes, labels="person")
    hint = f"; clothes.labels=person: {fewer.total:,} classes, {head_megabytes(fewer, network.feature_width):,.0f} MB"
    console.line(
        f"warning  {inputs.clothes.total:,} clothes classes of {network.feature_width} numbers: their head takes "
        f"{size:,.0f} MB with its gradient and Adam's moments{hint if fewer.total < inputs.clothes.total else ''}"
    )


def _leaves_parts_out(settings: RlqSettings) -> bool:
    """Return whether some head gets no gradient in some step."""
    losses = settings.losses
    return settings.tad.enabled or not all((losses.id_cal, losses.id_bot, losses.pose_ce, losses.gender_ce))


def _check_teacher(network: RlqNetwork, teacher: RlqNetwork | None, settings: RlqSettings) -> None:
    if teacher is None:
        return
    missing = [name for name in settings.branches if name not in teacher.branch_names]
    if missing:
        raise SettingsError(
            f"tad.teacher = {settings.tad.teacher} has no {', '.join(missing)} branch; name a base model with "
            f"branches = {list(settings.branches)}"
        )
    if teacher.feature_width != network.feature_width:
        raise SettingsError(
            f"tad.teacher = {settings.tad.teacher} has features of {teacher.feature_width} numbers, the student of "
            f"{network.feature_width}; give both the same backbone.name"
        )


def _passes(
    settings: RlqSettings,
    inputs: Inputs,
    teacher: RlqNetwork | None,
    learner: Learner,
    place: Place,
    console: Console,
) -> list[Pass]:
    makers: dict[str, Callable[[], Pass]] = {"cap": lambda: _cap_pass(settings, inputs, learner, place)}
    if teacher is not None or (settings.tad.enabled and not settings.needs_teacher):
        makers["tad"] = lambda: _tad_pass(settings, inputs, teacher, learner, place, console)
    return [makers[name]() for name in settings.order if name in makers]


def _cap_pass(settings: RlqSettings, inputs: Inputs, learner: Learner, place: Place) -> Pass:
    step = CapStep(learner, settings)
    batches = _batches(settings, inputs.labels.pids, "cap", place)

    def begin(epoch: int) -> None:
        batches.set_epoch(epoch)
        step.begin(epoch)

    pictures = TargetPictures(
        inputs.data.train,
        inputs.labels,
        TrainTransform(settings.data.size),
        settings.seed,
        recolouring=inputs.recolouring,
        ranges=settings.tad.ranges() if settings.cap.low_quality else None,
        classes=_classes(inputs),
        reader=inputs.reader,
    )
    return Pass("cap", step, _loader(settings, pictures, batches, collate_target, place), begin)


def _classes(inputs: Inputs) -> dict[str, Classes]:
    """Return the labels for the attribute heads of CAP."""
    classes = {}
    if inputs.poses is not None:
        classes["pose"] = Classes(inputs.poses.train, inputs.poses.mirrored)
    if inputs.genders is not None:
        classes["gender"] = Classes(inputs.genders.train)
    return classes


def _tad_pass(
    settings: RlqSettings,
    inputs: Inputs,
    teacher: RlqNetwork | None,
    learner: Learner,
    place: Place,
    console: Console,
) -> Pass:
    numbers = {pid: number for number, pid in enumerate(sorted({record.pid for record in inputs.external_train}))}
    batches = _batches(settings, [numbers[record.pid] for record in inputs.external_train], "tad", place)
    transform, ranges = TrainTransform(settings.data.size), settings.tad.ranges()
    pictures = ExternalPairs(inputs.external_train, transform, ranges, settings.seed, reader=inputs.reader)
    batches_of_pairs = _loader(settings, pictures, batches, collate_pairs, place)
    features = _teacher_features(settings, inputs, teacher, place, console) if teacher is not None else None
    return Pass("tad", TadStep(learner, teacher, settings, features), batches_of_pairs, batches.set_epoch)


def _teacher_features(
    settings: RlqSettings, inputs: Inputs, teacher: RlqNetwork, place: Place, console: Console
) -> TeacherFeatures | None:
    """Return the source of the teacher's features; None means that the step calls the teacher."""
    if settings.tad.teacher_features == "once":
        paths = [record.path for record in inputs.external_train]
        cache = Path(settings.tracking.folder) / CACHE
        source = PictureSource.of(settings.data, place, console, inputs.reader)
        cached = cached_features(teacher, paths, cache, source)
        return lambda batch, hq: cached.of(batch.paths, hq.device)
    if settings.compute.compile:
        features = compiled(teacher.branch_features)
        return lambda batch, hq: features(hq)
    return None


def _batches(settings: RlqSettings, pids: Sequence[int] | np.ndarray, stream: str, place: Place) -> IdentityBatches:
    data = settings.data
    return IdentityBatches(
        pids, data.batch, data.instances, settings.seed, stream=stream, rank=place.rank, world=place.world
    )


def _loader(
    settings: RlqSettings, pictures: Dataset, batches: IdentityBatches, collate: Callable, place: Place
) -> DataLoader:
    data, on_gpu = settings.data, place.device.type == "cuda"
    return loader(
        pictures, batches, collate, workers=data.workers, pin=on_gpu, patience=data.patience, device=place.device
    )
