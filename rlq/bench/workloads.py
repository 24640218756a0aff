"""Work of a given size, each measured in its own process: see growth.py."""

import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from rlq.bench.measurement import peak_memory
from rlq.core.seeding import generator

PICTURES, PEOPLE, OUTFITS = 71_248, 5_000, 16_035  # of LaST's training set
COLOURS = 6  # of its recipe: 36 pairs per person, 196,035 clothes classes in all
BATCH, ROWS = 40, 80  # pictures of a step, and rows with their recoloured copies


def write_last(root: Path, count: int) -> None:
    """Write a data set in LaST's layout: 36 % training pictures, 14 per person, and 5 % queries."""
    buffer = BytesIO()
    Image.new("RGB", (16, 32), (90, 120, 60)).save(buffer, "JPEG")
    picture = buffer.getvalue()
    train, query = int(0.36 * count), max(1, int(0.05 * count))
    for number in range(count):
        if number < train:
            pid = number // 14 + 1
            folder, name = (
                root / "train" / f"{pid:06d}",
                f"{pid:06d}_001_00001_{number:06d}_01_{number % 3 + 1:03d}.jpg",
            )
        elif number < train + query:
            pid = 500_000 + number - train
            folder, name = root / "test" / "query", f"{pid:06d}_001_00001_{number:06d}_01_000.jpg"
        else:
            pid = 500_000 + (number - train - query) % query
            folder, name = root / "test" / "gallery" / f"{pid:06d}", f"{pid:06d}_001_00001_{number:06d}_01_000.jpg"
        try:
            (folder / name).write_bytes(picture)
        except FileNotFoundError:
            folder.mkdir(parents=True)
            (folder / name).write_bytes(picture)


def measure_files(root: Path) -> tuple[float, float, float, float | None]:
    """Return seconds to read the records, to fingerprint them and to check every picture, and MiB of all three."""
    from rlq.data.catalogue import read
    from rlq.data.image_check import inspect, unreadable

    with peak_memory() as memory:
        data, reading = _timed(lambda: read("last", root))
        _, fingerprint = _timed(lambda: data.fingerprint)
        paths = [record.path for record in data.records]
        broken, looking = _timed(lambda: unreadable(paths, inspect(paths, cores())))
    assert not broken, broken[:3]
    return reading, fingerprint, looking, memory.mib


def measure_identities(people: int) -> tuple[int, float, int, float, float, float, float | None]:
    """Return pictures, then times, counts and memory in the order of the table."""
    from rlq.data.clothes import ClothesClasses
    from rlq.data.records import Record, class_indices
    from rlq.data.samplers import IdentityBatches

    pictures = people * PICTURES // PEOPLE
    outfits = people * OUTFITS // PEOPLE
    clothes = [(number % outfits % people, number % outfits) for number in range(pictures)]
    records = [
        Record(Path(f"{place}.jpg"), str(pid), "1", f"{pid}_{outfit}", "train", str(place))
        for place, (pid, outfit) in enumerate(clothes)
    ]
    with peak_memory() as memory:
        labels, numbering = _timed(lambda: class_indices(records))
        classes = ClothesClasses(labels.owner, people, COLOURS)
        _, owners = _timed(lambda: classes.owner)
        batches, sampler = _timed(lambda: IdentityBatches(labels.pids, BATCH, 4, 1))
        _, epoch = _timed(lambda: sum(len(batch) for batch in batches))
    return pictures, numbering, classes.total, owners, sampler, epoch, memory.mib


