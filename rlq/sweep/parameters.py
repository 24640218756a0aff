"""The parameters of a sweep: the possible values of each, conditions between them, and the order of drawing."""

import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, StrictBool, model_validator

from rlq.core.config import Settings

Kind = Literal["values", "number", "range", "value"]
MOST_POINTS = 1000  # of a scale that are checked one by one


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("should be a number")
    return value


Number = Annotated[int | float, PlainValidator(_number)]


class Parameter(Settings):
    """The possible values of one setting: a list of `values`, a number from `min` to `max`, two ends within `range`, or
    one fixed `value`.

    Whole ends with a whole step, or without a step, draw whole numbers.
    """

    values: tuple[Any, ...] | None = None
    min: Number | None = None
    max: Number | None = None
    range: tuple[Number, Number] | None = None  # the lowest and the highest end; a draw is [low, high]
    step: Number | None = None
    log: StrictBool = False
    value: Any = None
    when: dict[str, Any] = Field(default_factory=dict)  # other parameter -> value or list of values

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = self.model_fields_set - {"step", "log", "when"}
        kinds = sorted({"min and max" if key in ("min", "max") else key for key in given})
        if len(kinds) != 1:
            raise ValueError(
                f"needs one of values, min and max, range, or value; found {' and '.join(kinds) or 'none'}"
            )
        for key in ("step", "log"):
            if getattr(self, key) and self.kind in ("values", "value"):
                raise ValueError(f"{key} is for min and max{' or range' if key == 'step' else ''}, not for {self.kind}")
        if self.kind == "values":
            self._check_values()
        elif self.kind != "value":
            self._check_scale()
        return self

    @property
    def kind(self) -> Kind:
        given = self.model_fields_set
        return "number" if given & {"min", "max"} else next(k for k in ("values", "range", "value") if k in given)

    @property
    def ends(self) -> tuple[int | float, int | float]:
        """The lowest and the highest number, of a number or a range."""
        low, high = self.range or (self.min, self.max)
        return low, high  # type: ignore[return-value]

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return self.kind in ("number", "range") and all(isinstance(n, int) for n in (*self.ends, self.step or 1))

    @property
    def stride(self) -> int | float | None:
        """The distance of two neighbours; None for a continuous or a logarithmic scale."""
        return None if self.log else self.step or (1 if self.whole else None)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The `values` as Optuna accepts them."""
        return tuple(coded(value) for value in self.values or ())

    def choice(self, code: Any) -> Any:
        """Return the value that one of `choices` stands for."""
        return (self.values or ())[self.choices.index(code)]

    def points(self) -> list[Any] | None:
        """Return every value, or every possible end of a range; None for a scale without points."""
        if self.kind == "values":
            return list(self.values or ())
        if self.kind == "value":
            return [self.value]
        low, high = self.ends
        if self.log and self.whole:
            return list(range(int(low), int(high) + 1))
        if self.stride is None:
            return None
        return [_step(low, self.stride, number) for number in range(_steps(low, high, self.stride) + 1)]

    def snapped(self, drawn: int | float) -> int | float:
        """Round a drawn number to the decimals of the file: 0.3, where steps of 0.1 add up to 0.30000000000000004."""
        if self.stride is None:
            return drawn
        return _step(self.ends[0], self.stride, round((drawn - self.ends[0]) / self.stride))

    def pairs(self) -> list[list[Any]]:
        """Return every [low, high] of a range with points."""
        points = self.points() or []
        return [[low, high] for i, low in enumerate(points) for high in points[i:]]

    def count(self) -> int | None:
        """Return the number of different draws; None for a continuous scale."""
        points = self.points()
        if points is None:
            return None
        return len(points) * (len(points) + 1) // 2 if self.kind == "range" else len(points)

    def samples(self) -> list[Any]:
        """Return the values to check against a setting: all points, or the ends and the middle of a long scale."""
        points = self.points()
        if self.kind in ("values", "value"):
            return points or []
        low, high = self.ends
        if points is None or len(points) > MOST_POINTS:
            middle = math.sqrt(low * high) if self.log else (low + high) / 2
            points = [low, int(middle) if self.whole else middle, high]
        if self.kind == "number":
            return points
        return [[low, high], *([point, point] for point in points)]

    def refusal(self, value: Any) -> str | None:
        """Return the reason why a first guess cannot be drawn, or None."""
        if self.kind == "value":
            return f"this parameter is always {self.value!r}"
        if self.kind == "values":
            return None if coded(value) in self.choices else f"not among the values {list(self.values or ())}"
        if self.kind == "number":
            return self._outside(value)
        if not isinstance(value, list | tuple) or len(value) != 2:
            return "should be two ends, [low, high]"
        outside = next((why for end in value if (why := self._outside(end))), None)
        return outside or (f"should be in order, [{value[1]}, {value[0]}]" if value[0] > value[1] else None)

    def text(self) -> str:
        """Describe the possible values in words."""
        if self.kind in ("values", "value"):
            return ", ".join(v if isinstance(v, str) else json.dumps(v) for v in self.points() or [])
        low, high = self.ends
        step = f" in steps of {self.stride:g}" if self.stride not in (None, 1) else ""
        return f"{low:g} to {high:g}{step}{', logarithmic' if self.log else ''}"

    def shape(self) -> dict[str, Any]:
        """Return what defines the parameter, equal for two spellings of the same search."""
        if self.kind in ("values", "value"):
            shape: dict[str, Any] = {self.kind: self.values if self.kind == "values" else self.value}
        else:
            shape = {self.kind: list(self.ends), "step": self.stride, "log": self.log, "whole": self.whole}
        return shape | ({"when": dict(sorted(self.when.items()))} if self.when else {})

    def _check_values(self) -> None:
        if not self.values:
            raise ValueError("values = [] leaves nothing to choose from")
        for position, choice in enumerate(self.choices):
            if choice in self.choices[:position]:
                raise ValueError(f"values holds {json.dumps(choice)} twice")

    def _check_scale(self) -> None:
        if self.range is None and (self.min is None or self.max is None):
            raise ValueError(f"needs both min and max, only {'max' if self.min is None else 'min'} is given")
        (low, high), step = self.ends, self.step
        names = ("range", "range") if self.range else ("min", "max")
        if low > high:
            raise ValueError(f"{names[0]} {low:g} is above {names[1]} {high:g}: nothing lies between")
        if low == high:
            raise ValueError(f"from {low:g} to {high:g} there is one number only; write value: {low:g}")
        if self.log and (step is not None or self.range or low <= 0):
            raise ValueError("log: true is for min above 0 and max, without step and not for range")
        if step is None:
            return
        if step <= 0:
            raise ValueError(f"step = {step:g} should be above 0")
        if step > high - low:
            raise ValueError(f"step = {step:g} never fits between {low:g} and {high:g}")
        last = _step(low, step, _steps(low, high, step))
        if last != high:
            raise ValueError(f"in steps of {step:g}, {high:g} is never reached from {low:g}; the last one is {last:g}")

    def _outside(self, value: Any) -> str | None:
        low, high = self.ends
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "should be a number"
        if not low <= value <= high:
            return f"should lie in {self.text()}"
        off = self.stride is not None and abs((value - low) / self.stride - round((value - low) / self.stride)) > 1e-8
        return f"is not in {self.text()}" if off or (self.whole and not isinstance(value, int)) else None


def allowed_values(condition: Any) -> list[Any]:
    """Return the values that one entry of `when` allows."""
    return list(condition) if isinstance(condition, list | tuple) else [condition]


def is_met(when: Mapping[str, Any], drawn: Mapping[str, Any]) -> bool:
    """Return whether a parameter with these conditions is drawn; a condition on an undrawn parameter is not met."""
    return all(name in drawn and drawn[name] in allowed_values(condition) for name, condition in when.items())


def in_order(parameters: Mapping[str, Parameter]) -> list[str]:
    """Return the names, each after those in its `when`. Parameters that depend on each other are left out."""
    order: list[str] = []
    while ready := [n for n, p in parameters.items() if n not in order and all(other in order for other in p.when)]:
        order += ready
    return order


def walk(parameters: Mapping[str, Parameter], choose: Callable[[str, Parameter], Any]) -> dict[str, Any]:
    """Choose a value for each parameter whose conditions are met; a parameter comes after those that it depends on."""
    values: dict[str, Any] = {}
    for name in in_order(parameters):
        if is_met(parameters[name].when, values):
            values[name] = choose(name, parameters[name])
    return {name: values[name] for name in parameters if name in values}


def coded(value: Any) -> Any:
    """Return a value in a form that Optuna accepts: the JSON text of a list or a mapping, everything else as it is."""
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else json.dumps(value, sort_keys=True)


def _steps(low: float, high: float, step: float) -> int:
    """Return how many whole steps fit between low and high."""
    return int((Decimal(str(high)) - Decimal(str(low))) / Decimal(str(step)))


def _step(low: float, step: float, number: int) -> int | float:
    """Return the point `number` steps above low, in the decimals of the file."""
    point = Decimal(str(low)) + number * Decimal(str(step))
    return int(point) if isinstance(low, int) and isinstance(step, int) else float(point)
