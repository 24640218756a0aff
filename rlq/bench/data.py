"""The data pipeline from files to finished batches beside the plain one: stages, workers, and cached pictures.

It is also compared with the time of a training step. Each size of files is measured in its own process with one
thread, where all variants take turns.
"""

import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from rlq.bench.measurement import Options, Times, in_fresh_process, take_turns
from rlq.bench.pictures import FILE_SIZES, PictureFolder, temporary_pictures
from rlq.bench.plain_pipeline import PlainTraining
from rlq.bench.results import Cell, Goal, Results, Table
from rlq.core.seeding import generator, seed_from
from rlq.data.batches import collate_pairs, collate_target
from rlq.data.clothes import mask_path, read_mask, recolour
from rlq.data.datasets import loader
from rlq.data.degradation import MIXES, DegradationRanges, degrade, draw_degradation
from rlq.data.image_cache import keep_decoded
from rlq.data.pictures import CachedReader, PictureReader, read_picture
from rlq.data.transforms import ENLARGEMENT, normalise, resize

SIZE = (384, 192)  # of the network's input
MIDDLE = (256, 128)  # the size of files that goals are about
BATCH = 32
PRCC, LTCC = (DegradationRanges(mix=MIXES[name]) for name in ("prcc", "ltcc"))
KINDS = ("plain, one row", "own, one row", "CAP: recoloured, two rows", "TAD, mix of PRCC", "TAD, mix of LTCC")


class Measured(NamedTuple):
    """Times for one size of files, each for `pictures` pictures."""

    kilobytes: float
    pictures: int
    whole: dict[str, Times]  # by KINDS
    stages: dict[str, float]  # microseconds per row
    share: dict[str, float]  # of degradation in the TAD pass, by mix
    cached: Times  # "own, one row" from the cache of decoded pictures
    decoded: Times  # the same from files, in the same rounds
    build: float  # seconds to fill the cache


def bench(options: Options) -> Results:
    """Time all sizes of files, numbers of workers, and the step."""
    files, draws = (8, 16) if options.quick else (64, 192)
    measured = {size: in_fresh_process(measure, size, files, draws, options.rounds) for size in FILE_SIZES}
    cores = os.cpu_count() or 1
    counts = [n for n in ((0, 1) if options.quick else (0, 1, 2, 4)) if n <= max(cores, 1)]
    epoch = max(draws, 2 * BATCH)  # pictures
    workers = in_fresh_process(measure_workers, files, epoch, counts, options.rounds)
    steps = 1 if options.quick else 3
    step = in_fresh_process(measure_step, (32, 16) if options.quick else SIZE, steps)
    middle = measured[MIDDLE]
    waiting = middle.whole[KINDS[2]].median / middle.pictures / 2  # seconds per row of a CAP batch
    return Results(
        [
            _whole_table(measured),
            _stages_table(measured),
            _workers_table(workers, counts, epoch),
            _cache_table(measured, files),
        ],
        _goals(middle, workers, step, waiting),
        [_wait_note(1 / waiting, 1 / step)],
    )


def measure(size: tuple[int, int], files: int, draws: int, rounds: int) -> Measured:
    """Time one size of files on one thread without loader processes."""
    _one_thread()
    with temporary_pictures(size, files) as pictures, TemporaryDirectory(prefix="rlq-bench-") as cache:
        sources = _sources(pictures, draws, workers=0)
        whole = take_turns({kind: partial(_drain, source) for kind, source in sources.items()}, rounds=rounds)
        started = time.perf_counter()
        decoded = keep_decoded(pictures.paths, Path(cache), "bench")
        build = time.perf_counter() - started
        cached = _sources(pictures, draws, workers=0, reader=CachedReader([decoded]))
        both = take_turns(
            {name: partial(_drain, one["own, one row"]) for name, one in (("cached", cached), ("decoded", sources))},
            rounds=rounds,
        )
        stages = {name: _microseconds(one, rounds) for name, one in _stages(pictures).items()}
        share = {
            kind: stages[f"artefact, {mix}"] * draws / 1e6 / whole[kind].median
            for kind, mix in ((KINDS[3], "mix of PRCC"), (KINDS[4], "mix of LTCC"))
        }
        return Measured(pictures.kilobytes, draws, whole, stages, share, both["cached"], both["decoded"], build)


