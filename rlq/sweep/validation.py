"""Checks of a sweep before anything is trained: its sections against each other, and against its experiment."""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from rlq.core.config import Settings, flatten, known_names, validate, with_values
from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.core.text import did_you_mean
from rlq.sweep.parameters import Parameter, allowed_values, in_order, walk
from rlq.sweep.spec import Sweep, parse_constraint, violations

LARGEST_GRID = 10_000  # points; Optuna keeps a list of them
GENERATION = 50  # trials per generation of nsgaii without `population`
COMBINATIONS = 300  # draws of the other parameters that are tried before a value is refused
OWN_KEYS = {"seed": "seeds: [1, 2]", "data.selection": "selection: holdout, or test"}  # setting -> the sweep's own key

Experiment = Callable[[Mapping[str, Any]], Settings]  # values by dotted name -> the experiment with them


def check_parts(sweep: Sweep) -> None:
    """Raise SettingsError where metrics, pruner, seeds, conditions and sampler do not go together."""
    _check_metrics(sweep)
    _check_conditions(sweep)
    _check_sampler(sweep)
    if sweep.sampler.name == "grid":
        _check_grid(sweep)


def check(sweep: Sweep, settings: Settings) -> None:
    """Check a sweep against its experiment. Raises SettingsError that names the line.

    Every name must be a setting, and every value and end must be valid for it. A value that breaks a rule between
    settings is refused unless some values of the other parameters make it valid.
    """
    _check_names(sweep, settings)
    experiment = experiment_with_fixed(sweep, settings)
    _check_fixed(sweep, experiment)
    for name, parameter in sweep.parameters.items():
        _check_parameter(sweep, experiment, name, parameter)
    _check_constraints(sweep)
    for position, guess in enumerate(sweep.enqueue):
        values = experiment_values(sweep, experiment, position) if isinstance(guess, str) else guess
        _check_guess(sweep, experiment, values, position)


def experiment_with_fixed(sweep: Sweep, settings: Settings) -> Experiment:
    """Return the function that puts values into the experiment with the sweep's fixed settings.

    The function raises SettingsError for values that the experiment does not accept.
    """
    tree = with_values(settings.model_dump(mode="json"), {"data.selection": sweep.selection, **sweep.fixed})
    return lambda values: validate(type(settings), with_values(tree, values), sweep.file.name)


def experiment_values(sweep: Sweep, experiment: Experiment, position: int) -> dict[str, Any]:
    """Return the experiment's own value of each parameter: the guess `experiment` at this position of `enqueue`."""
    try:
        unchanged = experiment({})
    except SettingsError as error:
        message = f"the experiment with the fixed settings is not valid: {_without_file(sweep, error)}"
        raise sweep.error(message, "enqueue", position) from error.__cause__
    flat = flatten(unchanged)

    def value_of(name: str, parameter: Parameter) -> Any:
        if parameter.kind == "value":
            return parameter.value
        same = [v for v in parameter.values or () if experiment({name: v}) == unchanged]  # a word may mean a section
        value = same[0] if same else flat.get(name)
        reason = parameter.refusal(value)
        if reason:
            message = f"the experiment has {name} = {value!r}: {reason}; widen the parameter, or remove this guess"
            raise sweep.error(message, "enqueue", position)
        return value

    values = walk(sweep.parameters, value_of)
    return {name: value for name, value in values.items() if sweep.parameters[name].kind != "value"}


def _check_metrics(sweep: Sweep) -> None:
    keys = [metric.key for metric in sweep.objectives]
    if (sweep.metric is None) == (not sweep.metrics):
        given = "both" if sweep.metric else "neither"
        message = "needs metric: {name: CC/rank1, goal: maximize}, or metrics: with a list of several"
        raise sweep.error(f"{message}; found {given}", "metrics")
    if sweep.metrics and (len(keys) < 2 or len(set(keys)) < len(keys)):
        message = f"metrics = {keys} should be two or more different ones; for a single one use metric:"
        raise sweep.error(message, "metrics")
    if sweep.pruner and len(keys) > 1:
        raise sweep.error(f"pruner: trials with {len(keys)} metrics cannot be pruned; set pruner: null", "pruner")
    if sweep.pruner and sweep.objectives[0].evaluated is None:
        raise sweep.error(f"pruner: {keys[0]} is known only when a trial has ended; set pruner: null", "pruner")
    if not sweep.seeds or len(set(sweep.seeds)) < len(sweep.seeds):
        raise sweep.error(f"seeds = {list(sweep.seeds)} should be one or more different numbers", "seeds")


