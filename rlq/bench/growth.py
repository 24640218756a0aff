"""How time and memory grow with pictures, identities, clothes classes, gallery pictures and loader processes.

Every row is measured in its own process, so its memory is that of the row alone.
"""

import tempfile
from pathlib import Path
from typing import Any

from rlq.bench.measurement import Options, in_fresh_process
from rlq.bench.results import Goal, Results, Table
from rlq.bench.workloads import (
    BATCH,
    COLOURS,
    OUTFITS,
    PEOPLE,
    PICTURES,
    ROWS,
    cores,
    measure_files,
    measure_gallery,
    measure_head,
    measure_identities,
    measure_network,
    measure_workers,
    write_last,
    write_photos,
)

WIDTH = 4096  # of the features that the clothes head takes
SLICE = 8  # the head is measured on 1/8 of its classes: its time and memory are linear in them


def bench(options: Options) -> Results:
    """Measure all tables, with small sizes when `quick` is set."""
    quick = options.quick
    pictures = (60, 200) if quick else (1_000, 10_000, 100_000, 200_000)
    people = (20, 100) if quick else (100, 1_000, PEOPLE)
    gallery = (200, 400) if quick else (5_000, 20_000, 80_000, 160_000)
    files, files_goals = _files(pictures)
    head, head_goals = _head(quick)
    return Results(
        [files, _identities(people), head, _gallery(gallery, 20 if quick else 1000), _workers(quick)],
        [*files_goals, *head_goals],
    )


def _files(counts: tuple[int, ...]) -> tuple[Table, list[Goal]]:
    rows: list[tuple[Any, ...]] = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_last(Path(folder) / "last", count)
            rows.append((count, *in_fresh_process(measure_files, Path(folder))))
    per_file = [(row[1] + row[2]) / row[0] for row in rows]
    table = Table(
        "A data set: its records, its fingerprint, a look at every picture",
        ("pictures", "reading, s", "fingerprint, s", "looking, s", "MiB", "bytes per picture"),
        [(*row, _times(2**20 / row[0], row[-1])) for row in rows],
        "LaST's layout with the same picture of 16 x 32 pixels in every file, so that looking costs what a file costs, "
        f"without its pixels; {cores()} processes look. Later runs reuse the results of this check. MiB: growth of the "
        "main process.",
    )
    return table, [
        Goal(
            f"reading and fingerprint per picture, {counts[-1]:,} over {counts[-2]:,} pictures",
            "<=",
            2.0,
            per_file[-1] / per_file[-2],
        )
    ]


def _identities(counts: tuple[int, ...]) -> Table:
    rows = [(count, *in_fresh_process(measure_identities, count)) for count in counts]
    return Table(
        "Identities: class numbers, clothes classes, and the order of an epoch",
        (
            "identities",
            "pictures",
            "class numbers, s",
            "clothes classes",
            "their owners, s",
            "sampler, s",
            "epoch, s",
            "MiB",
        ),
        rows,
        f"{PICTURES / PEOPLE:.1f} pictures and {OUTFITS / PEOPLE:.1f} outfits per identity, as LaST; "
        f"{COLOURS}^2 classes per identity for recoloured copies; batches of {BATCH}.",
    )


def _head(quick: bool) -> tuple[Table, list[Goal]]:
    """Measure the clothes head, and its share of a step with the network."""
    width, people = (64, 20) if quick else (WIDTH, PEOPLE)
    per_row = in_fresh_process(measure_network, quick)
    rows = []
    for name, per_person in (
        ("one class per outfit", 0),
        ("one more per person", 1),
        ("pairs of 6 colours", COLOURS**2),
    ):
        classes = people * OUTFITS // PEOPLE + people * per_person
        seconds, mib = in_fresh_process(measure_head, classes // SLICE, people, width)
        network = ROWS * per_row
        whole = SLICE * seconds
        rows.append((name, classes, whole, whole / (whole + network), _times(SLICE, mib), 16 * classes * width / 2**20))
    table = Table(
        f"The clothes head of LaST's recipe: {width} numbers per class, {ROWS} rows in a step",
        ("labels", "classes", "s per step", "share of a step", "MiB", "weights, gradient and moments, MiB"),
        rows,
        f"Both clothes losses, backward, Adam; measured on 1/{SLICE} of the classes and multiplied. The network takes "
        f"{per_row:.3g} s per row on this machine, in float32. MiB: at the peak.",
    )
    mib, arithmetic = rows[-1][4], rows[-1][5]
    return table, [
        Goal(
            "clothes head: memory at its peak / weights, gradient and moments",
            "<=",
            1.5,
            mib / arithmetic if mib is not None and not quick else None,
            "" if mib is not None and not quick else "not measured at these sizes",
        )
    ]


def _gallery(counts: tuple[int, ...], queries: int) -> Table:
    rows = [(count, *in_fresh_process(measure_gallery, queries, count)) for count in counts]
    return Table(
        f"Ranking {queries:,} queries, three rules, by gallery size",
        ("gallery pictures", "whole, s", "ranking alone, s", "MiB"),
        rows,
        "Features of 512 numbers; MiB without the features.",
    )


def _workers(quick: bool) -> Table:
    counts = (0, 1) if quick else tuple(count for count in (0, 1, 2, 4, 8) if count <= cores())
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), 12 if quick else 400)
        rows = [(count, *in_fresh_process(measure_workers, paths, count, 4 if quick else 32)) for count in counts]
    return Table(
        "Loader processes: pictures of 256 x 128 pixels for a test at 384 x 192",
        ("processes", "until the first batch, s", "pictures/s after it", "MiB of one process at most"),
        rows,
        "Batches of 32. There are never more processes than cores; see the benchmark `data` for training.",
    )


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value
