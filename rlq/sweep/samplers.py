"""Optuna's samplers and pruners by their names in a sweep file."""

import importlib.util
import warnings
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from rlq.core.seeding import seed_from
from rlq.sweep.parameters import coded
from rlq.sweep.spec import SamplerSettings, Sweep

NEEDS = {  # sampler -> packages that it imports, and the command that installs them
    "cmaes": (("cmaes",), "pip install 'rlq[cmaes]'"),
    "gp": (("scipy", "torch"), "pip install scipy torch"),
    "qmc": (("scipy",), "pip install scipy"),
}


def check_extras(sweep: Sweep) -> None:
    """Raise SettingsError when a package that the sampler needs is not installed."""
    packages, command = NEEDS.get(sweep.sampler.name, ((), ""))
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        message = f"sampler {sweep.sampler.name} needs {' and '.join(missing)}, which is not installed: {command}"
        raise sweep.error(message, "sampler")


def make_sampler(sweep: Sweep) -> BaseSampler:
    """Return the sampler of a sweep, the same in every process that works on it."""
    settings = sweep.sampler
    if settings.name == "grid":
        return GridSampler(grid(sweep), seed=settings.seed)
    if settings.name == "qmc":  # all workers share one sequence, kept in the study: they need the same seed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return QMCSampler(scramble=True, seed=settings.seed)
    if settings.name == "cmaes":  # its state is also kept in the study
        return CmaEsSampler(seed=settings.seed, **_given(n_startup_trials=settings.startup))
    return TrialSeeded(settings)


def make_pruner(sweep: Sweep) -> BasePruner:
    """Return the pruner of a sweep, or one that never prunes."""
    pruner = sweep.pruner
    if pruner is None:
        return NopPruner()
    if pruner.name == "median":
        return MedianPruner(**_given(n_startup_trials=pruner.startup, n_warmup_steps=pruner.warmup))
    kind = {"halving": SuccessiveHalvingPruner, "hyperband": HyperbandPruner}[pruner.name]
    return kind(**_given(min_resource=pruner.least, reduction_factor=pruner.reduction))


def grid(sweep: Sweep) -> dict[str, list[Any]]:
    """Return the points of every parameter as Optuna accepts them; the points of a range are pairs of ends."""
    searched = {name: p for name, p in sweep.parameters.items() if p.kind != "value"}
    return {
        name: [coded(point) for point in (p.pairs() if p.kind == "range" else p.points() or [])]
        for name, p in searched.items()
    }


class TrialSeeded(BaseSampler):
    """A sampler whose random stream depends only on the sweep's seed and the trial's number.

    With the seed alone, every worker and every later session would repeat the same draws.
    """

    def __init__(self, settings: SamplerSettings) -> None:
        self.settings = settings
        self._number: int | None = None
        self._sampler: BaseSampler = RandomSampler()

    def of(self, trial: FrozenTrial) -> BaseSampler:
        """Return the sampler of one trial."""
        if trial.number != self._number:
            self._number, self._sampler = trial.number, _seeded(self.settings, trial.number)
        return self._sampler

    def __str__(self) -> str:
        return self.settings.name

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.of(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return self.of(trial).sample_relative(study, trial, space)

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        return self.of(trial).sample_independent(study, trial, name, distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.of(trial).before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self.of(trial).after_trial(study, trial, state, values)


def _seeded(settings: SamplerSettings, number: int) -> BaseSampler:
    seed = seed_from(settings.seed, "sampler", number) % 2**32
    if settings.name == "tpe":
        return TPESampler(seed=seed, **_given(n_startup_trials=settings.startup))
    if settings.name == "gp":
        return GPSampler(seed=seed, **_given(n_startup_trials=settings.startup))
    if settings.name == "nsgaii":
        return NSGAIISampler(seed=seed, **_given(population_size=settings.population))
    return RandomSampler(seed=seed)


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None; Optuna has defaults for the others."""
    return {name: value for name, value in options.items() if value is not None}
