"""Constraints of a sweep: `cap.pose.split <= backbone.split`, `model/parameters_inference <= 1e6`."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from rlq.core.errors import SettingsError

if TYPE_CHECKING:
    from rlq.sweep.spec import Sweep

PREFIXES = ("best", "last", "paper", "model", "time", "attributes", "chance", "histogram", "untrained")  # of a run
_FORM = re.compile(r"\s*([^\s<>=]+)\s*(<=|>=)\s*([^\s<>=]+)\s*")


class Constraint(NamedTuple):
    """`left` is to be at most `right`. A side is a number, a setting (`optim.lr`), an end of a range
    (`tad.motion_kernel.low`), or a metric (`best/CC/rank1`)."""

    left: str | float
    right: str | float

    @property
    def names(self) -> list[str]:
        return [side for side in self if isinstance(side, str)]

    @property
    def on_metrics(self) -> bool:
        """Whether it can be checked only after a run."""
        return any("/" in name for name in self.names)


def metric_key(name: str) -> str:
    """The name among a run's metrics: CC/rank1 -> best/CC/rank1; one with a prefix stays. Raises ValueError."""
    if name.startswith("test/"):
        raise ValueError(f"would choose on the test set; for that say {name.removeprefix('test/')} and selection: test")
    return name if name.partition("/")[0] in PREFIXES else f"best/{name}"


def parse(text: Any) -> Constraint:
    """A constraint as it stands in the file. Raises ValueError."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("should read NAME <= NAME-or-number, or >=")
    left, operator, right = match.groups()
    sides = [_side(left), _side(right)]
    if operator == ">=":
        sides.reverse()
    constraint = Constraint(*sides)
    if not constraint.names:
        raise ValueError("compares two numbers; should name a parameter or a metric")
    return constraint


def violations(
    sweep: "Sweep", drawn: Mapping[str, Any], metrics: Mapping[str, float] | None = None
) -> dict[str, float]:
    """By how much each constraint is broken: above 0 it is, else it holds.

    `drawn` are a trial's settings. Without `metrics` only constraints on parameters are looked at; with them, all. One
    on a parameter that this trial did not draw does not apply. Raises SettingsError at a metric that is not measured.
    """
    values = dict(drawn)
    for name, value in drawn.items():
        if isinstance(value, list | tuple) and len(value) == 2:
            values |= {f"{name}.low": value[0], f"{name}.high": value[1]}
    found = {}
    for text in sweep.constraints:
        constraint = parse(text)
        if constraint.on_metrics:
            if metrics is None:
                continue
            values |= {n: _measured(n, metrics, text) for n in constraint.names if "/" in n}
        if all(name in values for name in constraint.names):
            left, right = (values[side] if isinstance(side, str) else side for side in constraint)
            found[text] = float(left - right)
    return found


def _side(word: str) -> str | float:
    try:
        number = float(word)
    except ValueError:
        return word if "/" not in word else metric_key(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is no number to compare with")
    return number


def _measured(name: str, metrics: Mapping[str, float], text: str) -> float:
    if name not in metrics:
        raise SettingsError(f"constraint {text}: {name} is not measured; measured are {', '.join(sorted(metrics))}")
    return metrics[name]
