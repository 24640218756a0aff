"""A table of the rows that are finished, for the screen; `rlq report` makes the pages."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from rlq.ablation.rows import Row
from rlq.ablation.table import Table
from rlq.core.scores import Score, ScoreTable
from rlq.core.text import table as screen_table


def summary(table: Table, base: Path, names: Sequence[str], rows: Sequence[Row], scores: ScoreTable) -> str:
    """Return mean and standard deviation over the finished seeds, and the published numbers of the same data set.

    `rows` are those of one base, `scores` those of their method.
    """
    protocols = table.shown(base, scores)
    columns = [(protocol, score) for protocol in protocols for score in scores.shown]
    datasets = {row.dataset for row in rows}
    published = {
        name: table.row(name).published.get(next(iter(datasets)), {}) if len(datasets) == 1 else {} for name in names
    }
    with_published = any(published.values())
    header = ["", "seeds", *(f"{protocol} {score.title}" for protocol, score in columns)]
    header += [f"{protocol} published" for protocol in protocols] if with_published else []
    cells = []
    for name in names:
        of_name = [row for row in rows if row.row == name]
        spreads = [_spread([row.score(protocol, score.key) for row in of_name], score) for protocol, score in columns]
        cells.append([name, str(len(of_name)), *spreads])
        if with_published:
            cells[-1] += [_published(published[name].get(protocol, ()), scores) for protocol in protocols]
    text = screen_table(cells, header=header)
    shown_as = ", ".join(filter(None, [scores.percent_note, "mean and standard deviation over seeds"]))
    notes = [f"{table.title}, on {base.stem}: {shown_as}"]
    if any(row.selection == "test" for row in rows):
        notes.append("the best epoch was chosen on the test set, as the paper does")
    if len({row.data_fingerprint for row in rows}) > 1:
        notes.append("WARNING: these rows were run on different data (their data fingerprints differ)")
    return "\n".join([text, *notes])


def _spread(values: Sequence[float | None], score: Score) -> str:
    measured = [value for value in values if value is not None]
    mean = statistics.fmean(measured) if measured else None
    return score.text(mean, statistics.stdev(measured) if len(measured) > 1 else None)


def _published(numbers: Sequence[float], scores: ScoreTable) -> str:
    return " / ".join(score.published(number) for score, number in zip(scores.shown, numbers)) or "-"
