"""The data pipeline: files to finished batches, beside the plain one; its stages, workers, the cache of decoded
pictures, and whether it keeps up with a training step.

Each size of files has a process of its own with one thread, in which all variants take turns.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from rlq.bench.findings import Cell, Findings, Goal, Table
from rlq.bench.measuring import Options, Times, in_fresh_process, take_turns
from rlq.bench.pictures import FORMS, Made, made_pictures
from rlq.bench.plain_pipeline import PlainTraining
from rlq.core.seeding import generator, seed_from
from rlq.data.batches import collate_pairs, collate_target
from rlq.data.clothes import mask_path, read_mask, recolour
from rlq.data.datasets import loader
from rlq.data.degradation import MIXES, DegradationRanges, degrade, draw_degradation
from rlq.data.image_cache import keep_decoded
from rlq.data.pictures import decode_picture, look_first_in
from rlq.data.transforms import ENLARGEMENT, normalise, resize

SIZE = (384, 192)  # of the network's input
MIDDLE = (256, 128)  # the files that goals are about
BATCH = 32
PRCC, LTCC = (DegradationRanges(mix=MIXES[name]) for name in ("prcc", "ltcc"))
KINDS = ("plain, one row", "own, one row", "CAP: recoloured, two rows", "TAD, mix of PRCC", "TAD, mix of LTCC")


class Measured(NamedTuple):
    """One size of files; times are of `pictures` pictures."""

    kilobytes: float
    pictures: int
    whole: dict[str, Times]  # by KINDS
    stages: dict[str, float]  # microseconds per row
    share: dict[str, float]  # of artefacts in the TAD pass, by mix
    kept: Times  # "own, one row" from the cache of decoded pictures
    decoded: Times  # and from files, in the same turns
    build: float  # seconds to keep all files


def bench(options: Options) -> Findings:
    """All sizes of files, workers, and the step."""
    files, draws = (8, 16) if options.quick else (64, 192)
    found = {form: in_fresh_process(measure, form, files, draws, options.rounds) for form in FORMS}
    cores = os.cpu_count() or 1
    counts = [n for n in ((0, 1) if options.quick else (0, 1, 2, 4)) if n <= max(cores, 1)]
    epoch = max(draws, 2 * BATCH)  # pictures
    workers = in_fresh_process(measure_workers, files, epoch, counts, options.rounds)
    steps = 1 if options.quick else 3
    step = in_fresh_process(measure_step, (32, 16) if options.quick else SIZE, steps)
    middle = found[MIDDLE]
    waiting = middle.whole[KINDS[2]].median / middle.pictures / 2  # seconds per row of a CAP batch
    return Findings(
        [_whole_table(found), _stages_table(found), _workers_table(workers, counts, epoch), _cache_table(found, files)],
        _goals(middle, workers, step, waiting),
        [_wait_words(1 / waiting, 1 / step)],
    )


def measure(form: tuple[int, int], files: int, draws: int, rounds: int) -> Measured:
    """One size of files, on one thread without loader processes."""
    _one_thread()
    with made_pictures(form, files) as made, TemporaryDirectory(prefix="rlq-bench-") as cache:
        sources = _sources(made, draws, workers=0)
        whole = take_turns({kind: partial(_drain, source) for kind, source in sources.items()}, rounds=rounds)
        started = time.perf_counter()
        kept = keep_decoded(made.paths, Path(cache), "bench")
        build = time.perf_counter() - started

        def from_cache() -> None:
            with _looking_in(kept):
                _drain(sources["own, one row"])

        both = take_turns({"kept": from_cache, "decoded": partial(_drain, sources["own, one row"])}, rounds=rounds)
        stages = {name: _microseconds(one, rounds) for name, one in _stages(made).items()}
        share = {
            kind: stages[f"artefact, {mix}"] * draws / 1e6 / whole[kind].median
            for kind, mix in ((KINDS[3], "mix of PRCC"), (KINDS[4], "mix of LTCC"))
        }
        return Measured(made.kilobytes, draws, whole, stages, share, both["kept"], both["decoded"], build)


def measure_workers(files: int, draws: int, counts: list[int], rounds: int) -> dict[str, dict[int, Times]]:
    """Seconds of an epoch of `draws` pictures by number of loader processes, and of the start of those processes."""
    _one_thread()
    found: dict[str, dict[int, Times]] = {}
    with made_pictures(MIDDLE, files) as made:
        for count in counts:
            sources = _sources(made, draws, workers=count)
            if count:  # processes start with the first epoch
                start = take_turns({"start": partial(_start, sources["own, one row"])}, rounds=1, warm_ups=0)
                found.setdefault("start, s", {})[count] = start["start"]
            times = take_turns({kind: partial(_drain, source) for kind, source in sources.items()}, rounds=rounds)
            for kind, one in times.items():
                found.setdefault(kind, {})[count] = one
    return found


def measure_step(size: tuple[int, int], steps: int) -> float:
    """Seconds per row of a forward and backward pass of one ResNet-50: the least that a training step can take."""
    import timm

    network = timm.create_model("resnet50", num_classes=0).to(memory_format=torch.channels_last)
    images = torch.zeros(8, 3, *size).contiguous(memory_format=torch.channels_last)
    times = take_turns({"step": lambda: network(images).sum().backward()}, rounds=steps)
    return times["step"].fastest / len(images)


def _sources(made: Made, draws: int, workers: int) -> dict[str, Any]:
    """Loaders of every kind."""
    batches = made.draws(draws, min(BATCH, draws))
    plain = PlainTraining(made.paths, SIZE)
    indices = [[draw.index for draw in batch] for batch in batches]
    return {
        KINDS[0]: DataLoader(
            plain,
            batch_sampler=indices,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_begin_plain if workers else None,
        ),
        KINDS[1]: loader(made.one_row(SIZE), batches, collate_target, workers=workers),
        KINDS[2]: loader(made.cap(SIZE), batches, collate_target, workers=workers),
        KINDS[3]: loader(made.tad(SIZE, PRCC), batches, collate_pairs, workers=workers),
        KINDS[4]: loader(made.tad(SIZE, LTCC), batches, collate_pairs, workers=workers),
    }


def _stages(made: Made) -> dict[str, Callable[[int], object]]:
    """What is done for one row, by itself: a function of the row's number."""
    count = len(made.records)
    decoded = [decode_picture(path) for path in made.paths]
    resized = [resize(picture, SIZE) for picture in decoded]
    masks = [mask_path(made.masks, path, made.root) for path in made.paths]
    labels = [read_mask(path) for path in masks]
    enlarged = (round(SIZE[0] * ENLARGEMENT), round(SIZE[1] * ENLARGEMENT))
    batch = torch.from_numpy(np.stack(resized[: min(BATCH, count)]))  # [B, H, W, 3]
    rectangles = [(40, 30, 150, 90), (0, 0, 0, 0)] * (len(batch) // 2)
    transform = made.one_row(SIZE).transform

    def artefact(ranges: DegradationRanges, i: int) -> np.ndarray:
        return degrade(decoded[i % count], draw_degradation(generator(i), ranges))

    return {
        "read and decode": lambda i: decode_picture(made.paths[i % count]),
        "read mask": lambda i: read_mask(masks[i % count]),
        "recolour": lambda i: recolour(decoded[i % count], labels[i % count], generator(i)),
        "artefact, mix of PRCC": partial(artefact, PRCC),
        "artefact, mix of LTCC": partial(artefact, LTCC),
        "seed and generator": lambda i: random.Random(seed_from(1, "cap", "transform", 0, i, i, 0)),
        "resize": lambda i: resize(decoded[i % count], SIZE),
        "enlarge (every other row)": lambda i: resize(resized[i % count], enlarged),
        "flip (every other row)": lambda i: cv2.flip(resized[i % count], 1),
        "all transforms of a row": lambda i: transform.draw(decoded[i % count], i),
        "collate (1 of a batch)": lambda i: np.stack(resized[: len(batch)]) if i % len(batch) == 0 else None,
        "normalise, erase (1 of a batch)": lambda i: normalise(batch, rectangles) if i % len(batch) == 0 else None,
    }


def _microseconds(stage: Callable[[int], object], rounds: int) -> float:
    """Of one row: the median of rounds of 64."""
    found = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        for i in range(64):
            stage(i)
        found.append((time.perf_counter() - started) / 64 * 1e6)
    return median(found[1:])


def _drain(source: Any) -> None:
    for _ in source:
        pass


def _start(source: Any) -> None:
    """From nothing to the first batch."""
    next(iter(source))


def _begin_plain(worker: int) -> None:
    cv2.setNumThreads(0)
    random.seed(worker)


@contextmanager
def _looking_in(kept: Any) -> Iterator[None]:
    look_first_in({"bench": kept})
    try:
        yield
    finally:
        look_first_in({"bench": _Nothing()})


class _Nothing:
    def find(self, path: Path) -> None:
        """No picture."""


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _whole_table(found: dict[tuple[int, int], Measured]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (height, width), m in found.items():
        speeds = [m.pictures / m.whole[kind].median for kind in KINDS]
        ratio = m.whole[KINDS[0]].over(m.whole[KINDS[1]])
        rows.append((f"{height}x{width}", m.kilobytes, *speeds, ratio, *m.share.values()))
    shares = ("artefacts / whole, PRCC", "LTCC")
    return Table(
        f"Files to finished batches of {SIZE[0]}x{SIZE[1]}, one thread, pictures/s (a CAP or TAD picture is two rows)",
        ("files", "KB", *KINDS, "plain / own, time", *shares),
        rows,
        "Smooth colours with grain, JPEG quality 90, in the page cache. Plain: our own restatement with Pillow and "
        "float tensors. All randomness of our rows comes from a generator per sample.",
    )


def _stages_table(found: dict[tuple[int, int], Measured]) -> Table:
    names = list(next(iter(found.values())).stages)
    rows: list[tuple[Cell, ...]] = [(name, *(m.stages[name] for m in found.values())) for name in names]
    return Table(
        "Stages, one thread, microseconds per row",
        ("stage", *(f"{height}x{width}" for height, width in found)),
        rows,
        "Each by itself, so that they do not add up exactly.",
    )


def _workers_table(found: dict[str, dict[int, Times]], counts: list[int], epoch: int) -> Table:
    rows: list[tuple[Any, ...]] = []
    for kind, times in found.items():
        seconds = [times[n].median if n in times else None for n in counts]
        rows.append((kind, *(epoch / s if s is not None and kind in KINDS else s for s in seconds)))
    return Table(
        f"Loader processes, {MIDDLE[0]}x{MIDDLE[1]} files, pictures/s; and seconds until they give a first batch",
        ("", *(f"{n} workers" for n in counts)),
        rows,
        f"On {os.cpu_count()} cores, one thread per process. There are never more workers than cores.",
    )


def _cache_table(found: dict[tuple[int, int], Measured], files: int) -> Table:
    rows = []
    for (height, width), m in found.items():
        decoded, kept = m.decoded.median / m.pictures, m.kept.median / m.pictures
        build = m.build / files
        repaid = build / (decoded - kept) if decoded > kept else None
        mib = 3 * height * width / 2**20
        rows.append(
            (f"{height}x{width}", 1 / decoded, 1 / kept, m.decoded.over(m.kept), 1 / build, repaid, mib * 1000 / 1024)
        )
    return Table(
        "data.cache: pictures/s from files and from kept pictures, one thread, one row",
        ("files", "files", "kept", "kept / files", "building", "epochs until repaid", "GiB per 1000"),
        rows,
        "In the page cache, both. Off by default: the larger pictures gain most and cost most room.",
    )


def _wait_words(loaded: float, taken: float) -> str:
    return (
        "A loader that makes L rows/s for a step that takes S rows/s: without workers the step waits 1 / (1 + L/S) of "
        f"the time, with workers on cores of their own not at all while L > S. Here L = {loaded:,.0f} (CAP, one "
        f"thread, {MIDDLE[0]}x{MIDDLE[1]} files) and S = {taken:.3g} (one ResNet-50 forward and backward in float32 "
        "on all cores, which is less than half of our step; `rlq bench step` has that)."
    )


def _goals(middle: Measured, workers: dict[str, dict[int, Times]], step: float, waiting: float) -> list[Goal]:
    two = None
    if 2 in workers.get(KINDS[0], {}):
        two = workers[KINDS[0]][2].over(workers[KINDS[1]][2])
    return [
        Goal("256x128, one thread: plain / own", ">=", 2.5, middle.whole[KINDS[0]].over(middle.whole[KINDS[1]])),
        Goal("256x128, 2 workers: plain / own", ">=", 1.7, two, "" if two else "fewer than 2 cores, or --quick"),
        Goal("artefacts / whole TAD loader, mix of PRCC", "<=", 0.4, middle.share[KINDS[3]]),
        Goal("artefacts / whole TAD loader, mix of LTCC", "<=", 0.4, middle.share[KINDS[4]]),
        Goal("data wait of a CPU step without workers", "<=", 0.02, waiting / (waiting + step)),
    ]
