"""A sweep held against the settings of its experiment, before anything is trained."""

import difflib
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from rlq.core.config import Settings, flatten, known_names, validate, with_values
from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.sweep.constraints import parse, violations
from rlq.sweep.parameters import Parameter, walk
from rlq.sweep.spec import Sweep

Base = Callable[[Mapping[str, Any]], Settings]  # the experiment with these values in it
ELSEWHERE = {"seed": "seeds: [1, 2]", "data.selection": "selection: holdout, or test"}  # what a sweep has words for
COMBINATIONS = 300  # of several parameters that are tried before one is refused


def check(sweep: Sweep, settings: Settings) -> None:
    """Hold a sweep against its experiment. Raises SettingsError that names the line.

    Every name must be a setting, and every value and end must be one that it takes. A value that breaks a rule between
    settings is refused unless other searched parameters can make up for it.
    """
    _check_names(sweep, settings)
    base = base_of(sweep, settings)
    _check_fixed(sweep, base)
    for name, parameter in sweep.parameters.items():
        _check_parameter(sweep, base, name, parameter)
    _check_constraints(sweep)
    for position, guess in enumerate(sweep.enqueue):
        _check_guess(sweep, base, own_values(sweep, base, position) if isinstance(guess, str) else guess, position)


def base_of(sweep: Sweep, settings: Settings) -> Base:
    """The experiment with the sweep's fixed settings and, given them, more values. Raises SettingsError."""
    tree = with_values(settings.model_dump(mode="json"), {"data.selection": sweep.selection, **sweep.fixed})
    return lambda values: validate(type(settings), with_values(tree, values), sweep.file.name)


def own_values(sweep: Sweep, base: Base, position: int) -> dict[str, Any]:
    """What the experiment itself has for each parameter: the first guess that is called `experiment`."""
    try:
        unchanged = base({})
    except SettingsError as error:
        message = f"the experiment with what is fixed is no guess, as it does not run: {_told(sweep, error)}"
        raise sweep.error(message, "enqueue", position) from error.__cause__
    flat = flatten(unchanged)

    def own(name: str, parameter: Parameter) -> Any:
        if parameter.kind == "value":
            return parameter.value
        same = [v for v in parameter.values or () if base({name: v}) == unchanged]  # a word may stand for a section
        value = same[0] if same else flat.get(name)
        why = parameter.refusal(value)
        if why:
            message = f"the experiment has {name} = {value!r}: {why}; widen the parameter, or leave this guess out"
            raise sweep.error(message, "enqueue", position)
        return value

    values = walk(sweep.parameters, own)
    return {name: value for name, value in values.items() if sweep.parameters[name].kind != "value"}


def _check_names(sweep: Sweep, settings: Settings) -> None:
    known = known_names(type(settings))
    for part, names in (("fixed", sweep.fixed), ("parameters", sweep.parameters)):
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]}?" if near else "rlq train FILE --print-config shows all"
                raise sweep.error(f"unknown setting {name}; {hint}", part, name)
            if name in ELSEWHERE:
                raise sweep.error(f"{name} is not for {part}; a sweep says {ELSEWHERE[name]}", part, name)
    every = [("fixed", name) for name in sweep.fixed] + [("parameters", name) for name in sweep.parameters]
    for (_, one), (part, other) in itertools.combinations(every, 2):
        if one == other:
            raise sweep.error(f"{one} is both fixed and searched; keep one", part, other)
        if one.startswith(f"{other}.") or other.startswith(f"{one}."):
            raise sweep.error(f"{one} and {other} overlap: one holds the other; keep one", part, other)


def _check_fixed(sweep: Sweep, base: Base) -> None:
    try:
        base({})
    except SettingsError as error:
        wrong = [name for name in sweep.fixed if _is_about(error, name)]
        if wrong or not _some_draw_is_valid(sweep, base, {}):
            raise sweep.error(_told(sweep, error), "fixed", *wrong[:1]) from error.__cause__


def _check_parameter(sweep: Sweep, base: Base, name: str, parameter: Parameter) -> None:
    samples = parameter.samples()
    for value in samples:
        try:
            _try(sweep, base, {name: value}, ("parameters", name))
        except SettingsError as error:
            if _is_about(error, name) or not _some_draw_is_valid(sweep, base, {name: value}):
                raise
    if parameter.kind in ("number", "range") and parameter.whole and parameter.step is None:
        _check_fractions(sweep, base, name, parameter)