def _check_conditions(sweep: Sweep) -> None:
    for name, parameter in sweep.parameters.items():
        for other, condition in parameter.when.items():
            place = ("parameters", name, "when", other)
            if other not in sweep.parameters:
                help_text = did_you_mean(other, sweep.parameters) or f"searched are {', '.join(sweep.parameters)}"
                raise sweep.error(f"{name}: when {other}: this sweep does not search it; {help_text}", *place)
            points = None if sweep.parameters[other].kind == "range" else sweep.parameters[other].points()
            if points is None:
                message = f"{name}: when {other}: a condition needs a parameter with values or steps"
                raise sweep.error(message, *place)
            impossible = [value for value in allowed_values(condition) if value not in points]
            if impossible or not allowed_values(condition):
                text = sweep.parameters[other].text()
                raise sweep.error(f"{name}: when {other}: it is never {impossible}; it is one of {text}", *place)
    circular = [name for name in sweep.parameters if name not in in_order(sweep.parameters)]
    if circular:
        message = f"{', '.join(circular)}: their conditions (when:) form a circle; remove one"
        raise sweep.error(message, "parameters", circular[0])


def _check_sampler(sweep: Sweep) -> None:
    """Refuse what a sampler cannot draw, or would silently draw at random."""
    sampler = sweep.sampler
    if sampler.name == "cmaes" and len(sweep.objectives) > 1:
        raise sweep.error("sampler cmaes takes one metric; for several use tpe or nsgaii", "sampler")
    for name, parameter in sweep.parameters.items():
        place = ("parameters", name)
        if parameter.when and sampler.name not in ("tpe", "random"):
            message = f"{name}: when: is for the samplers tpe and random, not for {sampler.name}"
            raise sweep.error(message, *place, "when")
        if parameter.kind == "values" and sampler.name in ("qmc", "cmaes"):
            message = f"{name}: sampler {sampler.name} searches numbers only; for values use tpe, gp or grid"
            raise sweep.error(message, *place, "values")
    numbers = sum({"number": 1, "range": 2}.get(parameter.kind, 0) for parameter in sweep.parameters.values())
    if sampler.name == "cmaes" and numbers < 2:
        raise sweep.error(f"sampler cmaes needs two numbers or more, here is {numbers}; use tpe for one", "sampler")
    first = sampler.population or (GENERATION if sampler.name == "nsgaii" else sampler.startup)
    if first and first >= sweep.trials:
        option = "population" if sampler.name == "nsgaii" else "startup"
        raise sweep.error(
            f"sampler {sampler.name}: its first {first} trials are random, and there are {sweep.trials} trials in all; "
            f"set a smaller sampler.{option}",
            "sampler",
        )


def _check_grid(sweep: Sweep) -> None:
    if sweep.enqueue:
        raise sweep.error("enqueue: a grid visits every point in any case, and would visit these twice", "enqueue")
    counts = []
    for name, parameter in sweep.parameters.items():
        count = parameter.count()
        if count is None:
            message = f"{name}: a grid needs values, or min and max with a step, not {parameter.text()}"
            raise sweep.error(message, "parameters", name)
        counts.append(count)
    size = math.prod(counts)
    if size > LARGEST_GRID:
        message = f"a grid of {size} points is more than {LARGEST_GRID}; use larger steps, or sampler: tpe"
        raise sweep.error(message, "sampler")


def _check_names(sweep: Sweep, settings: Settings) -> None:
    names = known_names(type(settings))
    places = [("fixed", name) for name in sweep.fixed] + [("parameters", name) for name in sweep.parameters]
    for part, name in places:
        if name not in names:
            help_text = did_you_mean(name, names) or "rlq train FILE --print-config shows all"
            raise sweep.error(f"unknown setting {name}; {help_text}", part, name)
        if name in OWN_KEYS:
            raise sweep.error(f"{name} is not for {part}; in a sweep write {OWN_KEYS[name]}", part, name)
    for (_, one), (part, other) in itertools.combinations(places, 2):
        if one == other:
            raise sweep.error(f"{one} is both fixed and searched; keep one", part, other)
        if one.startswith(f"{other}.") or other.startswith(f"{one}."):
            raise sweep.error(f"{one} and {other} overlap: one contains the other; keep one", part, other)


def _check_fixed(sweep: Sweep, experiment: Experiment) -> None:
    try:
        experiment({})
    except SettingsError as error:
        wrong = [name for name in sweep.fixed if _is_about(error, name)]
        if wrong or not _some_draw_is_valid(sweep, experiment, {}):
            raise sweep.error(_without_file(sweep, error), "fixed", *wrong[:1]) from error.__cause__


