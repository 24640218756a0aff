"""The results of a study: its trials and the best ones as text, as a tree for programs, and as Optuna's plots."""

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

from rlq.core.scores import ScoreTable
from rlq.core.text import percent, table
from rlq.sweep.plan import CHOSEN_ON_TEST, Plan
from rlq.sweep.space import draw_words, short_names
from rlq.sweep.study import DRAWN, METRICS, REASON, RUN, attempts, parent_of, tally

if TYPE_CHECKING:
    from optuna import Study

EVALUATIONS = ("best/", "last/", "paper/", "test/")  # what scores of a run begin with
FEWEST = 2  # finished trials that plots of a comparison need


def best_trials(study: "Study") -> list[FrozenTrial]:
    """Return the best trial within the constraints; with several objectives all that no other beats in each."""
    if len(study.directions) > 1:
        return study.best_trials
    try:
        return [study.best_trial]
    except ValueError:  # no trial is finished, or none within the constraints
        return []


def words(plan: Plan, study: "Study", links: dict[str, str]) -> str:
    """Return the closing lines of `rlq sweep`."""
    sweep, best = plan.sweep, best_trials(study)
    lines = ["", f"{sweep.name}: {tally(study)}{_chosen(plan)}", "", trials_table(plan, study)]
    if not best:
        lines += ["", "no trial has finished within the constraints, so there is no best one"]
    elif len(best) > 1:
        lines += ["", f"{len(best)} trials are beaten by no other in {' and '.join(m.key for m in sweep.objectives)}:"]
    for trial in best:
        lines += ["", *_best(plan, trial)]
    lines += [f"parent   {parent_of(study)}", *(f"{name:<8} {address}" for name, address in links.items())]
    return "\n".join(lines)


def as_tree(plan: Plan, study: "Study") -> dict[str, Any]:
    """Return the results as one tree for a program."""
    names = [metric.key for metric in plan.sweep.objectives]

    def tree_of(trial: FrozenTrial) -> dict[str, Any]:
        return {
            "trial": trial.number,
            "state": trial.state.name,
            "values": dict(zip(names, trial.values, strict=True)) if trial.values else {},
            "settings": drawn_of(trial),
            "test": _test(trial),
            "run_id": trial.user_attrs.get(RUN),
            "reason": trial.user_attrs.get(REASON),
        }

    return {
        "study": plan.sweep.name,
        "selection": plan.sweep.selection,
        "parent": parent_of(study),
        "counts": tally(study)._asdict(),
        "best": [tree_of(trial) for trial in best_trials(study)],
        "trials": [tree_of(trial) for trial in attempts(study)],
    }


