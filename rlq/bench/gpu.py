"""The whole recipe on a GPU: ResNet-50, 384x192, 40 pictures in 80 rows, bfloat16. Elsewhere it says that it cannot."""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from rlq.bench.findings import Findings, Goal, Table
from rlq.bench.measuring import Options, take_turns
from rlq.bench.pictures import Made
from rlq.bench.training import (
    CAL,
    REAL,
    TINY,
    Scale,
    at,
    build_network,
    experiment,
    learner_of,
    pair_batch,
    stepping,
    target_batch,
    teacher_of,
)
from rlq.data.batches import Batch, collate_pairs, collate_target
from rlq.data.datasets import loader
from rlq.data.degradation import DegradationRanges
from rlq.methods.rlq.cap import CapStep, Learner
from rlq.methods.rlq.tad import TadStep
from rlq.models.compiling import compile_forward, compiled, forget_compiled
from rlq.training.meters import Tally, WaitClock

PICTURES = 40  # of a batch; recoloured copies, or bad twins, make rows of twice as many
STEPS = 20  # of a pass with a loader
WITHOUT = "Not measured: it takes a GPU. Where there is one: rlq bench gpu --device cuda"


def bench(options: Options) -> Findings:
    """Steps alone, steps behind a loader, and what makes the program wait for the GPU."""
    if options.device != "cuda":
        return Findings(notes=[WITHOUT])
    return measure(torch.device("cuda", torch.cuda.current_device()), options)


def measure(device: torch.device, options: Options) -> Findings:
    """The same on a device."""
    scale = replace(TINY if options.quick else REAL, rows=2 * (8 if options.quick else PICTURES))
    torch.backends.cudnn.benchmark = True  # as a run has it
    steps = _steps(scale, device, options)
    rounds = options.rounds if options.quick else max(options.rounds, 10)
    times = take_turns(steps, rounds=rounds, warm_ups=1 if options.quick else 3, settle=torch.cuda.synchronize)
    memory = {name: _peak_gib(step) for name, step in steps.items()}
    rows = [(name, 1000 * one.median, scale.rows / one.median, memory[name]) for name, one in times.items()]
    table = Table(
        f"A step of {scale.rows} rows, of TAD {scale.rows // 2} pairs ({scale}), {torch.cuda.get_device_name(device)}",
        ("step", "ms", "rows/s", "peak GiB"),
        rows,
        "The peak holds everything that the variants share, several networks and optimisers among it.",
    )
    waits = {name: _waits(steps[name]) for name in ("RLQ CAP, bfloat16", "RLQ TAD, bfloat16")}
    goals = [Goal(f"{name}: waits for the GPU in a step", "<=", 0, float(len(found))) for name, found in waits.items()]
    notes = [f"{name} waits: {one}" for name, found in waits.items() for one in found]
    return Findings([table, _with_loader(scale, device, options)], goals, notes)


