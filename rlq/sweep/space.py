"""The search space of a sweep: drawing from it, first guesses, descriptions, and comparison with another."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rlq.core.config import Settings
from rlq.core.text import table
from rlq.methods.base import Method
from rlq.sweep.parameters import Parameter, allowed_values, coded, walk
from rlq.sweep.spec import Sweep
from rlq.sweep.validation import experiment_values, experiment_with_fixed

if TYPE_CHECKING:
    import optuna


def draw(trial: "optuna.trial.BaseTrial", sweep: Sweep) -> dict[str, Any]:
    """Draw one point: dotted setting -> value as in YAML; a range is [low, high].

    A parameter whose `when` is not met is left out, so that the experiment's value stays.
    """
    pairs = sweep.sampler.name == "grid"
    return walk(sweep.parameters, lambda name, parameter: _suggest(trial, name, parameter, pairs))


def flat_guess(guess: Mapping[str, Any] | str, sweep: Sweep, settings: Settings) -> dict[str, Any]:
    """Return a first guess as Optuna's enqueue_trial accepts it; `experiment` means the experiment's own values."""
    if isinstance(guess, str):
        guess = _own_guess(guess, sweep, settings)
    flat: dict[str, Any] = {}
    for name, value in guess.items():
        parameter = sweep.parameters[name]
        if parameter.kind == "values":
            flat[name] = coded(value)
        elif parameter.kind == "number":
            flat[name] = value if parameter.whole else float(value)
        else:
            flat |= {f"{name}.{end}": v if parameter.whole else float(v) for end, v in zip(("low", "high"), value)}
    return flat


def smoke(sweep: Sweep, method: Method) -> dict[str, Any]:
    """Return the settings that shorten every trial to a few steps, for `--smoke`. Raises SettingsError."""
    values = method.smoke()
    searched = sorted(values.keys() & set(sweep.parameters))
    if searched:
        place = ("parameters", searched[0])
        raise sweep.error(f"--smoke sets {searched[0]} itself; this sweep searches it and cannot be shortened", *place)
    return values


def describe(sweep: Sweep, settings: Settings) -> str:
    """Describe the search, for `--print-space`."""
    rows = [
        [name, p.kind, p.text(), "any" if p.count() is None else str(p.count()), _conditions(p)]
        for name, p in sweep.parameters.items()
    ]
    size = _size(sweep)
    guesses = [_guess_text(guess, sweep, settings) for guess in sweep.enqueue]
    options = {
        "sweep": f"{sweep.name}, varies {sweep.experiment}",
        "metric": "; ".join(f"{metric.goal} {metric.key}" for metric in sweep.objectives),
        "chosen on": "held-out training people" if sweep.selection == "holdout" else "the test set, as the paper does",
        "sampler": _options(sweep.sampler),
        "pruner": _options(sweep.pruner) if sweep.pruner else "none",
        "seeds": ", ".join(map(str, sweep.seeds)),
        "trials": f"{sweep.trials}" + (f", none begun after {sweep.timeout:g} s" if sweep.timeout else ""),
        "points": "any number" if size is None else f"{'at most ' if _has_conditions(sweep) else ''}{size:,}",
        "fixed": ", ".join(f"{name} = {_text(value)}" for name, value in sweep.fixed.items()) or "nothing",
        "constraints": "; ".join(sweep.constraints) or "none",
        "first": "\n             ".join(guesses) or "nothing",
    }
    lines = [f"{label:<12} {text}" for label, text in options.items()]
    return "\n".join([*lines, "", table(rows, header=["parameter", "kind", "possible values", "number", "when"])])


def draw_words(drawn: Mapping[str, Any]) -> str:
    """Describe a draw by the shortest unambiguous names: "clusters=15 pose.split=1"."""
    return " ".join(f"{short}={_word(drawn[name])}" for name, short in short_names(drawn).items())


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each dotted name its last parts, as many as no other name ends with."""
    names = list(names)

    def tail(name: str, parts: int) -> str:
        return ".".join(name.split(".")[-parts:])

    def shortest(name: str) -> str:
        others = [other for other in names if other != name]
        for parts in range(1, name.count(".") + 2):
            if all(tail(other, parts) != tail(name, parts) for other in others):
                return tail(name, parts)
        return name

    return {name: shortest(name) for name in names}


