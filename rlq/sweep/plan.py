"""A sweep with everything that the command line says about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlq.core.errors import SettingsError
from rlq.methods.base import Loaded
from rlq.methods.catalogue import method_of
from rlq.runs.load import fingerprint, load
from rlq.sweep.checking import check
from rlq.sweep.samplers import check_extras
from rlq.sweep.space import describe, smoke, space_signature
from rlq.sweep.spec import Sweep, read_sweep
from rlq.sweep.storage import default_storage

SMOKE_TRIALS = 2
CHOSEN_ON_TEST = "chosen on the test set"


@dataclass(frozen=True)
class Plan:
    """What is searched, over which experiment, and where the study is kept."""

    sweep: Sweep  # its `experiment` is the one of --base where that is given
    changes: tuple[str, ...]  # --set
    values: Mapping[str, Any]  # of every trial, by dotted name: the file's `fixed`, and data.selection
    last: Mapping[str, Any]  # on top of everything, what is drawn included: those of --smoke
    base: Loaded  # the experiment with all of them; what is searched stands at the experiment's own values
    storage: str

    @property
    def folder(self) -> Path:
        """Of the parent run: sweeps/<name> among the runs."""
        return Path(self.base.settings.tracking.folder) / "sweeps" / self.sweep.name

    @property
    def signature(self) -> str:
        """What makes two studies the same search."""
        return space_signature(self.sweep)

    @property
    def fingerprint(self) -> str:
        """Of the experiment that is varied."""
        return fingerprint(self.base)

    def describe(self) -> str:
        """What would be searched."""
        return describe(self.sweep, self.base.settings)

    def load(self, drawn: Mapping[str, Any], seed: int) -> Loaded:
        """The experiment of one run. Raises SettingsError where values do not go together."""
        return load(self.sweep.experiment, self.changes, values={**self.values, **drawn, "seed": seed, **self.last})

    def train_words(self, drawn: Mapping[str, Any]) -> str:
        """What follows `rlq train` to train with these values, on all training people."""
        values = {name: value for name, value in self.values.items() if name != "data.selection"}
        file, here = self.sweep.experiment, Path.cwd()
        short = file.relative_to(here) if file.is_relative_to(here) else file
        return load(short, self.changes, values={**values, **drawn, **self.last}).origin


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
    """A sweep file and the words of the command line, checked against each other. Raises SettingsError."""
    sweep = read_sweep(file)
    set_here = {change.partition("=")[0].strip() for change in changes}
    _check_changes(sweep, set_here)
    fixed = {name: value for name, value in sweep.fixed.items() if name not in set_here}
    asked: dict[str, Any] = {
        "experiment": base and base.resolve(),
        "trials": trials,
        "timeout": timeout,
        "selection": selection,
    }
    last: dict[str, Any] = {}
    if smoke_test:
        last = smoke(sweep, method_of(load(base or sweep.experiment, changes).settings))
        asked |= {"name": f"{sweep.name}-smoke", "trials": trials or SMOKE_TRIALS}
    sweep = sweep.model_copy(update={name: value for name, value in asked.items() if value is not None})
    values = {**fixed, "data.selection": sweep.selection}
    # Checked first without `fixed`, so that a mistake there is told as one of the sweep file, with its line.
    check(sweep.model_copy(update={"fixed": fixed}), load(sweep.experiment, changes, values=last).settings)
    loaded = load(sweep.experiment, changes, values={**values, **last})
    check_extras(sweep)
    runs = Path(loaded.settings.tracking.folder)
    return Plan(sweep, changes, values, last, loaded, storage or default_storage(runs, sweep.name))


def _check_changes(sweep: Sweep, names: set[str]) -> None:
    """What a sweep decides itself is not for --set."""
    searched = sorted(name for name in names if name in sweep.parameters)
    if searched:
        raise SettingsError(
            f"--set {searched[0]}: {sweep.file.name} searches it; take it out of `parameters`, or leave --set away"
        )
    for name, instead in {"data.selection": "--selection", "seed": "`seeds:` in the sweep file"}.items():
        if name in names:
            raise SettingsError(f"--set {name}: a sweep takes it from {instead}")
