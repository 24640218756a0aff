"""The sweep file: what is varied, what is measured, how values are chosen. No word of it is dropped."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, PrivateAttr, StrictInt, ValidationError, field_validator, model_validator

from rlq.core.config import Settings, read_yaml
from rlq.core.errors import SettingsError
from rlq.core.settings import Count, Whole
from rlq.sweep.constraints import metric_key, parse
from rlq.sweep.lines import Lines
from rlq.sweep.parameters import Parameter
from rlq.sweep.rules import check_parts

LONGEST_NAME = 120  # bytes
OURS = {  # words of W&B's sweep files, and what takes their place
    "method": "sampler: {name: tpe}",
    "early_terminate": "pruner: {name: hyperband}",
    "run_cap": "trials: NUMBER",
    "program": "experiment: FILE.yaml, which names what is trained",
    "command": "experiment: FILE.yaml, and `rlq sweep FILE` starts it",
    "project": "fixed: {tracking.experiment: NAME}",
    "distribution": "values, min and max (with log: true for a logarithmic scale), or range",
    "q": "step",
    "mu": "min and max",
    "sigma": "min and max",
}


def _guess(value: Any) -> Any:
    if value != "experiment" and not isinstance(value, Mapping):
        raise ValueError("should be parameters with their values, or the word experiment")
    return value


def _constraint(text: Any) -> str:
    parse(text)
    return text


Goal = Literal["maximize", "minimize"]


class Metric(Settings):
    """One number that trials are compared by."""

    name: str  # CC/rank1 stands for best/CC/rank1; or with a prefix: last/CC/mAP, time/training_s
    goal: Goal

    @property
    def key(self) -> str:
        """The name among a run's metrics."""
        return metric_key(self.name)

    @property
    def evaluated(self) -> str | None:
        """The name in a single evaluation, which a pruner looks at; None for what is known only at the end."""
        prefix, _, rest = self.key.partition("/")
        return rest if prefix in ("best", "last") and "/" in rest else None

    @field_validator("name")
    @classmethod
    def _never_of_the_test(cls, name: str) -> str:
        metric_key(name)
        return name


class SamplerSettings(Settings):
    """How values are chosen. A word alone is its name."""

    name: Literal["tpe", "random", "grid", "gp", "qmc", "nsgaii", "cmaes"] = "tpe"
    seed: Whole = 0
    startup: Count | None = None  # tpe, gp, cmaes: trials drawn before the model has a say; None: Optuna's number
    population: Annotated[StrictInt, Field(ge=2)] | None = None  # nsgaii: trials per generation; None: Optuna's 50

    @model_validator(mode="after")
    def _used(self) -> Self:
        for option, samplers in (("startup", ("tpe", "gp", "cmaes")), ("population", ("nsgaii",))):
            if getattr(self, option) is not None and self.name not in samplers:
                raise ValueError(f"{option} is for {', '.join(samplers)}; {self.name} does not use it")
        return self


class PrunerSettings(Settings):
    """Which trials are ended early. A word alone is its name."""

    name: Literal["median", "halving", "hyperband"]
    startup: Count | None = None  # median: trials that run to their end before any is ended; None: 5
    warmup: Whole | None = None  # median: epochs in which none is ended; None: 0
    least: Count | None = None  # halving, hyperband: epochs that each trial gets; None: Optuna's choice
    reduction: Annotated[StrictInt, Field(ge=2)] | None = None  # one in so many goes on; None: 4, hyperband 3

    @model_validator(mode="after")
    def _used(self) -> Self:
        median = self.name == "median"
        for option in ("least", "reduction") if median else ("startup", "warmup"):
            if getattr(self, option) is not None:
                raise ValueError(f"{option} is for {'halving and hyperband' if median else 'median'}, not {self.name}")
        return self


class Heartbeat(Settings):
    """How a dead worker is noticed, in seconds."""

    interval: Count = 60  # between two signs of life
    grace: Count = 180  # without one, until its trial counts as failed and is queued again
    retries: Whole = 2  # times that a trial is queued again

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if self.grace <= self.interval:
            raise ValueError(f"grace = {self.grace} should be longer than interval = {self.interval}")
        return self


