"""The rank lists of several runs for the same queries, side by side (RLQ, figure 9)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from pydantic import Field, StrictInt

from rlq.analysis.base import Outcome
from rlq.analysis.runs import ModelOptions, OpenModel, Source, by_name, common_set, protocol_of
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.seeding import generator
from rlq.core.text import markdown
from rlq.data.pictures import read_picture
from rlq.data.records import Record
from rlq.data.transforms import resize
from rlq.evaluation.figures import HIT, MISS
from rlq.evaluation.protocols import evaluate, labels_of, of_cameras
from rlq.evaluation.rank_list import RankList, rank_list
from rlq.weights.alone import alone

SHOWN = (128, 64)  # height and width of a picture in the figure
Few = Annotated[StrictInt, Field(ge=1, le=20)]  # the layout of hundreds of pictures takes minutes
GAP = 0.35  # between two runs, in widths of a picture


class Options(ModelOptions):
    """The options of this analysis."""

    protocol: str | None = None  # None: the data set's first
    queries: Few = 6
    top: Few = 5  # pictures per query and run


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Draw random queries among those whose first picture is right for some runs and wrong for others."""
    chosen = validate(Options, options, "rank_lists")
    with alone() as place:
        data = common_set(sources, chosen, place, console)
        protocol = protocol_of(data, chosen.protocol)
        columns = of_cameras(data.gallery, protocol.gallery_cameras)
        rows = of_cameras(data.query, protocol.query_cameras)
        features, first = {}, {}
        for name, one in by_name(sources).items():
            model = OpenModel(one, chosen.weights, place, console)
            features[name] = model.evaluator(data).features()
            ranking = evaluate(data.query, data.gallery, [protocol], *features[name])[protocol.name]
            first[name] = ranking.first_match  # [rows]
    picked = disagreeing(np.stack(list(first.values())), chosen.queries, seed)
    chosen_rows = rows[picked]
    lists = {
        name: rank_list(
            query[chosen_rows],
            gallery[columns],
            labels_of(data.query, chosen_rows, protocol.junk_by),
            labels_of(data.gallery, columns, protocol.junk_by),
            protocol.rule,
            chosen.top,
        )
        for name, (query, gallery) in features.items()
    }
    shown = [data.gallery[i] for i in columns]
    figure = _figure([data.query[i] for i in chosen_rows], shown, lists, chosen.top)
    figure.suptitle(f"{data.name} ({protocol.name}): green is the right person", fontsize=9)
    names = [data.query[i].path.relative_to(data.root).as_posix() for i in chosen_rows]
    numbers = {
        "dataset": data.name,
        "protocol": protocol.name,
        "queries": names,
        "runs": {
            name: {
                "first_match": first[name][picked].tolist(),
                "gallery": [[shown[i].path.relative_to(data.root).as_posix() for i in one.gallery] for one in of_run],
                "hits": [one.hits.tolist() for one in of_run],
            }
            for name, of_run in lists.items()
        },
    }
    cells = [[query, *(str(first[name][i]) for name in lists)] for query, i in zip(names, picked, strict=True)]
    return Outcome(figure, numbers, markdown(cells, ["rank of the first match", *lists]))


def disagreeing(first_match: NDArray[np.int64], count: int, seed: int) -> NDArray[np.intp]:
    """Return at most `count` random queries that are right in some runs and wrong in others, in the order of the set.

    first_match [runs, Q]: the rank of the first match, 0 for a query without any. Raises RlqError when there is no such
    query.
    """
    right = first_match == 1
    differ = np.flatnonzero(right.any(axis=0) & ~right.all(axis=0))
    if not len(differ):
        valid = int((first_match > 0).all(axis=0).sum())
        raise RlqError(
            f"all {valid} queries have the same answer in every run: no first picture is right in one and wrong in "
            f"another"
        )
    return np.sort(generator(seed, "rank lists").permutation(differ)[:count])


def _figure(
    queries: Sequence[Record], gallery: Sequence[Record], lists: Mapping[str, Sequence[RankList]], top: int
) -> Figure:
    """Draw a row per query: the query, then each run's first pictures, framed green or red."""
    widths = [1.0] + [GAP, *[1.0] * top] * len(lists)
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure = Figure(figsize=(0.62 * sum(widths), 1.3 * len(queries) + 0.6), layout=layout)
    grid = figure.subplots(len(queries), len(widths), squeeze=False, width_ratios=widths)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for row, record in enumerate(queries):
        _show(grid[row, 0], record)
        for number, of_run in enumerate(lists.values()):
            start = 2 + number * (top + 1)
            for column, (index, hit) in enumerate(zip(of_run[row].gallery, of_run[row].hits, strict=True), start=start):
                _show(grid[row, column], gallery[index], HIT if hit else MISS)
    grid[0, 0].set_title("query", fontsize=8)
    for number, name in enumerate(lists):
        grid[0, 2 + number * (top + 1)].set_title(name, fontsize=8, loc="left")
    return figure


def _show(axes: Any, record: Record, frame: str | None = None) -> None:
    axes.imshow(resize(read_picture(record.cover), SHOWN))
    if frame is not None:
        axes.spines[:].set(visible=True, color=frame, linewidth=2.5)
