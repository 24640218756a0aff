"""A metric over the values of the one setting in which runs differ, such as K (RLQ, figures 6, 8 middle and 16)."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from rlq.analysis.base import Outcome
from rlq.analysis.curves import read_series
from rlq.analysis.runs import Source, by_name
from rlq.core.config import Settings, flatten, validate
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.scores import united
from rlq.core.text import markdown, percent
from rlq.evaluation.figures import value_figure

IGNORED = ("seed", "variant", "compute.", "tracking.", "data.root", "data.workers", "data.test_batch")


class Options(Settings):
    """The options of this analysis."""

    parameter: str | None = None  # a setting, such as cap.pose.clusters; None: the one in which the runs differ
    metric: str | None = None  # None: the metric that chose the best epoch, on the test set


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Draw runs of one value (other seeds) as one point with their standard deviation. Nothing here is random."""
    chosen = validate(Options, options, "sweep")
    scores = united(one.scores for one in sources)
    flat = {name: flatten(one.settings) for name, one in by_name(sources).items()}
    parameter = chosen.parameter or _what_differs(flat)
    metric = chosen.metric or _default_metric(sources)
    values: dict[Any, list[float]] = {}
    for name, one in by_name(sources).items():
        if parameter not in flat[name]:
            raise RlqError(f"parameter = {parameter} is no setting of {name}; rlq train FILE --print-config lists them")
        series = read_series(one.folder).get(metric)
        if series is None:
            raise RlqError(f"{name} has no metric {metric}; rlq analyse curves shows what a run has")
        value = flat[name][parameter]
        values.setdefault(str(value) if isinstance(value, list) else value, []).append(series[max(series)])
    points = [(value, fmean(these), stdev(these) if len(these) > 1 else None) for value, these in _sorted(values)]
    in_percent = scores.is_percent(metric)
    shown = percent if in_percent else "{:.4g}".format
    rows = [[str(v), shown(mean), "-" if sd is None else shown(sd), str(len(values[v]))] for v, mean, sd in points]
    numbers = {
        "parameter": parameter,
        "metric": metric,
        "points": [{"value": v, "mean": mean, "sd": sd, "runs": len(values[v])} for v, mean, sd in points],
    }
    figure = value_figure(points, parameter, metric, percent=in_percent, goal=scores.goal(metric))
    return Outcome(figure, numbers, markdown(rows, [parameter, metric, "sd", "runs"]))


def _what_differs(flat: Mapping[str, Mapping[str, Any]]) -> str:
    first = next(iter(flat.values()))
    differ = [
        name
        for name in first
        if not name.startswith(IGNORED) and any(other.get(name) != first[name] for other in flat.values())
    ]
    if len(differ) != 1:
        difference = f"differ in {', '.join(differ)}" if differ else "have the same settings"
        raise RlqError(
            f"these runs {difference}; name one setting: --option parameter={differ[0] if differ else 'NAME'}"
        )
    return differ[0]


def _default_metric(sources: Sequence[Source]) -> str:
    """Return the metric that chose the best epoch; where held-out people chose it, its value on the test set."""
    settings = sources[0].settings
    return f"{'test' if settings.data.selection == 'holdout' else 'best'}/{settings.schedule.select}"


def _sorted(values: Mapping[Any, list[float]]) -> list[tuple[Any, list[float]]]:
    """Sort by value where all are numbers, else by text."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return sorted(values.items(), key=lambda item: item[0] if numbers else str(item[0]))