def _check_fractions(sweep: Sweep, base: Base, name: str, parameter: Parameter) -> None:
    """Refuse whole ends without a step for a setting that takes fractions, of which none would be drawn."""
    low, high = parameter.ends
    try:
        base({name: low + 0.5 if parameter.kind == "number" else [low + 0.5, high]})
    except SettingsError:
        return
    ends = [float(low), float(high)]
    written = f"min: {ends[0]}, max: {ends[1]}" if parameter.kind == "number" else f"range: {ends}"
    raise sweep.error(
        f"{name}: between whole ends only whole numbers are drawn, but this setting takes any; write {written}, or "
        "step: 1 if that is meant",
        *("parameters", name),
    )


def _try(sweep: Sweep, base: Base, values: Mapping[str, Any], place: tuple[str | int, ...]) -> None:
    """Raises SettingsError, with the line of `place`, unless the experiment takes these values."""
    try:
        base(values)
    except SettingsError as error:
        shown = ", ".join(f"{name} = {value!r}" for name, value in values.items())
        message = _told(sweep, error)
        raise sweep.error(message if message.startswith(shown) else f"{shown}: {message}", *place) from error.__cause__


def _told(sweep: Sweep, error: SettingsError) -> str:
    """The message without the file's name, which gets a line."""
    return str(error).removeprefix(f"{sweep.file.name}: ")


def _is_about(error: SettingsError, name: str) -> bool:
    """Whether a setting cannot have its value whatever the others are."""
    path = tuple(name.split("."))
    cause = error.__cause__
    mistakes = cause.errors() if isinstance(cause, ValidationError) else []
    return any(tuple(mistake["loc"][: len(path)]) == path for mistake in mistakes)


def _some_draw_is_valid(sweep: Sweep, base: Base, given: Mapping[str, Any]) -> bool:
    """Whether the other parameters can be such that the experiment runs with the given ones."""
    samples = {name: [given[name]] if name in given else p.samples() for name, p in sweep.parameters.items()}
    random = generator("sweep", sweep.name, repr(given))
    for _ in range(COMBINATIONS):
        drawn = walk(sweep.parameters, lambda name, _: samples[name][random.integers(len(samples[name]))])
        if given.keys() <= drawn.keys():
            try:
                base(drawn)
            except SettingsError:
                continue
            return True
    return False


def _check_constraints(sweep: Sweep) -> None:
    ends = {f"{n}.{end}" for n, p in sweep.parameters.items() if p.kind == "range" for end in ("low", "high")}
    numbers = {n for n, p in sweep.parameters.items() if p.kind != "range"}
    for position, text in enumerate(sweep.constraints):
        for name in parse(text).names:
            if "/" not in name and name not in ends | numbers:
                near = difflib.get_close_matches(name, sorted(ends | numbers), n=1, cutoff=0.4)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(ends | numbers))}"
                raise sweep.error(f"constraint {text}: {name} is not searched; {hint}", "constraints", position)
            words = [v for v in _values(sweep, name) if isinstance(v, bool) or not isinstance(v, int | float)]
            if words:
                raise sweep.error(f"constraint {text}: {name} may be {words[0]!r}, no number", "constraints", position)


def _values(sweep: Sweep, name: str) -> tuple[Any, ...]:
    parameter = sweep.parameters.get(name)
    if parameter is None:
        return ()
    return (parameter.value,) if parameter.kind == "value" else parameter.values or ()


def _check_guess(sweep: Sweep, base: Base, guess: Mapping[str, Any], position: int) -> None:
    place = ("enqueue", position)
    if not guess:
        raise sweep.error("an empty guess; name parameters with their values", *place)
    for name, value in guess.items():
        if name not in sweep.parameters:
            near = difflib.get_close_matches(str(name), sweep.parameters, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"searched are {', '.join(sweep.parameters)}"
            raise sweep.error(f"enqueue: {name} is not searched; {hint}", *place, name)
        why = sweep.parameters[name].refusal(value)
        if why:
            raise sweep.error(f"enqueue: {name} = {value!r}: {why}", *place, name)
    broken = [text for text, excess in violations(sweep, guess).items() if excess > 0]
    if broken:
        raise sweep.error(f"enqueue: breaks the constraint {broken[0]}", *place)
    if all(name in guess or p.kind == "value" or p.when for name, p in sweep.parameters.items()):
        _try(sweep, base, guess, place)
