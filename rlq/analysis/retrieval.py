"""From a degraded picture to its original: how far degradations move features (a probe of TAD)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rlq.analysis.base import Outcome
from rlq.analysis.runs import ModelOptions, OpenModel, Source, by_name, original_set
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.core.settings import Count
from rlq.core.shapes import check_shapes
from rlq.core.text import markdown, percent
from rlq.data.degradation import KINDS, DegradationRanges, only
from rlq.data.records import Record, ReidData
from rlq.weights.alone import alone


class Options(ModelOptions):
    """The options of this analysis."""

    pictures: Count = 1000  # of the queries and gallery


class Agreement(NamedTuple):
    """How well the features of degraded pictures [N] agree with those of their originals."""

    rank1: float  # share of degraded pictures whose nearest clean one is their original
    cosine: float  # mean cosine of a degraded picture and its original
    others: float  # mean cosine of a degraded picture and all other clean ones, the baseline of the number above


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Embed the same pictures with every run, with each kind of degradation alone, by the ranges of the first run."""
    chosen = validate(Options, options, "retrieval")
    ranges = sources[0].degradations
    with alone() as place:
        data = original_set(sources, chosen, place, console)
        records = sample(data, chosen.pictures, seed)
        agreements: dict[str, dict[str, Agreement]] = {}
        for name, one in by_name(sources).items():
            model = OpenModel(one, chosen.weights, place, console)
            clean = model.features(records)
            degraded = {kind: model.features(records, ranges=only(ranges, kind), seed=seed) for kind in KINDS}
            agreements[name] = {kind: agreement(clean, features) for kind, features in degraded.items()}
    rows = [
        [name, kind, percent(one.rank1), f"{one.cosine:.3f}", f"{one.others:.3f}"]
        for name, of_run in agreements.items()
        for kind, one in of_run.items()
    ]
    header = [f"{len(records)} pictures of {data.name}", "artefact", "bad to good R-1", "cosine", "cosine of others"]
    numbers = {
        "dataset": data.name,
        "pictures": len(records),
        "runs": {name: {kind: one._asdict() for kind, one in of_run.items()} for name, of_run in agreements.items()},
    }
    return Outcome(_figure(agreements, header[0]), numbers, markdown(rows, header))


def agreement(clean: NDArray, degraded: NDArray) -> Agreement:
    """Compare features [N, D] of unit length, row by row. A tie with another picture is a miss."""
    count = check_shapes(clean=(clean, "N D"), degraded=(degraded, "N D"))["N"]
    if count < 2:
        raise DataError(f"{count} picture has no others to compare with; at least 2 are needed")
    pairs = np.einsum("nd,nd->n", degraded, clean, dtype=np.float64)  # [N]
    cosines = degraded.astype(np.float64) @ clean.T.astype(np.float64)  # [N, N]
    np.fill_diagonal(cosines, -np.inf)
    nearest = cosines.max(axis=1)  # [N] of the others
    np.fill_diagonal(cosines, 0)
    return Agreement(float((pairs > nearest).mean()), float(pairs.mean()), float(cosines.sum() / (count * (count - 1))))


def sample(data: ReidData, pictures: int, seed: int) -> list[Record]:
    """Return random queries and gallery pictures, in the order of the set."""
    records = [*data.query, *data.gallery]
    order = generator(seed, "good pictures").permutation(len(records))[:pictures]
    return [records[i] for i in np.sort(order)]


def mixed(ranges: DegradationRanges) -> str:
    """Return the shares of a mix, for titles."""
    return ", ".join(f"{share:.0%} {kind}" for kind, share in ranges.mix.items() if share)


def _figure(agreements: Mapping[str, Mapping[str, Agreement]], where: str) -> Figure:
    """Draw the share that is found, and beside it the cosines of pairs with a mark for those of other pictures."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    width = 0.8 / len(agreements)
    for number, (name, of_run) in enumerate(agreements.items()):
        places = [place + (number - (len(agreements) - 1) / 2) * width for place in range(len(of_run))]
        colour = f"C{number % 10}"
        bars = left.bar(places, [100 * one.rank1 for one in of_run.values()], width, color=colour, label=name)
        left.bar_label(bars, fmt="%.0f", fontsize=7)
        right.bar(places, [one.cosine for one in of_run.values()], width, color=colour)
        others = [one.others for one in of_run.values()]
        right.scatter(places, others, marker="_", color="black", s=60, label=None if number else "of other pictures")
    for axes, title in ((left, "degraded picture finds its original, %"), (right, "cosine of original and degraded")):
        axes.set_xticks(range(len(KINDS)), KINDS, fontsize=8)
        axes.set_title(title, fontsize=9)
    left.set_ylim(0, 108)
    figure.suptitle(where, fontsize=9)
    handles, labels = (a + b for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels()))
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    return figure