def space_signature(sweep: Sweep) -> str:
    """Return as JSON what trials of one study have in common; equal for two spellings of the same search."""
    tree = {
        "metrics": {metric.key: metric.goal for metric in sweep.objectives},
        "seeds": list(sweep.seeds),
        "selection": sweep.selection,
        "fixed": sweep.fixed,
        "constraints": sorted(sweep.constraints),
        "parameters": {name: parameter.shape() for name, parameter in sweep.parameters.items()},
    }
    if sweep.sampler.name == "grid":
        tree["ranges"] = "pairs"  # a grid has one Optuna parameter for both ends of a range
    return json.dumps(tree, sort_keys=True)


def difference(old: str, new: str) -> str:
    """Describe the differences of two signatures; empty when they are equal."""
    before, after = json.loads(old), json.loads(new)
    changes = []
    for part in sorted({*before, *after}):
        was, now = before.get(part), after.get(part)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            changes += [
                f"{part}.{name} {_change(was.get(name), now.get(name), name in was, name in now)}"
                for name in sorted({*was, *now})
                if was.get(name) != now.get(name) or (name in was) != (name in now)
            ]
        else:
            changes.append(f"{part} {_change(was, now, part in before, part in after)}")
    return "; ".join(changes)


def _change(was: Any, now: Any, had: bool, has: bool) -> str:
    if not had:
        return f"is new ({_text(now)})"
    return f"was {_text(was)}, is {_text(now)}" if has else f"is gone (was {_text(was)})"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value).replace(" ", "") if isinstance(value, list | tuple) else str(value)


def _options(settings: Settings) -> str:
    given = {key: value for key, value in settings.model_dump(mode="json").items() if value is not None}
    return ", ".join([given.pop("name"), *(f"{key} {value}" for key, value in given.items())])


def _conditions(parameter: Parameter) -> str:
    return " and ".join(
        f"{other} is {' or '.join(map(_text, allowed_values(condition)))}"
        for other, condition in parameter.when.items()
    )


def _size(sweep: Sweep) -> int | None:
    counts = [parameter.count() for parameter in sweep.parameters.values()]
    return None if None in counts else math.prod(count for count in counts if count is not None)


def _has_conditions(sweep: Sweep) -> bool:
    return any(parameter.when for parameter in sweep.parameters.values())


def _guess_text(guess: Mapping[str, Any] | str, sweep: Sweep, settings: Settings) -> str:
    if isinstance(guess, str):
        return f"{_assignments(_own_guess(guess, sweep, settings))} (the experiment's own)"
    return _assignments(guess)


def _own_guess(guess: str, sweep: Sweep, settings: Settings) -> dict[str, Any]:
    return experiment_values(sweep, experiment_with_fixed(sweep, settings), sweep.enqueue.index(guess))


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_text(value)}" for name, value in values.items())


def _suggest(trial: "optuna.trial.BaseTrial", name: str, parameter: Parameter, pairs: bool) -> Any:
    if parameter.kind == "value":
        return parameter.value
    if parameter.kind == "values":
        return parameter.choice(trial.suggest_categorical(name, parameter.choices))
    if parameter.kind == "range" and pairs:
        return json.loads(trial.suggest_categorical(name, [coded(pair) for pair in parameter.pairs()]))
    low, high = parameter.ends

    def number(label: str) -> int | float:
        if parameter.whole:
            step = int(parameter.stride or 1)
            return trial.suggest_int(label, int(low), int(high), step=step, log=parameter.log)
        return parameter.snapped(trial.suggest_float(label, low, high, step=parameter.stride, log=parameter.log))

    return number(name) if parameter.kind == "number" else sorted([number(f"{name}.low"), number(f"{name}.high")])