def measure_head(classes: int, people: int, width: int) -> tuple[float, float | None]:
    """Return seconds of a step of the head alone (both losses, backward, update) and its memory in MiB."""
    import torch

    from rlq.losses.clothes import clothes_adversarial, clothes_cross_entropy
    from rlq.models.heads import CosineHead
    from rlq.training.optim import adam

    def steps(classes: int, count: int) -> list[float]:
        random = generator("bench clothes head", classes)
        owner = torch.from_numpy(np.arange(classes) % people)
        clothes = torch.from_numpy(random.integers(0, classes, ROWS))
        features = torch.from_numpy(random.standard_normal((ROWS, width), np.float32)).requires_grad_()
        head = CosineHead(width, classes)
        optimiser = adam(head.parameters(), lr=1e-4, weight_decay=5e-4)
        seconds = []
        for _ in range(count):
            started = time.perf_counter()
            optimiser.zero_grad()
            clothes_cross_entropy(head(features.detach()), clothes).backward()
            optimiser.step()
            clothes_adversarial(head(features, frozen=True), clothes, owner[clothes], owner).backward()
            seconds.append(time.perf_counter() - started)
        return seconds

    steps(2, 1)  # at its first step torch loads libraries, which are not part of the head
    with peak_memory() as memory:
        seconds = steps(classes, 4)
    return min(seconds[1:]), memory.mib


def measure_network(quick: bool) -> float:
    """Return seconds per row of the whole network of the recipe, forward and backward, in float32."""

    from rlq.bench.setups import REAL, TINY, steps_of

    setup = (TINY if quick else REAL)._replace(rows=4, people=150)
    step = steps_of(setup)["RLQ CAP"]()
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        outputs = step.model.network(step.batch.images)
        sum(part.sum() for part in outputs if part is not None).backward()
        seconds.append(time.perf_counter() - started)
    return min(seconds) / setup.rows


def measure_gallery(queries: int, gallery: int) -> tuple[float, float, float | None]:
    """Return seconds of the whole evaluation and of its ranking, and MiB."""
    from rlq.bench.scales import Scale, features_of, labels_of
    from rlq.evaluation.metrics import rank
    from rlq.evaluation.similarity import cosine_scores

    scale = Scale("growth", queries, gallery, 512, max(5, gallery // 80), 12, 4, queries, queries)
    query, others = labels_of(scale, "query"), labels_of(scale, "gallery")
    q, g = features_of(scale, "query", query), features_of(scale, "gallery", others)
    spent = 0.0

    def scores(rows: slice) -> np.ndarray:
        nonlocal spent
        block, seconds = _timed(partial(product, rows))
        spent += seconds
        return block

    with peak_memory() as memory:
        product, preparing = _timed(lambda: cosine_scores(q, g))
        _, whole = _timed(lambda: rank(query, others, scores))
    return preparing + whole, whole - spent, memory.mib


def measure_workers(paths: list[Path], workers: int, batch: int) -> tuple[float, float, float]:
    """Return seconds to the first batch, pictures per second after it, and MiB at the peak of a process."""
    from rlq.data.batches import collate_plain
    from rlq.data.datasets import PlainPictures, in_order, loader
    from rlq.data.transforms import TestTransform

    pictures = PlainPictures(paths, TestTransform((384, 192)))
    started = time.perf_counter()
    batches = iter(loader(pictures, in_order(len(paths), batch), collate_plain, workers=workers))
    next(batches)
    first = time.perf_counter()
    rest = sum(1 for _ in batches)
    seconds = time.perf_counter() - first
    who = resource.RUSAGE_CHILDREN if workers else resource.RUSAGE_SELF
    per_mib = 2**20 if sys.platform == "darwin" else 1024
    return first - started, (len(paths) - batch) / seconds if rest else 0.0, resource.getrusage(who).ru_maxrss / per_mib


def write_photos(folder: Path, count: int) -> list[Path]:
    """Write different JPEGs with grain and return their paths."""
    paths = []
    for number in range(count):
        random = generator("bench photos", number)
        coarse = Image.fromarray(random.integers(0, 256, (16, 8, 3), np.uint8)).resize((128, 256))
        grain = random.normal(0, 8, (256, 128, 3))
        picture = np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)
        paths.append(folder / f"{number:06d}.jpg")
        Image.fromarray(picture).save(paths[-1], quality=90)
    return paths


def _timed(work: Callable) -> tuple:
    """Return the result and the seconds of a call."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