def measure_workers(files: int, draws: int, counts: list[int], rounds: int) -> dict[str, dict[int, Times]]:
    """Return the seconds of an epoch of `draws` pictures and of the start, by kind and number of loader processes."""
    _one_thread()
    by_kind: dict[str, dict[int, Times]] = {}
    with temporary_pictures(MIDDLE, files) as pictures:
        for count in counts:
            sources = _sources(pictures, draws, workers=count)
            if count:  # the processes start with the first epoch
                start = take_turns({"start": partial(_start, sources["own, one row"])}, rounds=1, warm_ups=0)
                by_kind.setdefault("start, s", {})[count] = start["start"]
            times = take_turns({kind: partial(_drain, source) for kind, source in sources.items()}, rounds=rounds)
            for kind, one in times.items():
                by_kind.setdefault(kind, {})[count] = one
    return by_kind


def measure_step(size: tuple[int, int], steps: int) -> float:
    """Return the seconds per row of one ResNet-50, forward and backward: a lower bound for a training step."""
    import timm

    network = timm.create_model("resnet50", num_classes=0).to(memory_format=torch.channels_last)
    images = torch.zeros(8, 3, *size).contiguous(memory_format=torch.channels_last)
    times = take_turns({"step": lambda: network(images).sum().backward()}, rounds=steps)
    return times["step"].fastest / len(images)


def _sources(pictures: PictureFolder, draws: int, workers: int, reader: PictureReader = read_picture) -> dict[str, Any]:
    """Return a loader of every kind."""
    batches = pictures.draws(draws, min(BATCH, draws))
    plain = PlainTraining(pictures.paths, SIZE)
    indices = [[draw.index for draw in batch] for batch in batches]
    return {
        KINDS[0]: DataLoader(
            plain,
            batch_sampler=indices,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_start_plain_worker if workers else None,
        ),
        KINDS[1]: loader(pictures.one_row(SIZE, reader), batches, collate_target, workers=workers),
        KINDS[2]: loader(pictures.cap(SIZE), batches, collate_target, workers=workers),
        KINDS[3]: loader(pictures.tad(SIZE, PRCC), batches, collate_pairs, workers=workers),
        KINDS[4]: loader(pictures.tad(SIZE, LTCC), batches, collate_pairs, workers=workers),
    }


