"""The sections of a sweep file as frozen settings: what is varied, what is measured, how values are chosen.

Pure data. `rlq.sweep.plan` reads the file and `rlq.sweep.validation` checks it.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, PlainValidator, PrivateAttr, StrictInt, field_validator, model_validator

from rlq.core.config import Settings
from rlq.core.errors import SettingsError
from rlq.core.scores import Goal, united
from rlq.core.settings import Count, Whole
from rlq.core.yaml_file import value_lines
from rlq.methods.catalogue import METHODS
from rlq.sweep.parameters import Parameter

LONGEST_NAME = 120  # bytes
_CONSTRAINT = re.compile(r"\s*([^\s<>=]+)\s*(<=|>=)\s*([^\s<>=]+)\s*")


class Constraint(NamedTuple):
    """An inequality: `left` must be at most `right`. Each side is a number, a setting (`optim.lr`), an end of a range
    (`tad.motion_kernel.low`) or a metric (`best/CC/rank1`)."""

    left: str | float
    right: str | float

    @property
    def names(self) -> list[str]:
        return [side for side in self if isinstance(side, str)]

    @property
    def on_metrics(self) -> bool:
        """Whether it can be checked only after a run."""
        return any("/" in name for name in self.names)


def parse_constraint(text: Any) -> Constraint:
    """Parse `cap.pose.split <= backbone.split` or `model/parameters_inference <= 1e6`. Raises ValueError."""
    match = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
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


def _side(word: str) -> str | float:
    try:
        number = float(word)
    except ValueError:
        return word if "/" not in word else metric_key(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is no number to compare with")
    return number


def metric_key(name: str) -> str:
    """Return the name among a run's metrics: a score such as CC/rank1 -> best/CC/rank1; other names stay as they are.

    Raises ValueError for a metric of the test set.
    """
    group, _, key = name.partition("/")
    if name.startswith("test/"):
        raise ValueError(f"would choose on the test set; to do so, write {key} and selection: test")
    scores = united(method.scores for method in METHODS.values())
    is_score = group in scores.groups or key in ("", *(score.key for score in scores.all))
    return f"best/{name}" if is_score else name


def _constraint(text: Any) -> str:
    parse_constraint(text)
    return text


def _guess(value: Any) -> Any:
    if value != "experiment" and not isinstance(value, Mapping):
        raise ValueError("should be parameters with their values, or the word experiment")
    return value


class Metric(Settings):
    """A metric by which trials are compared."""

    name: str  # CC/rank1 stands for best/CC/rank1; or with a prefix: last/CC/mAP, time/training_s
    goal: Goal

    @property
    def key(self) -> str:
        """The name among a run's metrics."""
        return metric_key(self.name)

    @property
    def evaluated(self) -> str | None:
        """The name within one evaluation, which a pruner compares; None for a metric that only a finished run has."""
        prefix, _, rest = self.key.partition("/")
        return rest if prefix in ("best", "last") and "/" in rest else None

    @field_validator("name")
    @classmethod
    def _not_of_the_test(cls, name: str) -> str:
        metric_key(name)
        return name


class SamplerSettings(Settings):
    """How values are chosen. A single word is the sampler's name."""

    name: Literal["tpe", "random", "grid", "gp", "qmc", "nsgaii", "cmaes"] = "tpe"
    seed: Whole = 0
    startup: Count | None = None  # tpe, gp, cmaes: random trials before the model is used; None: Optuna's default
    population: Annotated[StrictInt, Field(ge=2)] | None = None  # nsgaii: trials per generation; None: Optuna's 50

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        for option, samplers in (("startup", ("tpe", "gp", "cmaes")), ("population", ("nsgaii",))):
            if getattr(self, option) is not None and self.name not in samplers:
                raise ValueError(f"{option} is for {', '.join(samplers)}; {self.name} does not use it")
        return self


class PrunerSettings(Settings):
    """Which trials are ended early. A single word is the pruner's name."""

    name: Literal["median", "halving", "hyperband"]
    startup: Count | None = None  # median: trials that run to their end before any is pruned; None: 5
    warmup: Whole | None = None  # median: epochs before which no trial is pruned; None: 0
    least: Count | None = None  # halving, hyperband: epochs that every trial runs; None: Optuna's choice
    reduction: Annotated[StrictInt, Field(ge=2)] | None = None  # one trial in so many continues; None: 4, hyperband 3

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        median = self.name == "median"
        for option in ("least", "reduction") if median else ("startup", "warmup"):
            if getattr(self, option) is not None:
                raise ValueError(f"{option} is for {'halving and hyperband' if median else 'median'}, not {self.name}")
        return self


