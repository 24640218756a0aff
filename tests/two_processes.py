"""What test_distributed.py lets one process and two compute: every function here gives plain data and tensors."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from tiny import (
    gradients_of,
    noise,
    noise_data,
    noise_inputs,
    pair_batch,
    target_batch,
    tiny_learner,
    tiny_network,
    tiny_settings,
    tiny_teacher,
    values_of,
)
from torch import nn

from rlq.core import distributed
from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.settings import ScheduleSettings
from rlq.data.batches import Batch, PairBatch
from rlq.data.picture_source import PictureSource
from rlq.evaluation.embed import embed_samples
from rlq.evaluation.evaluator import Evaluator, flat_metrics
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.job import build
from rlq.methods.rlq.tad import TadStep
from rlq.tracking import MemoryTracker
from rlq.training.loop import fit

QUIET = Console(quiet=True)
CAP_LOSSES = ("id_cal", "id_bot", "id_kl", "pose_ce", "gender_ce", "pose_cosine", "clothes_adversarial", "triplet")
TAD_LOSSES = ("distill", "kl_id", "kl_clothes")
ROWS = 16  # of a batch over all processes


def whole_work(folder: Path, place: Place) -> dict:
    """All that two processes are compared in."""
    results = everything(folder, place) | trained(place)
    return results | {"fit": whole_run(folder / "run", place), "resumed": broken_run(folder / "broken", place)}


def everything(folder: Path, place: Place) -> dict:
    """What should be the same however many processes share the work. Batch norms are in evaluation mode."""
    results = {name: cap_step(place, name) for name in CAP_LOSSES}
    return results | {name: tad_step(place, name) for name in TAD_LOSSES} | {"evaluation": evaluation(folder, place)}


def settled(network: nn.Module) -> nn.Module:
    """The network with batch norms that have seen something, in evaluation mode."""
    with torch.no_grad():
        network(noise(8, 5))
    return network.eval()


def only(name: str, losses: tuple[str, ...]) -> tuple[str, ...]:
    """Changes that leave this loss alone; the clothes head hardly moves, lest Adam blow roundings up."""
    return *(f"losses.{other}=0" for other in losses if other != name), "optim.clothes_lr=1e-9"


def cap_step(place: Place, name: str) -> dict:
    """Terms and gradients of a step with one loss on this process's rows."""
    settings = tiny_settings(*only(name, CAP_LOSSES))
    network = settled(tiny_network(settings))
    learner = tiny_learner(settings, network, place)
    step = CapStep(learner, settings)
    step.begin(1)
    terms = step(rows_of(target_batch(ROWS), place))
    head = {"head": learner.clothes_head.weight.grad} if "clothes_ce" in terms else {}
    return {"terms": terms, "gradients": gradients_of(network), **head}


def tad_step(place: Place, name: str) -> dict:
    """Terms and gradients of a step with one weight on this process's pairs."""
    settings = tiny_settings(*only(name, TAD_LOSSES), "tad.clothes_kl=live")
    network = settled(tiny_network(settings))
    step = TadStep(tiny_learner(settings, network, place), tiny_teacher(settings), settings)
    return {"terms": step(pairs_of(pair_batch(ROWS, unchanged=2), place)), "gradients": gradients_of(network)}


def rows_of(batch: Batch, place: Place) -> Batch:
    """This process's part of a batch."""
    part = slice(place.rank * ROWS // place.world, (place.rank + 1) * ROWS // place.world)
    labels = {name: label[part] for name, label in batch.labels.items()}
    return Batch(batch.images[part], batch.pids[part], batch.clothes[part], labels, batch.paths[part])


def pairs_of(batch: PairBatch, place: Place) -> PairBatch:
    """This process's part of the pairs."""
    part = slice(place.rank * ROWS // place.world, (place.rank + 1) * ROWS // place.world)
    return PairBatch(batch.hq[part], batch.lq[part], batch.paths[part], batch.unchanged // place.world)


def evaluation(folder: Path, place: Place) -> dict:
    """Metrics of seven pictures, spoilt ones too, and the features of a single picture."""
    settings = tiny_settings()
    network, data = settled(tiny_network(settings)), noise_data(folder)
    results = {}
    features_of = partial(embed_samples, network.embed, source=PictureSource.of(settings.data, place, QUIET))
    for name, ranges in (("clean", None), ("degraded", settings.tad.ranges())):
        evaluator = Evaluator(data, features_of, place=place, ranges=ranges)
        results[name] = flat_metrics(evaluator.rank())
        results[f"{name} features"] = [torch.from_numpy(part) for part in evaluator.features()]
    of_one = features_of([[data.query[0].path]])
    return results | {"one picture": torch.from_numpy(of_one)}


def trained(place: Place) -> dict:
    """The networks of the first steps in training mode, on other rows in each process. Initial weights differ."""
    settings = tiny_settings()
    network = tiny_network(settings, seed=place.rank)
    learner = tiny_learner(settings, network, place)
    cap, tad = CapStep(learner, settings), TadStep(learner, tiny_teacher(settings), settings)
    cap.begin(1)
    modules = nn.ModuleDict({"network": network, "clothes": learner.clothes_head})
    parameters = [_parameters_of(modules)]
    for seed in range(3):
        cap(target_batch(8, seed=2 * seed + place.rank))
        parameters.append(_parameters_of(modules))
        tad(pair_batch(4, seed=2 * seed + place.rank))
        parameters.append(_parameters_of(modules))
    before = dict(network.named_buffers())["trunk.0.1.running_mean"].clone()
    distributed.share_buffers(network)
    return {"parameters": parameters, "own buffer": before, "shared state": values_of(network)}


def whole_run(folder: Path, place: Place) -> dict:
    """Three epochs of the whole recipe."""
    return _fit(folder, place, lambda taken: None)


def broken_run(folder: Path, place: Place) -> dict:
    """The same, broken in the second epoch and resumed."""

    class Interruption(Exception):
        pass

    def interrupt(taken: int) -> None:
        if taken == 3:
            raise Interruption

    try:
        _fit(folder, place, interrupt)
    except Interruption:
        return _fit(folder, place, lambda taken: None, resume=True)
    raise AssertionError("nothing interrupted the run")


def _fit(folder: Path, place: Place, interrupt: Callable[[int], None], *, resume: bool = False) -> dict:
    settings = tiny_settings()
    inputs = noise_inputs(folder.parent)
    torch.manual_seed(4)
    job = build(settings, inputs, tiny_teacher(settings), place=place, console=QUIET, folder=folder)
    taken = 0

    def counting(step: Callable) -> Callable:
        def one(batch: Batch | PairBatch) -> dict:
            nonlocal taken
            interrupt(taken)
            taken += 1
            return step(batch)

        return one

    job.passes = [part._replace(step=counting(part.step)) for part in job.passes]
    tracker = MemoryTracker()
    schedule = ScheduleSettings(epochs=3, evaluate_every=1)
    history = fit(job, schedule, tracker=tracker, place=place, console=QUIET, resume=resume)
    return {
        "evaluations": history.evaluations,
        "parameters": {name: _parameters_of(module) for name, module in job.modules.items()},
        "metrics": tracker.metrics,
        "evaluated again": job.evaluate(),
        "state": values_of(job.modules["network"]),  # as the evaluation saw it
        "steps": taken,
    }


def _parameters_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