def _stages(pictures: PictureFolder) -> dict[str, Callable[[int], object]]:
    """Return each stage of a row by itself, as a function of the row's number."""
    count = len(pictures.records)
    decoded = [read_picture(path) for path in pictures.paths]
    resized = [resize(picture, SIZE) for picture in decoded]
    masks = [mask_path(pictures.masks, path, pictures.root) for path in pictures.paths]
    labels = [read_mask(path) for path in masks]
    enlarged = (round(SIZE[0] * ENLARGEMENT), round(SIZE[1] * ENLARGEMENT))
    batch = torch.from_numpy(np.stack(resized[: min(BATCH, count)]))  # [B, H, W, 3]
    rectangles = [(40, 30, 150, 90), (0, 0, 0, 0)] * (len(batch) // 2)
    transform = pictures.one_row(SIZE).transform

    def degraded(ranges: DegradationRanges, i: int) -> np.ndarray:
        return degrade(decoded[i % count], draw_degradation(generator(i), ranges))

    return {
        "read and decode": lambda i: read_picture(pictures.paths[i % count]),
        "read mask": lambda i: read_mask(masks[i % count]),
        "recolour": lambda i: recolour(decoded[i % count], labels[i % count], generator(i)),
        "artefact, mix of PRCC": partial(degraded, PRCC),
        "artefact, mix of LTCC": partial(degraded, LTCC),
        "seed and generator": lambda i: random.Random(seed_from(1, "cap", "transform", 0, i, i, 0)),
        "resize": lambda i: resize(decoded[i % count], SIZE),
        "enlarge (every other row)": lambda i: resize(resized[i % count], enlarged),
        "flip (every other row)": lambda i: cv2.flip(resized[i % count], 1),
        "all transforms of a row": lambda i: transform.draw(decoded[i % count], i),
        "collate (1 of a batch)": lambda i: np.stack(resized[: len(batch)]) if i % len(batch) == 0 else None,
        "normalise, erase (1 of a batch)": lambda i: normalise(batch, rectangles) if i % len(batch) == 0 else None,
    }


def _microseconds(stage: Callable[[int], object], rounds: int) -> float:
    """Return the time of one row: the median over rounds of 64 rows."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        for i in range(64):
            stage(i)
        times.append((time.perf_counter() - started) / 64 * 1e6)
    return median(times[1:])


def _drain(source: Any) -> None:
    for _ in source:
        pass


def _start(source: Any) -> None:
    """Start a loader and take its first batch."""
    next(iter(source))


def _start_plain_worker(worker: int) -> None:
    cv2.setNumThreads(0)
    random.seed(worker)


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _whole_table(measured: dict[tuple[int, int], Measured]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (height, width), m in measured.items():
        speeds = [m.pictures / m.whole[kind].median for kind in KINDS]
        ratio = m.whole[KINDS[0]].ratio_to(m.whole[KINDS[1]])
        rows.append((f"{height}x{width}", m.kilobytes, *speeds, ratio, *m.share.values()))
    shares = ("artefacts / whole, PRCC", "LTCC")
    return Table(
        f"Files to finished batches of {SIZE[0]}x{SIZE[1]}, one thread, pictures/s (a CAP or TAD picture is two rows)",
        ("files", "KB", *KINDS, "plain / own, time", *shares),
        rows,
        "Smooth colours with grain, JPEG quality 90, in the page cache. Plain: our restatement with Pillow and float "
        "tensors. In rlq all randomness of a row comes from a generator per sample.",
    )


def _stages_table(measured: dict[tuple[int, int], Measured]) -> Table:
    names = list(next(iter(measured.values())).stages)
    rows: list[tuple[Cell, ...]] = [(name, *(m.stages[name] for m in measured.values())) for name in names]
    return Table(
        "Stages, one thread, microseconds per row",
        ("stage", *(f"{height}x{width}" for height, width in measured)),
        rows,
        "Each stage is timed by itself, so the times do not add up exactly.",
    )


def _workers_table(by_kind: dict[str, dict[int, Times]], counts: list[int], epoch: int) -> Table:
    rows: list[tuple[Any, ...]] = []
    for kind, times in by_kind.items():
        seconds = [times[n].median if n in times else None for n in counts]
        rows.append((kind, *(epoch / s if s is not None and kind in KINDS else s for s in seconds)))
    return Table(
        f"Loader processes, {MIDDLE[0]}x{MIDDLE[1]} files, pictures/s; and seconds until they give a first batch",
        ("", *(f"{n} workers" for n in counts)),
        rows,
        f"On {os.cpu_count()} cores, one thread per process. There are never more workers than cores.",
    )


def _cache_table(measured: dict[tuple[int, int], Measured], files: int) -> Table:
    rows = []
    for (height, width), m in measured.items():
        decoded, cached = m.decoded.median / m.pictures, m.cached.median / m.pictures
        build = m.build / files
        repaid = build / (decoded - cached) if decoded > cached else None
        mib = 3 * height * width / 2**20
        rows.append(
            (
                f"{height}x{width}",
                1 / decoded,
                1 / cached,
                m.decoded.ratio_to(m.cached),
                1 / build,
                repaid,
                mib * 1000 / 1024,
            )
        )
    return Table(
        "data.cache: pictures/s from files and from kept pictures, one thread, one row",
        ("files", "files", "kept", "kept / files", "building", "epochs until repaid", "GiB per 1000"),
        rows,
        "Both are in the page cache. Off by default: large pictures gain the most speed and need the most space.",
    )


def _wait_note(loaded: float, taken: float) -> str:
    return (
        "Let a loader make L rows/s and a step take S rows/s. Without workers the step waits 1 / (1 + L/S) of the "
        "time; with workers on separate cores it does not wait while L > S. Here "
        f"L = {loaded:,.0f} (CAP, one thread, {MIDDLE[0]}x{MIDDLE[1]} files) and S = {taken:.3g} (one ResNet-50, "
        "forward and backward, in float32 on all cores: less than half of a whole step; see `rlq bench step`)."
    )


def _goals(middle: Measured, workers: dict[str, dict[int, Times]], step: float, waiting: float) -> list[Goal]:
    two = None
    if 2 in workers.get(KINDS[0], {}):
        two = workers[KINDS[0]][2].ratio_to(workers[KINDS[1]][2])
    return [
        Goal("256x128, one thread: plain / own", ">=", 2.5, middle.whole[KINDS[0]].ratio_to(middle.whole[KINDS[1]])),
        Goal("256x128, 2 workers: plain / own", ">=", 1.7, two, "" if two else "fewer than 2 cores, or --quick"),
        Goal("artefacts / whole TAD loader, mix of PRCC", "<=", 0.4, middle.share[KINDS[3]]),
        Goal("artefacts / whole TAD loader, mix of LTCC", "<=", 0.4, middle.share[KINDS[4]]),
        Goal("data wait of a CPU step without workers", "<=", 0.02, waiting / (waiting + step)),
    ]
