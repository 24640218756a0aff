"""Losses and metrics over the epochs of several runs, in small multiples."""

import json
import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rlq.analysis.base import Outcome
from rlq.analysis.runs import Source, by_name
from rlq.core.config import Settings, validate
from rlq.core.console import Console
from rlq.core.errors import DataError, RlqError
from rlq.core.scores import ScoreTable, united
from rlq.core.text import markdown, percent

JOURNAL = "metrics.jsonl"
COLUMNS = 4
Series = dict[int, float]  # step -> value


class Options(Settings):
    """The options of this analysis."""

    metrics: tuple[
        str, ...
    ] = ()  # patterns such as loss/tad/*; none: every loss, and the shown scores of every protocol


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Draw the metrics of the runs' journals, also of runs that are not finished. Nothing here is random."""
    chosen = validate(Options, options, "curves")
    named, scores = by_name(sources), united(one.scores for one in sources)
    journals = {name: read_series(one.folder) for name, one in named.items()}
    measured = list(dict.fromkeys(metric for series in journals.values() for metric in series))
    metrics = [metric for metric in measured if _is_chosen(metric, chosen.metrics, scores)]
    if not metrics:
        searched = ", ".join(chosen.metrics) or f"a loss, {' or '.join(scores.titles.values())}"
        raise RlqError(f"no run has {searched}; measured are {', '.join(measured) or 'no metrics at all'}")
    metrics.sort(key=lambda metric: (metric.startswith("loss/"), measured.index(metric)))
    numbers = {
        metric: {name: series[metric] for name, series in journals.items() if metric in series} for metric in metrics
    }
    rows = [
        [metric, *(_last(numbers[metric].get(name), scores.is_percent(metric)) for name in named)] for metric in metrics
    ]
    return Outcome(small_multiples(numbers, list(named), scores), numbers, markdown(rows, ["last value", *named]))


def read_series(folder: Path) -> dict[str, Series]:
    """Return metric -> step -> value of a run's journal, in the order of their first appearance.

    The last line of a journal that is being written may be incomplete, so it is left out. Raises DataError.
    """
    path = folder / JOURNAL
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise DataError(f"{folder} has no curves: {JOURNAL} cannot be read ({error.strerror or error})") from error
    series: dict[str, Series] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            series.setdefault(row["name"], {})[row["step"]] = row["value"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number}: not a metric (name, step, value): {error}") from error
    return series


def small_multiples(numbers: Mapping[str, Mapping[str, Series]], names: Sequence[str], scores: ScoreTable) -> Figure:
    """Draw a panel per metric with a line per run, over epochs counted from 1."""
    columns = min(COLUMNS, len(numbers))
    rows = math.ceil(len(numbers) / columns)
    figure = Figure(figsize=(2.9 * columns, 2.1 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (metric, series) in zip(panels, numbers.items()):
        scale = 100 if scores.is_percent(metric) else 1
        for number, name in enumerate(names):
            points = sorted(series.get(name, {}).items())
            axes.plot(
                [step + 1 for step, _ in points],
                [scale * value for _, value in points],
                color=f"C{number % 10}",
                linestyle=("-", "--", ":", "-.")[number // 10 % 4],
                marker="." if len(points) < 12 else None,
                label=name,
            )
        axes.set_title(f"{metric}, %" if scale == 100 else metric, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
    for axes in panels[len(numbers) :]:
        axes.set_visible(False)
    figure.supxlabel("epoch", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)
    return figure


def _is_chosen(metric: str, patterns: Sequence[str], scores: ScoreTable) -> bool:
    if patterns:
        return any(fnmatchcase(metric, pattern) for pattern in patterns)
    return metric.startswith("loss/") or (metric.count("/") == 1 and scores.is_shown(metric))


def _last(series: Series | None, in_percent: bool) -> str:
    if not series:
        return "-"
    value = series[max(series)]
    return percent(value) if in_percent else f"{value:.3f}"
