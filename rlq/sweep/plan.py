"""From a sweep file and the options of the command line to a checked plan."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rlq.core.config import Settings, flatten
from rlq.core.errors import SettingsError
from rlq.core.scores import ScoreTable
from rlq.core.settings import PLACES
from rlq.core.text import did_you_mean, listed
from rlq.core.yaml_file import read_yaml
from rlq.methods.base import Loaded
from rlq.methods.catalogue import method_of
from rlq.runs.load import fingerprint, load
from rlq.sweep.parameters import Parameter
from rlq.sweep.samplers import check_extras
from rlq.sweep.space import describe, difference, smoke, space_signature
from rlq.sweep.spec import Heartbeat, Lines, Metric, PrunerSettings, SamplerSettings, Sweep
from rlq.sweep.storage import default_storage
from rlq.sweep.validation import check, check_parts

SMOKE_TRIALS = 2
CHOSEN_ON_TEST = "chosen on the test set"
SHOWN = 5  # settings that differ, in one message
WANDB_KEYS = {  # keys of W&B's sweep files -> what to write instead
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
SECTIONS: dict[str, type[Settings]] = {
    "metric": Metric,
    "metrics": Metric,
    "sampler": SamplerSettings,
    "pruner": PrunerSettings,
    "heartbeat": Heartbeat,
    "parameters": Parameter,
}


@dataclass(frozen=True)
class Plan:
    """A sweep with the options of the command line: the search, the experiment that is varied, and the storage."""

    sweep: Sweep  # its `experiment` is the file of --base where that is given
    changes: tuple[str, ...]  # --set
    values: Mapping[str, Any]  # of every trial, by dotted name: the file's `fixed`, and data.selection
    last: Mapping[str, Any]  # of every trial, with precedence over everything, draws included: those of --smoke
    base: Loaded  # the experiment with all of them; searched settings have the experiment's own values
    storage: str

    @property
    def scores(self) -> ScoreTable:
        """The scores of the experiment's method."""
        return method_of(self.base.settings).scores

    @property
    def folder(self) -> Path:
        """The folder of the parent run: sweeps/<name> among the runs."""
        return Path(self.base.settings.tracking.folder) / "sweeps" / self.sweep.name

    def identity(self) -> dict[str, Any]:
        """Return what a study keeps to recognise the same search later."""
        return {
            "space": space_signature(self.sweep),
            "base": fingerprint(self.base),
            "settings": self._comparable_settings(),
        }

    def differences(self, identity: Mapping[str, Any]) -> list[str]:
        """Describe how another study's identity differs from this plan's; an empty list for the same search."""
        here = self.identity()
        differences = []
        if identity["space"] != here["space"]:
            differences.append(difference(identity["space"], here["space"]))
        changed = _changed_settings(identity["settings"], here["settings"])
        if changed:
            differences.append(f"the experiment: {changed}")
        elif not differences and identity["base"] != here["base"]:
            differences.append("the settings of the experiment's teacher")
        return differences

    def describe(self) -> str:
        """Describe the search."""
        return describe(self.sweep, self.base.settings)

    def load(self, drawn: Mapping[str, Any], seed: int) -> Loaded:
        """Load the experiment of one run. Raises SettingsError where values do not go together."""
        return load(self.sweep.experiment, self.changes, values={**self.values, **drawn, "seed": seed, **self.last})

    def train_words(self, drawn: Mapping[str, Any]) -> str:
        """Return the arguments of `rlq train` that train with these values on all training people."""
        values = {name: value for name, value in self.values.items() if name != "data.selection"}
        file, here = self.sweep.experiment, Path.cwd()
        short = file.relative_to(here) if file.is_relative_to(here) else file
        return load(short, self.changes, values={**values, **drawn, **self.last}).origin

    def _comparable_settings(self) -> dict[str, Any]:
        """Return the experiment's settings without those that the sweep decides."""
        decided = {*self.sweep.parameters, *self.sweep.fixed, "data.selection", "seed"}
        return {name: value for name, value in flatten(self.base.settings).items() if name not in decided}