class Sweep(Settings):
    """A sweep file that makes sense by itself; `rlq.sweep.space.check` holds it against the settings."""

    name: str  # of the study; the file's name if it has none
    experiment: Path  # the experiment that is varied, relative to the sweep file
    metric: Metric | None = None
    metrics: tuple[Metric, ...] = ()  # several: wanted are the trials that no other beats in all of them
    sampler: SamplerSettings = SamplerSettings()
    pruner: PrunerSettings | None = None  # re-ID curves cross late: none
    seeds: tuple[Whole, ...] = (1,)  # of each trial, which counts by the mean; a pruner watches the first
    trials: Count = 20  # of all workers together
    timeout: Annotated[float, Field(gt=0)] | None = None  # seconds, after which no trial is begun
    selection: Literal["holdout", "test"] = "holdout"  # who chooses: held-out training people, or the test set
    fixed: dict[str, Any] = Field(default_factory=dict)  # setting -> value, in every trial
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]  # setting -> what it may be
    constraints: tuple[Annotated[str, PlainValidator(_constraint)], ...] = ()
    enqueue: tuple[Annotated[Any, PlainValidator(_guess)], ...] = ()  # first guesses; experiment: its own values
    heartbeat: Heartbeat = Heartbeat()
    _lines: Lines | None = PrivateAttr(None)

    @field_validator("name")
    @classmethod
    def _one_word_of_a_path(cls, name: str) -> str:
        if not name.strip() or name.startswith(".") or len(name.encode("utf-8", "replace")) > LONGEST_NAME:
            raise ValueError(f"should be 1 to {LONGEST_NAME} letters and begin with none of spaces and dots")
        if not name.isprintable() or any(letter in name for letter in '/\\:?#%*"<>|'):
            raise ValueError("names a file and a folder among the runs: it should have no /, \\, : or the like in it")
        return name

    @field_validator("sampler", "pruner", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def objectives(self) -> tuple[Metric, ...]:
        """The metrics, one or several."""
        return self.metrics or ((self.metric,) if self.metric else ())

    @property
    def directions(self) -> list[Goal]:
        """Their goals."""
        return [metric.goal for metric in self.objectives]

    @property
    def file(self) -> Path:
        """The file that was read. Raises SettingsError for a sweep that no file holds."""
        if self._lines is None:
            raise SettingsError(f"the sweep {self.name} was not read from a file")
        return self._lines.file

    def at(self, *place: str | int) -> str:
        """The file and the line of a place, such as ("parameters", "optim.lr", "min")."""
        return self._lines.at(*place) if self._lines else self.name

    def error(self, message: str, *place: str | int) -> SettingsError:
        """An error that begins with the file and the line of a place."""
        return SettingsError(f"{self.at(*place)}: {message}")


def read_sweep(path: Path) -> Sweep:
    """A sweep file. Raises SettingsError that names the file and the line of each mistake."""
    tree = read_yaml(path)
    lines = Lines(path)
    experiment = tree.get("experiment")
    if isinstance(experiment, str):
        tree = tree | {"experiment": (path.parent / experiment).resolve()}
    try:
        sweep = Sweep.model_validate({"name": path.stem} | tree)
    except ValidationError as error:
        mistakes = [f"{lines.at(*mistake['loc'])}: {_explain(mistake)}" for mistake in error.errors()]
        raise SettingsError("; ".join(dict.fromkeys(mistakes))) from error
    sweep._lines = lines
    check_parts(sweep)
    return sweep


SECTIONS: dict[str, type[Settings]] = {
    "metric": Metric,
    "metrics": Metric,
    "sampler": SamplerSettings,
    "pruner": PrunerSettings,
    "heartbeat": Heartbeat,
    "parameters": Parameter,
}


def _explain(mistake: Mapping[str, Any]) -> str:
    place = mistake["loc"]
    name = ".".join(str(part) for part in place)
    if mistake["type"] == "missing":
        return f"{name} is missing"
    if mistake["type"] == "extra_forbidden":
        word = str(place[-1])
        if word in OURS:
            return f"{name} is a word of W&B; here it is {OURS[word]}"
        if place[0] == "parameters" and isinstance(mistake["input"], Mapping):
            return f"unknown {name}; settings go by their dotted names, such as cap.pose.clusters: {{min: 5, max: 40}}"
        known = list((SECTIONS[str(place[0])] if len(place) > 1 else Sweep).model_fields)
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
        return f"unknown {name}; " + (f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}")
    if mistake["type"] == "model_type":
        example = "{value: ...} or {values: [...]}" if place[0] == "parameters" else "{name: ...}"
        return f"{name} = {mistake['input']!r}: should be a mapping, such as {example}"
    message = mistake["msg"].removeprefix("Value error, ")
    return (
        f"{name}: {message}" if isinstance(mistake["input"], Mapping) else f"{name} = {mistake['input']!r}: {message}"
    )
