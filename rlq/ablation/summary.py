"""A table of what has been run so far, for the screen; `rlq report` makes the pages."""

import statistics
from pathlib import Path

from rlq.ablation.rows import Row
from rlq.ablation.table import Table
from rlq.core.text import mean_and_sd
from rlq.core.text import table as screen_table

METRICS = {"rank1": "rank-1", "mAP": "mAP"}


def summary(table: Table, base: Path, names: list[str], rows: list[Row]) -> str:
    """Mean and standard deviation over the seeds there are, in percent, and the published numbers of the same data
    set. `rows` are those of one base."""
    shown = [(protocol, metric) for protocol in table.shown(base) for metric in METRICS]
    datasets = {row.dataset for row in rows}
    published = {
        name: variant.published.get(next(iter(datasets)), {}) if len(datasets) == 1 else {}
        for name, variant in ((name, table.row(name)) for name in names)
    }
    beside = any(published.values())
    header = ["", "seeds", *(f"{protocol} {METRICS[metric]}" for protocol, metric in shown)]
    header += [f"{protocol} published" for protocol in table.shown(base)] if beside else []
    cells = []
    for name in names:
        own = [row for row in rows if row.row == name]
        cells.append([name, str(len(own)), *(_spread([row.score(*column) for row in own]) for column in shown)])
        if beside:
            pairs = (published[name].get(protocol) for protocol in table.shown(base))
            cells[-1] += [f"{pair[0]:.1f} / {pair[1]:.1f}" if pair else "-" for pair in pairs]
    text = screen_table(cells, header=header)
    notes = [f"{table.title}, on {base.stem}: percent, mean and standard deviation over seeds"]
    if any(row.selection == "test" for row in rows):
        notes.append("the best epoch was chosen on the test set, as the paper does")
    if len({row.data_fingerprint for row in rows}) > 1:
        notes.append("WARNING: these rows were run on different data (their data fingerprints differ)")
    return "\n".join([text, *notes])


def _spread(scores: list[float | None]) -> str:
    measured = [score for score in scores if score is not None]
    mean = statistics.fmean(measured) if measured else None
    return mean_and_sd(mean, statistics.stdev(measured) if len(measured) > 1 else None)