def drawn_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the settings that a trial drew; empty before it has begun."""
    return trial.user_attrs.get(DRAWN, {})


def trials_table(plan: Plan, study: "Study") -> str:
    """Return a table of every trial that counts: the best first, then the unfinished ones by number."""
    sweep = plan.sweep
    names = short_names(list(sweep.parameters))
    trials = sorted(attempts(study), key=lambda trial: _merit(plan, trial))
    rows = []
    for trial in trials:
        drawn = drawn_of(trial)
        values = trial.values if trial.state == TrialState.COMPLETE else [None] * len(sweep.objectives)
        measured = zip(sweep.objectives, values, strict=True)
        rows.append(
            [
                f"#{trial.number}",
                *(_cell(drawn.get(name)) for name in names),
                *(shown_value(plan.scores, metric.key, value) for metric, value in measured),
                _seconds(trial),
                trial.state.name.lower(),
            ]
        )
    header = ["trial", *names.values(), *(metric.key for metric in sweep.objectives), "time", "state"]
    failed = [
        f"#{t.number}: {t.user_attrs[REASON]}" for t in sorted(trials, key=lambda t: t.number) if REASON in t.user_attrs
    ]
    return "\n".join([table(rows, header=header), *failed])


def trial_line(plan: Plan, trial: FrozenTrial) -> str:
    """Return the line that is printed when a trial ends."""
    drawn = draw_words(drawn_of(trial))
    if trial.state == TrialState.COMPLETE:
        outcome = _objectives(plan, trial)
    else:
        outcome = f"{trial.state.name.lower()}: {trial.user_attrs.get(REASON, 'its worker died or was stopped')}"
    return f"trial {trial.number:>3}  {drawn}  {outcome}  {_seconds(trial)}"


def shown_value(scores: ScoreTable, name: str, value: float | None) -> str:
    """Return a metric as text, scores that are fractions in percent; "-" for None."""
    if value is None:
        return "-"
    return f"{percent(value)} %" if name.startswith(EVALUATIONS) and scores.is_percent(name) else f"{value:.4g}"


def figures(study: "Study", metrics: list[str]) -> tuple[dict[str, Figure], list[str]]:
    """Draw the plots of a study by its objectives `metrics`.

    Returns artifact name -> figure, and the reasons for missing plots.
    """
    import optuna.visualization.matplotlib as plots

    figures: dict[str, Figure] = {}
    with _off_screen() as figure_of:
        for name, draw in _possible_plots(study, metrics, plots):
            figures[f"plots/{name}.png"] = figure_of(draw())
    return figures, _missing_plots(study)


def pages(study: "Study", metrics: list[str]) -> dict[str, str]:
    """Draw the plots as interactive HTML pages: artifact name -> page. Without plotly there are none."""
    if importlib.util.find_spec("plotly") is None:
        return {}
    import optuna.visualization as plots

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return {
            f"plots/{name}.html": draw().to_html(include_plotlyjs="cdn")
            for name, draw in _possible_plots(study, metrics, plots)
        }


def _best(plan: Plan, trial: FrozenTrial) -> list[str]:
    drawn = drawn_of(trial)
    held_out = "on held-out people" if plan.sweep.selection == "holdout" else CHOSEN_ON_TEST
    lines = [f"best     trial {trial.number}: {_objectives(plan, trial)} ({held_out})"]
    test = _test(trial)
    if test:
        main = [name for name in sorted(test) if plan.scores.is_shown(name)]
        lines.append("test     " + ", ".join(f"{n[5:]} {shown_value(plan.scores, n, test[n])}" for n in main))
    return [*lines, f"train    rlq train {plan.train_words(drawn)}"]


def _objectives(plan: Plan, trial: FrozenTrial) -> str:
    """Return the objectives of a finished trial with their values."""
    values = zip(plan.sweep.objectives, trial.values, strict=True)
    return ", ".join(f"{metric.key} {shown_value(plan.scores, metric.key, value)}" for metric, value in values)


def _test(trial: FrozenTrial) -> dict[str, float]:
    return {name: value for name, value in trial.user_attrs.get(METRICS, {}).items() if name.startswith("test/")}


def _chosen(plan: Plan) -> str:
    return f" ({CHOSEN_ON_TEST})" if plan.sweep.selection == "test" else ""


def _merit(plan: Plan, trial: FrozenTrial) -> tuple[float, ...]:
    if trial.state != TrialState.COMPLETE:
        return (1.0, float(trial.number))
    first = plan.sweep.objectives[0]
    return (0.0, -trial.values[0] if first.goal == "maximize" else trial.values[0], float(trial.number))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _seconds(trial: FrozenTrial) -> str:
    return "-" if trial.duration is None else f"{trial.duration.total_seconds():.0f} s"


def _missing_plots(study: "Study") -> list[str]:
    """Return why there is no plot of the importance."""
    complete = _complete(study)
    if len(complete) < FEWEST:
        return [f"no importance plot: it needs {FEWEST} finished trials, there are {len(complete)}"]
    if not _varied(complete):
        return ["no importance plot: no parameter had two values, or all values are alike"]
    return []


def _possible_plots(study: "Study", metrics: list[str], plots: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
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
    """Return whether a parameter of all trials has two values, and the results differ too."""
    common = set.intersection(*(set(trial.params) for trial in complete))
    varied = any(len({str(trial.params[name]) for trial in complete}) > 1 for name in common)
    return varied and any(len(set(values)) > 1 for values in zip(*(trial.values for trial in complete), strict=True))


@contextmanager
def _off_screen() -> Iterator[Callable[[Any], Figure]]:
    """Keep the style and the figures of Optuna's pyplot calls from leaking, and open no window."""
    from matplotlib import pyplot

    figures: list[Figure] = []

    def figure_of(axes: Any) -> Figure:
        first = axes if not hasattr(axes, "flat") else axes.flat[0]  # plots return an array of axes, or one
        figure = first.get_figure()
        figure.set_size_inches(max(6.4, 3.0 * len(figure.axes)), 4.8)
        figures.append(figure)
        return figure

    with matplotlib.rc_context({"backend": "agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)  # about layouts that do not fit
        try:
            yield figure_of
        finally:
            for figure in figures:
                pyplot.close(figure)
