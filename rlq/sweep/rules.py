"""Rules between the parts of a sweep file, each broken one told with its line."""

import difflib
import math
from typing import TYPE_CHECKING

from rlq.sweep.parameters import in_order, wanted

if TYPE_CHECKING:
    from rlq.sweep.spec import Sweep

LARGEST_GRID = 10_000  # points; Optuna keeps a list of them
GENERATION = 50  # of nsgaii, unless population says otherwise


def check_parts(sweep: "Sweep") -> None:
    """Raises SettingsError where metrics, pruner, seeds, conditions and sampler do not go together."""
    _check_metrics(sweep)
    _check_conditions(sweep)
    _check_sampler(sweep)
    if sweep.sampler.name == "grid":
        _check_grid(sweep)


def _check_metrics(sweep: "Sweep") -> None:
    keys = [metric.key for metric in sweep.objectives]
    if (sweep.metric is None) == (not sweep.metrics):
        found = "both" if sweep.metric else "neither"
        message = "wants metric: {name: CC/rank1, goal: maximize}, or metrics: with a list of such"
        raise sweep.error(f"{message}; found {found}", "metrics")
    if sweep.metrics and (len(keys) < 2 or len(set(keys)) < len(keys)):
        raise sweep.error(f"metrics = {keys} should be two or more different ones; a single one is metric:", "metrics")
    if sweep.pruner and len(keys) > 1:
        raise sweep.error(f"pruner: of {len(keys)} metrics no trial is plainly the worse; pruner: null", "pruner")
    if sweep.pruner and sweep.objectives[0].evaluated is None:
        raise sweep.error(f"pruner: {keys[0]} is known only when a trial has ended; pruner: null", "pruner")
    if not sweep.seeds or len(set(sweep.seeds)) < len(sweep.seeds):
        raise sweep.error(f"seeds = {list(sweep.seeds)} should be one or more different numbers", "seeds")


def _check_conditions(sweep: "Sweep") -> None:
    for name, parameter in sweep.parameters.items():
        for other, condition in parameter.when.items():
            place = ("parameters", name, "when", other)
            if other not in sweep.parameters:
                near = difflib.get_close_matches(other, sweep.parameters, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]}?" if near else f"searched are {', '.join(sweep.parameters)}"
                raise sweep.error(f"{name}: when {other}: this sweep does not search it; {hint}", *place)
            points = None if sweep.parameters[other].kind == "range" else sweep.parameters[other].points()
            if points is None:
                raise sweep.error(f"{name}: when {other}: a condition is on values or steps, not on a scale", *place)
            never = [value for value in wanted(condition) if value not in points]
            if never or not wanted(condition):
                text = sweep.parameters[other].text()
                raise sweep.error(f"{name}: when {other}: it is never {never}; it is one of {text}", *place)
    waiting = [name for name in sweep.parameters if name not in in_order(sweep.parameters)]
    if waiting:
        raise sweep.error(
            f"{', '.join(waiting)} wait for each other (when:); one must be free", "parameters", waiting[0]
        )


def _check_sampler(sweep: "Sweep") -> None:
    """Refuse what a sampler cannot draw, or would draw at random without a word."""
    sampler = sweep.sampler
    if sampler.name == "cmaes" and len(sweep.objectives) > 1:
        raise sweep.error("sampler cmaes takes one metric; for several there are tpe and nsgaii", "sampler")
    for name, parameter in sweep.parameters.items():
        place = ("parameters", name)
        if parameter.when and sampler.name not in ("tpe", "random"):
            raise sweep.error(
                f"{name}: when: is for the samplers tpe and random, not for {sampler.name}", *place, "when"
            )
        if parameter.kind == "values" and sampler.name in ("qmc", "cmaes"):
            message = f"{name}: sampler {sampler.name} searches numbers only; for values there are tpe, gp and grid"
            raise sweep.error(message, *place, "values")
    numbers = sum({"number": 1, "range": 2}.get(parameter.kind, 0) for parameter in sweep.parameters.values())
    if sampler.name == "cmaes" and numbers < 2:
        raise sweep.error(f"sampler cmaes needs two numbers or more, here is {numbers}; tpe takes one", "sampler")
    first = sampler.population or (GENERATION if sampler.name == "nsgaii" else sampler.startup)
    if first and first >= sweep.trials:
        option = "population" if sampler.name == "nsgaii" else "startup"
        raise sweep.error(
            f"sampler {sampler.name}: its first {first} trials are random, and there are {sweep.trials} trials in all; "
            f"set a smaller sampler.{option}",
            "sampler",
        )


def _check_grid(sweep: "Sweep") -> None:
    if sweep.enqueue:
        raise sweep.error("enqueue: a grid visits every point in any case, and would visit these twice", "enqueue")
    counts = []
    for name, parameter in sweep.parameters.items():
        count = parameter.count()
        if count is None:
            message = f"{name}: a grid wants values, or min and max with a step, not {parameter.text()}"
            raise sweep.error(message, "parameters", name)
        counts.append(count)
    size = math.prod(counts)
    if size > LARGEST_GRID:
        raise sweep.error(
            f"a grid of {size} points is more than {LARGEST_GRID}; larger steps, or sampler: tpe", "sampler"
        )
