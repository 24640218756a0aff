"""The whole recipe on a GPU: ResNet-50, 384x192, 40 pictures in 80 rows, bfloat16. Without a GPU a note says so."""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from rlq.bench.measurement import Options, take_turns
from rlq.bench.pictures import PictureFolder
from rlq.bench.results import Goal, Results, Table
from rlq.bench.setups import REAL, TINY, label_of, steps_of, timed
from rlq.data.batches import Batch, collate_pairs, collate_target
from rlq.data.datasets import loader
from rlq.data.degradation import DegradationRanges
from rlq.methods.benchmark import BenchSetup
from rlq.models.compiling import forget_compiled
from rlq.training.meters import LossMeter, WaitClock

PICTURES = 40  # of a batch; recoloured copies, or degraded ones, make twice as many rows
STEPS = 20  # of a pass with a loader
WITHOUT = "Not measured: this needs a GPU. On a machine with one: rlq bench gpu --device cuda"


def bench(options: Options) -> Results:
    """Time steps alone and steps with a loader, and find what makes the program wait for the GPU."""
    if options.device != "cuda":
        return Results(notes=[WITHOUT])
    return measure(torch.device("cuda", torch.cuda.current_device()), options)


def measure(device: torch.device, options: Options) -> Results:
    """Return the results on a device."""
    pictures = 8 if options.quick else PICTURES
    setup = (TINY if options.quick else REAL)._replace(rows=2 * pictures, pairs=pictures, device=device)
    torch.backends.cudnn.benchmark = True  # as a run has it
    steps = _steps(setup, options)
    rounds = options.rounds if options.quick else max(options.rounds, 10)
    times = take_turns(steps, rounds=rounds, warm_ups=1 if options.quick else 3, settle=torch.cuda.synchronize)
    memory = {name: _peak_gib(step) for name, step in steps.items()}
    rows = [(name, 1000 * one.median, setup.rows / one.median, memory[name]) for name, one in times.items()]
    title = f"A step of {setup.rows} rows, of TAD {setup.pairs} pairs ({label_of(setup)})"
    table = Table(
        f"{title}, {torch.cuda.get_device_name(device)}",
        ("step", "ms", "rows/s", "peak GiB"),
        rows,
        "The peak includes everything that the variants share, such as several networks and optimisers.",
    )
    waits = {name: _waits(steps[name]) for name in ("RLQ CAP, bfloat16", "RLQ TAD, bfloat16")}
    goals = [Goal(f"{name}: waits for the GPU in a step", "<=", 0, float(len(each))) for name, each in waits.items()]
    notes = [f"{name} waits: {one}" for name, each in waits.items() for one in each]
    return Results([table, _with_loader(setup, options)], goals, notes)


def _steps(setup: BenchSetup, options: Options) -> dict[str, Callable[[], object]]:
    """Return the steps of the recipe and its variants, by name."""
    steps = steps_of(setup)
    cap, tad, cal = (steps[name]() for name in ("RLQ CAP", "RLQ TAD", "CAL"))
    contiguous = steps_of(setup._replace(channels_last=False))["RLQ CAP"]()
    variants = {
        "RLQ CAP, bfloat16": timed(cap, "bfloat16"),
        "RLQ CAP, bfloat16, contiguous": timed(contiguous, "bfloat16"),
        "RLQ CAP, bfloat16, usual Adam": timed(cap, "bfloat16", fused=False),
        "RLQ CAP, float32": timed(cap, "float32"),
        "RLQ TAD, bfloat16": timed(tad, "bfloat16"),
        "CAL, bfloat16": timed(cal, "bfloat16"),
    }
    if options.compiled:
        forget_compiled()
        compiled = steps_of(setup._replace(compiled=True))
        for name in ("RLQ CAP", "RLQ TAD"):
            variants[f"{name}, bfloat16, compiled"] = timed(compiled[name](), "bfloat16")
    return variants


def _peak_gib(step: Callable[[], object]) -> float:
    """Return the peak of allocated GPU memory in one step."""
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / 2**30


def _waits(step: Callable[[], object]) -> list[str]:
    """Return what made the program wait for the GPU within one step according to torch: each once, sorted."""
    step()
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    lines = {f"{Path(one.filename).name}:{one.lineno} {one.message}" for one in caught}
    return sorted(line for line in lines if "synchroniz" in line)


def _with_loader(setup: BenchSetup, options: Options) -> Table:
    """Time CAP and TAD as the loop drives them, with pictures from files, for several numbers of workers."""
    steps, device = steps_of(setup), setup.device
    cap, tad = steps["RLQ CAP"](), steps["RLQ TAD"]()
    rows, count = [], 3 if options.quick else STEPS
    with tempfile.TemporaryDirectory(prefix="rlq-bench-") as root:
        folder = PictureFolder(Path(root), (256, 128), 4 * min(setup.people, setup.pairs))
        batches = folder.draws(count * setup.pairs, setup.pairs)
        passes: dict[str, tuple[Any, Any, Any]] = {
            "CAP": (folder.cap(setup.size), collate_target, cap),
            "TAD": (folder.tad(setup.size, DegradationRanges()), collate_pairs, tad),
        }
        for name, (pictures, collate, step) in passes.items():
            take = step.build("bfloat16")
            for workers in (1,) if options.quick else (4, 8, 16):
                source = loader(pictures, batches, collate, workers=workers, pin=True, device=device)
                per_second, waiting = _drive(_with_labels(source, step.batch), take, device, setup.pairs)
                rows.append((name, workers, per_second, waiting, 1 - waiting))
    return Table(
        f"With a loader: JPEGs of 256x128, batches of {setup.pairs} pictures",
        ("pass", "workers asked for", "pictures/s", "share of waiting for data", "share in the step"),
        rows,
        "There are never more workers than cores. The time without work is measured by the GPU's own clock.",
    )


def _with_labels(source: Any, labelled: Any) -> Iterator[Any]:
    """Yield target batches with the labels of another batch: the made pictures have no poses and fewer outfits."""
    for batch in source:
        if isinstance(batch, Batch):
            yield batch._replace(pids=labelled.pids, clothes=labelled.clothes, labels=labelled.labels)
        else:
            yield batch


def _drive(
    batches: Iterator[Any], step: Callable[[Any], dict[str, torch.Tensor]], device: torch.device, pictures: int
) -> tuple[float, float]:
    """Return pictures per second and the share of waiting, after the first two batches."""
    for batch in islice(batches, 2):
        step(batch)
    torch.cuda.synchronize(device)
    meter, waits, steps, started = LossMeter("bench", 0, every=50), WaitClock(device), 0, time.monotonic()
    for batch in batches:
        waits.busy()
        meter.add(step(batch), batch.paths)
        steps += 1
        waits.idle()
    meter.means()
    seconds = time.monotonic() - started
    return steps * pictures / seconds, waits.seconds() / seconds