def _steps(scale: Scale, device: torch.device, options: Options) -> dict[str, Callable[[], object]]:
    settings, cal = experiment(scale), experiment(scale, *CAL)
    batch, pairs = target_batch(scale, device), pair_batch(replace(scale, rows=scale.rows // 2), device)
    teacher = teacher_of(scale, device)
    network = build_network(settings, scale, device)
    own = learner_of(network, settings, scale, device, precision="bfloat16")
    usual = learner_of(network, settings, scale, device, precision="bfloat16", fused=False)
    contiguous = build_network(settings, scale, device, channels_last=False)
    plain = learner_of(contiguous, settings, scale, device, precision="bfloat16", channels_last=False)
    alone = learner_of(build_network(cal, scale, device), cal, scale, device, precision="bfloat16")

    def cap(learner: Learner) -> Callable[[], object]:
        return stepping(CapStep(learner, settings), batch)

    tad = TadStep(own, teacher, settings)
    found = {
        "RLQ CAP, bfloat16": cap(own),
        "RLQ CAP, bfloat16, contiguous": cap(plain),
        "RLQ CAP, bfloat16, usual Adam": cap(usual),
        "RLQ CAP, float32": cap(at(own, "float32")),
        "RLQ TAD, bfloat16": lambda: tad(pairs),
        "CAL, bfloat16": stepping(CapStep(alone, cal), batch),
    }
    if options.compiled:
        forget_compiled()
        fast = build_network(settings, scale, device)
        compile_forward(fast)
        features = compiled(teacher.branch_features)
        quick = learner_of(fast, settings, scale, device, precision="bfloat16")
        quick_tad = TadStep(quick, teacher, settings, lambda batch, hq: features(hq))
        found |= {"RLQ CAP, bfloat16, compiled": cap(quick), "RLQ TAD, bfloat16, compiled": lambda: quick_tad(pairs)}
    return found


def _peak_gib(step: Callable[[], object]) -> float:
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / 2**30


def _waits(step: Callable[[], object]) -> list[str]:
    """What torch says made the program wait for the GPU within one step, each once, sorted."""
    step()
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    found = {f"{Path(one.filename).name}:{one.lineno} {one.message}" for one in told}
    return sorted(words for words in found if "synchroniz" in words)


def _with_loader(scale: Scale, device: torch.device, options: Options) -> Table:
    """CAP and TAD as the loop drives them, with pictures from files, for several numbers of workers."""
    settings, steps = experiment(scale), 3 if options.quick else STEPS
    own = learner_of(build_network(settings, scale, device), settings, scale, device, precision="bfloat16")
    cap, tad = CapStep(own, settings), TadStep(own, teacher_of(scale, device), settings)
    cap.begin(0)
    rows, pictures = [], scale.rows // 2
    with tempfile.TemporaryDirectory(prefix="rlq-bench-") as folder:
        made = Made(Path(folder), (256, 128), 4 * min(scale.people, pictures))
        batches = made.draws(steps * pictures, pictures)
        sets: dict[str, tuple[Any, Any, Callable[[Any], dict[str, torch.Tensor]]]] = {
            "CAP": (made.cap(scale.size), collate_target, cap),
            "TAD": (made.tad(scale.size, DegradationRanges()), collate_pairs, tad),
        }
        for name, (data, collate, step) in sets.items():
            for workers in (1,) if options.quick else (4, 8, 16):
                source = loader(data, batches, collate, workers=workers, pin=True, device=device)
                per_second, waiting = _drive(_fitting(source, scale), step, device, pictures)
                rows.append((name, workers, per_second, waiting, 1 - waiting))
    return Table(
        f"With a loader: JPEGs of 256x128, batches of {pictures} pictures",
        ("pass", "workers asked for", "pictures/s", "share of waiting for data", "share in the step"),
        rows,
        "There are never more workers than cores. The GPU's own clock tells how long it had nothing to do.",
    )


def _fitting(source: Any, scale: Scale) -> Iterator[Any]:
    """Batches with labels that the steps' heads know: the made pictures have no poses, and fewer outfits."""
    for batch in source:
        if not isinstance(batch, Batch):
            yield batch
            continue
        pids = torch.arange(batch.rows) // 8 % scale.people  # four pictures and their copies of each person
        yield batch._replace(pids=pids, clothes=pids * scale.outfits, poses=pids % 16, genders=pids % 2)


def _drive(
    batches: Iterator[Any], step: Callable[[Any], dict[str, torch.Tensor]], device: torch.device, pictures: int
) -> tuple[float, float]:
    """Pictures per second and share of waiting, after the first two batches."""
    for batch in islice(batches, 2):
        step(batch)
    torch.cuda.synchronize(device)
    tally, waits, steps, started = Tally("bench", 0, every=50), WaitClock(device), 0, time.monotonic()
    for batch in batches:
        waits.busy()
        tally.add(step(batch), batch.paths)
        steps += 1
        waits.idle()
    tally.means()
    seconds = time.monotonic() - started
    return steps * pictures / seconds, waits.seconds() / seconds