def _check_parameter(sweep: Sweep, experiment: Experiment, name: str, parameter: Parameter) -> None:
    for value in parameter.samples():
        try:
            _check_values(sweep, experiment, {name: value}, ("parameters", name))
        except SettingsError as error:
            if _is_about(error, name) or not _some_draw_is_valid(sweep, experiment, {name: value}):
                raise
    if parameter.kind in ("number", "range") and parameter.whole and parameter.step is None:
        _check_fractions(sweep, experiment, name, parameter)


def _check_fractions(sweep: Sweep, experiment: Experiment, name: str, parameter: Parameter) -> None:
    """Refuse whole ends without a step for a setting that accepts fractions, as no fraction would be drawn."""
    low, high = parameter.ends
    try:
        experiment({name: low + 0.5 if parameter.kind == "number" else [low + 0.5, high]})
    except SettingsError:
        return
    ends = [float(low), float(high)]
    written = f"min: {ends[0]}, max: {ends[1]}" if parameter.kind == "number" else f"range: {ends}"
    raise sweep.error(
        f"{name}: between whole ends only whole numbers are drawn, but this setting takes any; write {written}, or "
        "step: 1 if only whole numbers are meant",
        *("parameters", name),
    )


def _check_values(
    sweep: Sweep, experiment: Experiment, values: Mapping[str, Any], place: tuple[str | int, ...]
) -> None:
    """Raise SettingsError, with the line of `place`, unless the experiment accepts these values."""
    try:
        experiment(values)
    except SettingsError as error:
        assignments = ", ".join(f"{name} = {value!r}" for name, value in values.items())
        message = _without_file(sweep, error)
        if not message.startswith(assignments):
            message = f"{assignments}: {message}"
        raise sweep.error(message, *place) from error.__cause__


def _without_file(sweep: Sweep, error: SettingsError) -> str:
    """Return the message without the file's name, which `Sweep.error` puts in front with a line."""
    return str(error).removeprefix(f"{sweep.file.name}: ")


def _is_about(error: SettingsError, name: str) -> bool:
    """Return whether a setting cannot have its value, whatever the others are."""
    path = tuple(name.split("."))
    cause = error.__cause__
    mistakes = cause.errors() if isinstance(cause, ValidationError) else []
    return any(tuple(mistake["loc"][: len(path)]) == path for mistake in mistakes)


def _some_draw_is_valid(sweep: Sweep, experiment: Experiment, given: Mapping[str, Any]) -> bool:
    """Return whether some values of the other parameters make the experiment valid with the given ones."""
    samples = {name: [given[name]] if name in given else p.samples() for name, p in sweep.parameters.items()}
    random = generator("sweep", sweep.name, repr(given))
    for _ in range(COMBINATIONS):
        drawn = walk(sweep.parameters, lambda name, _: samples[name][random.integers(len(samples[name]))])
        if given.keys() <= drawn.keys():
            try:
                experiment(drawn)
            except SettingsError:
                continue
            return True
    return False


def _check_constraints(sweep: Sweep) -> None:
    ends = {f"{n}.{end}" for n, p in sweep.parameters.items() if p.kind == "range" for end in ("low", "high")}
    names = sorted(ends | {n for n, p in sweep.parameters.items() if p.kind != "range"})
    for position, text in enumerate(sweep.constraints):
        for name in parse_constraint(text).names:
            if "/" not in name and name not in names:
                help_text = did_you_mean(name, names) or f"searched are {', '.join(names)}"
                message = f"constraint {text}: {name} is not searched; {help_text}"
                raise sweep.error(message, "constraints", position)
            parameter = sweep.parameters.get(name)
            values = parameter.points() if parameter and parameter.kind in ("value", "values") else None
            words = [v for v in values or () if isinstance(v, bool) or not isinstance(v, int | float)]
            if words:
                raise sweep.error(f"constraint {text}: {name} may be {words[0]!r}, no number", "constraints", position)


def _check_guess(sweep: Sweep, experiment: Experiment, guess: Mapping[str, Any], position: int) -> None:
    place = ("enqueue", position)
    if not guess:
        raise sweep.error("an empty guess; name parameters with their values", *place)
    for name, value in guess.items():
        if name not in sweep.parameters:
            help_text = did_you_mean(str(name), sweep.parameters) or f"searched are {', '.join(sweep.parameters)}"
            raise sweep.error(f"enqueue: {name} is not searched; {help_text}", *place, name)
        reason = sweep.parameters[name].refusal(value)
        if reason:
            raise sweep.error(f"enqueue: {name} = {value!r}: {reason}", *place, name)
    broken = [text for text, excess in violations(sweep, guess).items() if excess > 0]
    if broken:
        raise sweep.error(f"enqueue: breaks the constraint {broken[0]}", *place)
    if all(name in guess or p.kind == "value" or p.when for name, p in sweep.parameters.items()):
        _check_values(sweep, experiment, guess, place)