def make_plan(
    file: Path,
    *,
    base: Path | None = None,
    changes: tuple[str, ...] = (),
    trials: int | None = None,
    timeout: float | None = None,
    selection: str | None = None,
    smoke_test: bool = False,
    storage: str | None = None,
) -> Plan:
    """Combine a sweep file with the options of the command line, and check the result. Raises SettingsError."""
    sweep = read_sweep(file)
    changed = {change.partition("=")[0].strip() for change in changes}
    _check_changes(sweep, changed)
    fixed = {name: value for name, value in sweep.fixed.items() if name not in changed}
    options: dict[str, Any] = {
        "experiment": base and base.resolve(),
        "trials": trials,
        "timeout": timeout,
        "selection": selection,
    }
    last: dict[str, Any] = {}
    if smoke_test:
        last = smoke(sweep, method_of(load(base or sweep.experiment, changes).settings))
        options |= {"name": f"{sweep.name}-smoke", "trials": trials or SMOKE_TRIALS}
    sweep = sweep.model_copy(update={name: value for name, value in options.items() if value is not None})
    values = {**fixed, "data.selection": sweep.selection}
    # Check first without `fixed`, so that a mistake in it is reported with its line in the sweep file.
    check(sweep.model_copy(update={"fixed": fixed}), load(sweep.experiment, changes, values=last).settings)
    loaded = load(sweep.experiment, changes, values={**values, **last})
    check_extras(sweep)
    runs = Path(loaded.settings.tracking.folder)
    return Plan(sweep, changes, values, last, loaded, storage or default_storage(runs, sweep.name))


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file. Raises SettingsError that names the file and the line of each mistake."""
    tree = read_yaml(path)
    lines = Lines(path)
    experiment = tree.get("experiment")
    if isinstance(experiment, str):
        tree = tree | {"experiment": (path.parent / experiment).resolve()}
    try:
        sweep = Sweep.from_tree({"name": path.stem} | tree, lines)
    except ValidationError as error:
        mistakes = [f"{lines.at(*mistake['loc'])}: {_explain(mistake)}" for mistake in error.errors()]
        raise SettingsError("; ".join(dict.fromkeys(mistakes))) from error
    check_parts(sweep)
    return sweep


def _explain(mistake: Mapping[str, Any]) -> str:
    """Describe one of pydantic's errors in the words of a sweep file."""
    place = mistake["loc"]
    name = ".".join(str(part) for part in place)
    if mistake["type"] == "missing":
        return f"{name} is missing"
    if mistake["type"] == "extra_forbidden":
        return _explain_unknown(name, place, mistake["input"])
    if mistake["type"] == "model_type":
        example = "{value: ...} or {values: [...]}" if place[0] == "parameters" else "{name: ...}"
        return f"{name} = {mistake['input']!r}: should be a mapping, such as {example}"
    message = mistake["msg"].removeprefix("Value error, ")
    if isinstance(mistake["input"], Mapping):
        return f"{name}: {message}"
    return f"{name} = {mistake['input']!r}: {message}"


def _explain_unknown(name: str, place: tuple[str | int, ...], value: Any) -> str:
    key = str(place[-1])
    if key in WANDB_KEYS:
        return f"{name} is a word of W&B; here it is {WANDB_KEYS[key]}"
    if place[0] == "parameters" and isinstance(value, Mapping):
        return f"unknown {name}; settings go by their dotted names, such as cap.pose.clusters: {{min: 5, max: 40}}"
    keys = list((SECTIONS[str(place[0])] if len(place) > 1 else Sweep).model_fields)
    return f"unknown {name}; " + (did_you_mean(key, keys) or f"known here: {', '.join(keys)}")


def _check_changes(sweep: Sweep, names: set[str]) -> None:
    """Refuse --set for settings that the sweep decides."""
    searched = sorted(name for name in names if name in sweep.parameters)
    if searched:
        raise SettingsError(
            f"--set {searched[0]}: {sweep.file.name} searches it; remove it from `parameters`, or remove the --set"
        )
    for name, instead in {"data.selection": "--selection", "seed": "`seeds:` in the sweep file"}.items():
        if name in names:
            raise SettingsError(f"--set {name}: a sweep takes it from {instead}")


def _changed_settings(stored: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Describe which settings that shape results differ. Places and pace may differ from machine to machine."""
    here = json.loads(json.dumps(here))  # as a storage returns them
    names = [name for name in sorted({*stored, *here}) if stored.get(name) != here.get(name) and not _is_pace(name)]
    return listed((f"{name} = {stored.get(name)!r} there, {here.get(name)!r} here" for name in names), SHOWN)


def _is_pace(name: str) -> bool:
    section, _, rest = name.partition(".")
    keys = PLACES.get(section, ())
    return keys is None or rest in keys
