"""What a sweep says at its end: its trials, the best ones, how to train with them, what they reach on the test."""

from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from rlq.core.console import percent, table
from rlq.sweep.plan import CHOSEN_ON_TEST, Plan
from rlq.sweep.study import REASON, attempts, parent_of, tally
from rlq.sweep.trial import DRAWN, METRICS, RUN, draw_words, short_names

if TYPE_CHECKING:
    from optuna import Study

FRACTIONS = ("best/", "last/", "paper/", "test/")  # shown in percent


def best_trials(study: "Study") -> list[FrozenTrial]:
    """The best trial that keeps the constraints; with several objectives all that no other beats in each."""
    if len(study.directions) > 1:
        return study.best_trials
    try:
        return [study.best_trial]
    except ValueError:  # none is finished, or none keeps the constraints
        return []


def words(plan: Plan, study: "Study", links: dict[str, str]) -> str:
    """The closing lines of `rlq sweep`."""
    sweep, best = plan.sweep, best_trials(study)
    lines = ["", f"{sweep.name}: {tally(study)}{_chosen(plan)}", "", trials_table(plan, study)]
    if not best:
        lines += ["", "no trial is finished within the constraints, so there is no best one"]
    elif len(best) > 1:
        lines += ["", f"{len(best)} trials are beaten by no other in {' and '.join(m.key for m in sweep.objectives)}:"]
    for trial in best:
        lines += ["", *_best(plan, trial)]
    lines += [f"parent   {parent_of(study)}", *(f"{name:<8} {address}" for name, address in links.items())]
    return "\n".join(lines)


def as_tree(plan: Plan, study: "Study") -> dict[str, Any]:
    """The same for a program."""
    names = [metric.key for metric in plan.sweep.objectives]

    def told(trial: FrozenTrial) -> dict[str, Any]:
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
        "best": [told(trial) for trial in best_trials(study)],
        "trials": [told(trial) for trial in attempts(study)],
    }


def drawn_of(trial: FrozenTrial) -> dict[str, Any]:
    """What a trial drew, setting -> value; empty before it has begun."""
    return trial.user_attrs.get(DRAWN, {})


def trials_table(plan: Plan, study: "Study") -> str:
    """Every trial that counts, the best first, then the unfinished ones by number."""
    sweep = plan.sweep
    names = short_names(list(sweep.parameters))
    trials = sorted(attempts(study), key=lambda trial: _merit(plan, trial))
    rows = []
    for trial in trials:
        drawn = drawn_of(trial)
        values = trial.values if trial.state == TrialState.COMPLETE else [None] * len(sweep.objectives)
        rows.append(
            [
                f"#{trial.number}",
                *(_cell(drawn.get(name)) for name in names),
                *(shown_value(metric.key, value) for metric, value in zip(sweep.objectives, values, strict=True)),
                _seconds(trial),
                trial.state.name.lower(),
            ]
        )
    header = ["trial", *names.values(), *(metric.key for metric in sweep.objectives), "time", "state"]
    failed = [
        f"#{t.number}: {t.user_attrs[REASON]}" for t in sorted(trials, key=lambda t: t.number) if REASON in t.user_attrs
    ]
    return "\n".join([table(rows, header=header), *failed])


def one_line(plan: Plan, trial: FrozenTrial) -> str:
    """What is said of a trial when it ends."""
    drawn = draw_words(drawn_of(trial))
    if trial.state == TrialState.COMPLETE:
        scores = zip(plan.sweep.objectives, trial.values, strict=True)
        outcome = ", ".join(f"{metric.key} {shown_value(metric.key, value)}" for metric, value in scores)
    else:
        outcome = f"{trial.state.name.lower()}: {trial.user_attrs.get(REASON, 'its worker died or was stopped')}"
    return f"trial {trial.number:>3}  {drawn}  {outcome}  {_seconds(trial)}"


def shown_value(name: str, value: float | None) -> str:
    """A metric as people read it: fractions in percent."""
    if value is not None and not name.startswith(FRACTIONS):
        return f"{value:.4g}"
    return percent(value) + (" %" if value is not None else "")


def _best(plan: Plan, trial: FrozenTrial) -> list[str]:
    drawn = drawn_of(trial)
    scores = zip(plan.sweep.objectives, trial.values, strict=True)
    held_out = "on held-out people" if plan.sweep.selection == "holdout" else CHOSEN_ON_TEST
    lines = [
        f"best     trial {trial.number}: "
        + ", ".join(f"{metric.key} {shown_value(metric.key, value)}" for metric, value in scores)
        + f" ({held_out})"
    ]
    test = _test(trial)
    if test:
        main = [name for name in sorted(test) if name.endswith(("/rank1", "/mAP"))]
        lines.append("test     " + ", ".join(f"{name[5:]} {shown_value(name, test[name])}" for name in main))
    return [*lines, f"train    rlq train {plan.train_words(drawn)}"]


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
