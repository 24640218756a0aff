"""What work costs as it grows: pictures, identities, clothes classes, gallery pictures, loader processes.

Every row is measured in a process of its own, whose memory is then the row's alone.
"""

import tempfile
from pathlib import Path
from typing import Any

from rlq.bench.findings import Findings, Goal, Table
from rlq.bench.measuring import Options, in_fresh_process
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

WIDTH = 4096  # of the features behind the clothes head
SLICE = 8  # the head is measured on a part of its classes: its time and memory are linear in them


def bench(options: Options) -> Findings:
    """All tables; `quick` has small ones."""
    quick = options.quick
    pictures = (60, 200) if quick else (1_000, 10_000, 100_000, 200_000)
    people = (20, 100) if quick else (100, 1_000, PEOPLE)
    gallery = (200, 400) if quick else (5_000, 20_000, 80_000, 160_000)
    files, files_goals = _files(pictures)
    head, head_goals = _head(quick)
    return Findings(
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
        "LaST's layout, the same picture of 16 x 32 pixels in every file, so that looking is what a file costs and not "
        f"what its pixels do; {cores()} processes look. At a start the marks of earlier runs spare the looking. MiB: "
        "growth of the main process.",
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
    """The clothes head beside the network's own share of a step."""
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
        f"Both clothes losses, backward, Adam; measured on 1/{SLICE} of the classes and multiplied. The network beside "
        f"it takes {per_row:.3g} s per row on this machine, in float32. MiB: at its peak.",
    )
    mib, arithmetic = rows[-1][4], rows[-1][5]
    return table, [
        Goal(
            "clothes head: memory at its peak / weights, gradient and moments",
            "<=",
            1.5,
            mib / arithmetic if mib is not None and not quick else None,
            "" if mib is not None and not quick else "too small to tell",
        )
    ]


def _gallery(counts: tuple[int, ...], queries: int) -> Table:
    rows = [(count, *in_fresh_process(measure_gallery, queries, count)) for count in counts]
    return Table(
        f"Ranking {queries:,} queries, three rules, by gallery size",
        ("gallery pictures", "whole, s", "ranking alone, s", "MiB"),
        rows,
        "Features of 512 numbers; MiB beyond the features.",
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
        "Batches of 32. Only cores that are there are used; see the benchmark `data` for training.",
    )


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value
