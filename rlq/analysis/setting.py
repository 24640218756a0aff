"""A metric over the values of the one setting in which runs differ, such as K (RLQ, figures 6, 8 middle and 16)."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from rlq.analysis.base import Drawn, markdown
from rlq.analysis.curves import read_series
from rlq.analysis.runs import Source, by_name
from rlq.core.config import Settings, flatten, validate
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.scores import united
from rlq.core.text import percent
from rlq.evaluation.figures import value_figure

ASIDE = ("seed", "variant", "compute.", "tracking.", "data.root", "data.workers", "data.test_batch")


class Options(Settings):
    """Of what."""

    parameter: str | None = None  # a setting, such as cap.pose.clusters; None: the one in which the runs differ
    metric: str | None = None  # None: what chose the best epoch, on the test pictures


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Drawn:
    """Runs of one value (other seeds) are one point, with their standard deviation. Nothing here is left to chance."""
    chosen = validate(Options, options, "sweep")
    scores = united(one.scores for one in sources)
    flat = {name: flatten(one.settings) for name, one in by_name(sources).items()}
    parameter = chosen.parameter or _what_differs(flat)
    metric = chosen.metric or _default_metric(sources)
    values: dict[Any, list[float]] = {}
    for name, one in by_name(sources).items():
        if parameter not in flat[name]:
            raise RlqError(f"parameter = {parameter} is no setting; experiment files and rlq train --set name them")
        series = read_series(one.folder).get(metric)
        if series is None:
            raise RlqError(f"{name} has no metric {metric}; rlq analyse curves shows what a run has")
        value = flat[name][parameter]
        values.setdefault(str(value) if isinstance(value, list) else value, []).append(series[max(series)])
    points = [(value, fmean(of), stdev(of) if len(of) > 1 else None) for value, of in _sorted(values)]
    in_percent = scores.is_percent(metric)
    shown = percent if in_percent else "{:.4g}".format
    rows = [[str(v), shown(mean), "-" if sd is None else shown(sd), str(len(values[v]))] for v, mean, sd in points]
    numbers = {
        "parameter": parameter,
        "metric": metric,
        "points": [{"value": v, "mean": mean, "sd": sd, "runs": len(values[v])} for v, mean, sd in points],
    }
    figure = value_figure(points, parameter, metric, percent=in_percent, goal=scores.goal(metric))
    return Drawn(figure, numbers, markdown(rows, [parameter, metric, "sd", "runs"]))


def _what_differs(flat: Mapping[str, Mapping[str, Any]]) -> str:
    first = next(iter(flat.values()))
    differ = [
        name
        for name in first
        if not name.startswith(ASIDE) and any(other.get(name) != first[name] for other in flat.values())
    ]
    if len(differ) != 1:
        found = f"differ in {', '.join(differ)}" if differ else "have the same settings"
        raise RlqError(f"these runs {found}; name one setting: --option parameter={differ[0] if differ else 'NAME'}")
    return differ[0]


def _default_metric(sources: Sequence[Source]) -> str:
    """The metric of the best epoch; with held-out people that choose it, its value on the test."""
    settings = sources[0].settings
    return f"{'test' if settings.data.selection == 'holdout' else 'best'}/{settings.schedule.select}"


def _sorted(values: Mapping[Any, list[float]]) -> list[tuple[Any, list[float]]]:
    """By value where all are numbers, else as text."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return sorted(values.items(), key=lambda item: item[0] if numbers else str(item[0]))