class Heartbeat(Settings):
    """When a worker counts as dead, in seconds."""

    interval: Count = 60  # between two heartbeats
    grace: Count = 180  # without a heartbeat, until the trial counts as failed and is requeued
    retries: Whole = 2  # times that a trial is requeued

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.grace <= self.interval:
            raise ValueError(f"grace = {self.grace} should be longer than interval = {self.interval}")
        return self


class Lines:
    """The line numbers of one YAML file by place: the keys and list positions that lead to a value.

    A place that the file lacks has the line of its nearest parent.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines = value_lines(file.read_text(encoding="utf-8"))

    def of(self, *place: str | int) -> int:
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def at(self, *place: str | int) -> str:
        """Return the beginning of a message: the file's name and the line."""
        return f"{self.file.name}, line {self.of(*place)}"


class Sweep(Settings):
    """A sweep file. Each section is valid by itself; `rlq.sweep.validation` checks them against each other."""

    name: str  # of the study; default: the file's name
    experiment: Path  # the experiment that is varied, relative to the sweep file
    metric: Metric | None = None
    metrics: tuple[Metric, ...] = ()  # several: the answer is the trials that no other beats in all of them
    sampler: SamplerSettings = SamplerSettings()
    pruner: PrunerSettings | None = None  # none by default, as re-ID curves cross late
    seeds: tuple[Whole, ...] = (1,)  # of each trial, which counts by the mean; a pruner compares the first
    trials: Count = 20  # of all workers together
    timeout: Annotated[float, Field(gt=0)] | None = None  # seconds after which no trial is started
    selection: Literal["holdout", "test"] = "holdout"  # choose on held-out training people or on the test set
    fixed: dict[str, Any] = Field(default_factory=dict)  # setting -> value, in every trial
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]  # setting -> its possible values
    constraints: tuple[Annotated[str, PlainValidator(_constraint)], ...] = ()
    enqueue: tuple[Annotated[Any, PlainValidator(_guess)], ...] = ()  # first guesses; experiment: its own values
    heartbeat: Heartbeat = Heartbeat()
    _lines: Lines | None = PrivateAttr(None)

    @field_validator("name")
    @classmethod
    def _is_a_file_name(cls, name: str) -> str:
        if not name.strip() or name.startswith(".") or len(name.encode("utf-8", "replace")) > LONGEST_NAME:
            raise ValueError(f"should be 1 to {LONGEST_NAME} letters, not only spaces, and not begin with a dot")
        if not name.isprintable() or any(letter in name for letter in '/\\:?#%*"<>|'):
            raise ValueError("names a file and a folder among the runs: it should not contain /, \\, : or the like")
        return name

    @field_validator("sampler", "pruner", mode="before")
    @classmethod
    def _named_by_a_word(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], lines: Lines) -> Self:
        """Validate what a file holds. Raises pydantic's ValidationError."""
        sweep = cls.model_validate(tree)
        sweep._lines = lines
        return sweep

    @property
    def objectives(self) -> tuple[Metric, ...]:
        """The metrics, one or several."""
        return self.metrics or ((self.metric,) if self.metric else ())

    @property
    def directions(self) -> list[Goal]:
        """The goals of the objectives."""
        return [metric.goal for metric in self.objectives]

    @property
    def file(self) -> Path:
        """The file that was read. Raises SettingsError for a sweep that was not read from a file."""
        if self._lines is None:
            raise SettingsError(f"the sweep {self.name} was not read from a file")
        return self._lines.file

    def at(self, *place: str | int) -> str:
        """Return the file and the line of a place, such as ("parameters", "optim.lr", "min")."""
        return self._lines.at(*place) if self._lines else self.name

    def error(self, message: str, *place: str | int) -> SettingsError:
        """Return an error that begins with the file and the line of a place."""
        return SettingsError(f"{self.at(*place)}: {message}")


def violations(sweep: Sweep, drawn: Mapping[str, Any], metrics: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return by how much each constraint is broken; it holds at 0 and below.

    `drawn` are a trial's settings. Without `metrics`, only constraints on parameters are checked. A constraint on a
    parameter that this trial did not draw is left out. Raises SettingsError for a metric that is not measured.
    """
    values = dict(drawn)
    for name, value in drawn.items():
        if isinstance(value, list | tuple) and len(value) == 2:
            values |= {f"{name}.low": value[0], f"{name}.high": value[1]}
    excess = {}
    for text in sweep.constraints:
        constraint = parse_constraint(text)
        if constraint.on_metrics:
            if metrics is None:
                continue
            values |= {name: _measured(name, metrics, text) for name in constraint.names if "/" in name}
        if all(name in values for name in constraint.names):
            left, right = (values[side] if isinstance(side, str) else side for side in constraint)
            excess[text] = float(left - right)
    return excess


def _measured(name: str, metrics: Mapping[str, float], text: str) -> float:
    if name not in metrics:
        raise SettingsError(f"constraint {text}: {name} is not measured; measured are {', '.join(sorted(metrics))}")
    return metrics[name]
