"""Optuna's own plots of a study: PNG by its matplotlib back-end, HTML where plotly is installed."""

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from optuna import Study

FEWEST = 2  # finished trials from which something can be compared


def figures(study: "Study", metrics: list[str]) -> tuple[dict[str, Figure], list[str]]:
    """Artifact name -> figure, and why which plots are missing. `metrics` are the objectives' names."""
    import optuna.visualization.matplotlib as plots

    drawn: dict[str, Figure] = {}
    with _off_screen() as figure_of:
        for name, draw in _wanted(study, metrics, plots):
            drawn[f"plots/{name}.png"] = figure_of(draw())
    return drawn, missing(study)


def pages(study: "Study", metrics: list[str]) -> dict[str, str]:
    """Artifact name -> an HTML page that can be zoomed and hovered over; none without plotly."""
    if importlib.util.find_spec("plotly") is None:
        return {}
    import optuna.visualization as plots

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return {
            f"plots/{name}.html": draw().to_html(include_plotlyjs="cdn")
            for name, draw in _wanted(study, metrics, plots)
        }


def missing(study: "Study") -> list[str]:
    """Why there is no plot of the history, or of the importance."""
    complete = _complete(study)
    if len(complete) < FEWEST:
        return [f"no importance plot: it needs {FEWEST} finished trials, there are {len(complete)}"]
    if not _varied(complete):
        return ["no importance plot: no parameter had two values, or all values are alike"]
    return []


def _wanted(study: "Study", metrics: list[str], plots: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    complete = _complete(study)
    if not complete:
        return
    comparable = len(complete) >= FEWEST and _varied(complete)
    several = len(metrics) > 1
    for position, metric in enumerate(metrics):
        suffix = f"-{metric.replace('/', '-')}" if several else ""
        target = (lambda trial, at=position: trial.values[at]) if several else None
        options: dict[str, Any] = {"target": target, "target_name": metric}
        yield f"history{suffix}", partial(plots.plot_optimization_history, study, **options)
        if comparable:
            yield f"importance{suffix}", partial(plots.plot_param_importances, study, **options)
        if len(complete) >= FEWEST:
            yield f"slice{suffix}", partial(plots.plot_slice, study, **options)
    if several and len(metrics) <= 3:
        yield "pareto", lambda: plots.plot_pareto_front(study, target_names=metrics)


def _complete(study: "Study") -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _varied(complete: list[FrozenTrial]) -> bool:
    """Whether a parameter that all trials have took two values, and the results did too."""
    common = set.intersection(*(set(trial.params) for trial in complete))
    moved = any(len({str(trial.params[name]) for trial in complete}) > 1 for name in common)
    return moved and any(len(set(values)) > 1 for values in zip(*(trial.values for trial in complete), strict=True))


@contextmanager
def _off_screen() -> Iterator[Callable[[Any], Figure]]:
    """Optuna draws by pyplot: keep its style and its figures from leaking, and open no window."""
    from matplotlib import pyplot

    made: list[Figure] = []

    def figure_of(axes: Any) -> Figure:
        first = axes if not hasattr(axes, "flat") else axes.flat[0]  # an array of axes, or one
        figure = first.get_figure()
        figure.set_size_inches(max(6.4, 3.0 * len(figure.axes)), 4.8)
        made.append(figure)
        return figure

    with matplotlib.rc_context({"backend": "agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)  # of layouts that do not fit
        try:
            yield figure_of
        finally:
            for figure in made:
                pyplot.close(figure)
