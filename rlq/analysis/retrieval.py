"""From a bad picture to the same picture when it was good: how far artefacts move features (a probe of TAD)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rlq.analysis.base import Drawn, markdown
from rlq.analysis.runs import ModelOptions, OpenModel, Source, by_name, good_pictures
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.core.settings import Count
from rlq.core.shapes import check_shapes
from rlq.core.text import percent
from rlq.data.degradation import KINDS, DegradationRanges, only
from rlq.data.records import Record, ReidData
from rlq.weights.alone import alone


class Options(ModelOptions):
    """On what."""

    pictures: Count = 1000  # of the good data set's queries and gallery, whom nobody trained on


class Agreement(NamedTuple):
    """How well the features of bad pictures [N] agree with those of the same good ones."""

    rank1: float  # share of bad pictures whose nearest good one is their own
    cosine: float  # mean cosine of a bad picture and its own good one
    others: float  # mean cosine of a bad picture and all other good ones: what the number above must be read against


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Drawn:
    """Every run sees the same pictures, spoilt alike: by the ranges of the first run, each artefact by itself."""
    chosen = validate(Options, options, "retrieval")
    ranges = sources[0].degradations
    with alone() as place:
        data = good_pictures(sources, chosen, place, console)
        records = sample(data, chosen.pictures, seed)
        found: dict[str, dict[str, Agreement]] = {}
        for name, one in by_name(sources).items():
            model = OpenModel(one, chosen.weights, place, console)
            good = model.features(records)
            spoilt = {kind: model.features(records, ranges=only(ranges, kind), seed=seed) for kind in KINDS}
            found[name] = {kind: agreement(good, bad) for kind, bad in spoilt.items()}
    rows = [
        [name, kind, percent(one.rank1), f"{one.cosine:.3f}", f"{one.others:.3f}"]
        for name, of_run in found.items()
        for kind, one in of_run.items()
    ]
    header = [f"{len(records)} pictures of {data.name}", "artefact", "bad to good R-1", "cosine", "cosine of others"]
    numbers = {
        "dataset": data.name,
        "pictures": len(records),
        "runs": {name: {kind: one._asdict() for kind, one in of_run.items()} for name, of_run in found.items()},
    }
    return Drawn(_figure(found, header[0]), numbers, markdown(rows, header))


def agreement(good: NDArray, bad: NDArray) -> Agreement:
    """Compare features [N, D] of unit length, row by row. A tie with another picture is a miss."""
    count = check_shapes(good=(good, "N D"), bad=(bad, "N D"))["N"]
    if count < 2:
        raise DataError(f"{count} picture cannot be told from others; at least 2 are needed")
    own = np.einsum("nd,nd->n", bad, good, dtype=np.float64)  # [N]
    cosines = bad.astype(np.float64) @ good.T.astype(np.float64)  # [N, N]
    np.fill_diagonal(cosines, -np.inf)
    nearest = cosines.max(axis=1)  # [N] of the others
    np.fill_diagonal(cosines, 0)
    return Agreement(float((own > nearest).mean()), float(own.mean()), float(cosines.sum() / (count * (count - 1))))


def sample(data: ReidData, pictures: int, seed: int) -> list[Record]:
    """Some of the queries and gallery, in the order of the set."""
    records = [*data.query, *data.gallery]
    order = generator(seed, "good pictures").permutation(len(records))[:pictures]
    return [records[i] for i in np.sort(order)]


def mixed(ranges: DegradationRanges) -> str:
    """The shares of a mix, for titles."""
    return ", ".join(f"{share:.0%} {kind}" for kind, share in ranges.mix.items() if share)


def _figure(found: Mapping[str, Mapping[str, Agreement]], where: str) -> Figure:
    """Left who is found again; right the cosines of pairs, with a mark where those of strangers lie."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    width = 0.8 / len(found)
    for number, (name, of_run) in enumerate(found.items()):
        places = [place + (number - (len(found) - 1) / 2) * width for place in range(len(of_run))]
        colour = f"C{number % 10}"
        bars = left.bar(places, [100 * one.rank1 for one in of_run.values()], width, color=colour, label=name)
        left.bar_label(bars, fmt="%.0f", fontsize=7)
        right.bar(places, [one.cosine for one in of_run.values()], width, color=colour)
        others = [one.others for one in of_run.values()]
        right.scatter(places, others, marker="_", color="black", s=60, label=None if number else "of other pictures")
    for axes, title in ((left, "bad picture finds itself, %"), (right, "cosine of bad and good")):
        axes.set_xticks(range(len(KINDS)), KINDS, fontsize=8)
        axes.set_title(title, fontsize=9)
    left.set_ylim(0, 108)
    figure.suptitle(where, fontsize=9)
    handles, labels = (a + b for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels()))
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    return figure
