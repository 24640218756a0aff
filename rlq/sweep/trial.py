"""One trial: draw values, run the experiment for every seed, report evaluations, and return the objectives' values."""

import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from rlq.core import distributed
from rlq.core.config import flatten
from rlq.core.console import Console
from rlq.core.errors import Pruned, RlqError
from rlq.methods.base import Loaded
from rlq.runs import experiment, family
from rlq.runs.experiment import Membership
from rlq.runs.folder import read_about
from rlq.runs.result import RESULT, read_result
from rlq.sweep.plan import CHOSEN_ON_TEST, Plan
from rlq.sweep.space import draw, draw_words
from rlq.sweep.spec import violations
from rlq.sweep.storage import storage_errors
from rlq.sweep.study import (
    DRAWN,
    FOLDER,
    METRICS,
    REASON,
    RUN,
    SEEDS,
    SURPLUS,
    TRACEBACK,
    WORKER,
    heartbeat,
    is_surplus,
    replace_infeasible,
)
from rlq.tracking import MlflowTracker
from rlq.training.signals import Stopped

if TYPE_CHECKING:
    from optuna import Study, Trial

STORED = ("best/", "test/", "model/", "time/")  # metrics that are stored in the study too
TAKEN_OVER = "another worker requeued this trial, as it sent no heartbeat for too long"


class TrialFailed(RlqError):
    """The trial failed, and its attributes have the reason; the study continues."""


class Infeasible(Pruned):
    """The draw breaks a constraint on parameters; nothing is trained."""


class WrongMetric(RlqError):
    """The metric by which the sweep chooses is not measured, so that no trial can succeed."""


@dataclass(frozen=True)
class Order:
    """One run, as the main process hands it to the other processes of its group."""

    loaded: Loaded
    member: Membership


class Objective:
    """The function that Optuna optimises: from a trial to its values."""

    def __init__(self, plan: Plan, study: "Study", parent: str, *, console: Console) -> None:
        self.plan, self.study, self.parent, self.console = plan, study, parent, console
        self.taken_over = False  # whether another worker has requeued the running trial
        self.drawn: dict[str, Any] = {}  # by the last trial

    def __call__(self, trial: "Trial") -> float | list[float]:
        """Run one trial.

        Raises TrialPruned, TrialFailed, WrongMetric, or what stops this worker: Stopped, KeyboardInterrupt, an error of
        the storage.
        """
        self.taken_over, self.drawn = False, {}
        trial.set_user_attr(WORKER, heartbeat())
        if is_surplus(self.study, self._frozen(trial)):
            trial.set_user_attr(SURPLUS, True)
            raise TrialFailed("the planned number of trials was already taken")
        try:
            self.drawn = draw(trial, self.plan.sweep)
            trial.set_user_attr(DRAWN, self.drawn)
            return self._values(trial)
        except Pruned as error:
            self._note(trial, str(error))
            if isinstance(error, Infeasible):
                replace_infeasible(self.study, self._frozen(trial), self.plan)
            raise optuna.TrialPruned(str(error)) from error
        except UpdateFinishedTrialError as error:
            self.taken_over = True
            raise TrialFailed(TAKEN_OVER) from error
        except (Stopped, WrongMetric) as error:
            self._note(trial, str(error))
            raise
        except storage_errors():  # not an error of the trial: the worker requeues it
            raise
        except Exception as error:  # an error in one trial must neither end the study nor be hidden
            reason = f"{type(error).__name__}: {error}" if not isinstance(error, RlqError) else str(error)
            self._note(trial, reason, "".join(traceback.format_exception(error)))
            raise TrialFailed(reason) from error

    def _frozen(self, trial: "Trial") -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[trial.number]

    def _note(self, trial: "Trial", reason: str, trace: str | None = None) -> None:
        if self.taken_over:  # a finished trial takes no attributes
            return
        trial.set_user_attr(REASON, reason)
        if trace is not None:
            trial.set_user_attr(TRACEBACK, trace)

    def _values(self, trial: "Trial") -> float | list[float]:
        sweep = self.plan.sweep
        broken = [text for text, excess in violations(sweep, self.drawn).items() if excess > 0]
        if broken:
            raise Infeasible(f"not trained: it breaks {' and '.join(broken)}")
        metrics = self._one_seed(trial) if len(sweep.seeds) == 1 else self._several_seeds(trial)
        stored = {name: value for name, value in metrics.items() if name.startswith(STORED)}
        trial.set_user_attr(METRICS, stored)
        for text, excess in violations(sweep, self.drawn, metrics).items():
            trial.set_constraint(text, excess)
        values = [_metric(metrics, metric.key) for metric in sweep.objectives]
        return values[0] if len(values) == 1 else values

    def _one_seed(self, trial: "Trial") -> dict[str, float]:
        (seed,) = self.plan.sweep.seeds
        earlier = trial.user_attrs.get(FOLDER)

        def started(run_id: str, folder: Path) -> None:
            trial.set_user_attr(RUN, run_id)
            trial.set_user_attr(FOLDER, str(folder.absolute()))

        loaded = self.plan.load(self.drawn, seed)
        member = self._member(trial, "trial", self.parent, self._name(trial), earlier)
        return self._run(Order(loaded, member), earlier, self._observer(trial), started)

    def _several_seeds(self, trial: "Trial") -> dict[str, float]:
        """Make a run for the trial and a run below it per seed; return the means of their metrics."""
        seeds = self.plan.sweep.seeds
        folder = self.plan.folder / f"trial-{trial.number}"
        loaded = {seed: self.plan.load(self.drawn, seed) for seed in seeds}
        tracker = self._open(trial, folder, loaded[seeds[0]])
        trial.set_user_attr(RUN, tracker.run_id)
        trial.set_user_attr(FOLDER, str(folder.absolute()))
        with family.ended(tracker):
            results = self._run_seeds(trial, loaded, tracker.run_id)
            means = {n: fmean(one[n] for one in results) for n in results[0] if all(n in one for one in results)}
            tracker.log_metrics(means, step=0)
            scores = [name for name in means if name.startswith(("best/", "test/"))]
            tracker.log_metrics({f"deviation/{n}": stdev(one[n] for one in results) for n in scores}, step=0)
        return means

    def _run_seeds(self, trial: "Trial", loaded: Mapping[int, Loaded], parent: str) -> list[dict[str, float]]:
        """Run one experiment per seed; the trial's attribute SEEDS keeps the runs of this attempt and the last."""
        runs: dict[str, dict[str, str]] = dict(trial.user_attrs.get(SEEDS, {}))
        results: list[dict[str, float]] = []
        for seed in loaded:
            earlier = runs.get(str(seed), {}).get(FOLDER)

            def started(run_id: str, folder: Path, seed: int = seed) -> None:
                runs[str(seed)] = {RUN: run_id, FOLDER: str(folder.absolute())}
                trial.set_user_attr(SEEDS, dict(runs))

            member = self._member(trial, "seed", parent, f"{self._name(trial)} seed={seed}", earlier)
            observe = self._observer(trial, reports=not results)
            results.append(self._run(Order(loaded[seed], member), earlier, observe, started))
        return results

    def _open(self, trial: "Trial", folder: Path, loaded: Loaded) -> MlflowTracker:
        tracking = loaded.settings.tracking
        run = family.ParentRun(self._name(trial), folder, Path(tracking.folder), tracking.experiment)
        tags = {"rlq.kind": "trial", "rlq.seeds": str(list(self.plan.sweep.seeds)), **self._tags(trial)}
        tracker = run.open(tags, parent=self.parent)
        tracker.log_params({name: value for name, value in flatten(loaded.settings).items() if name != "seed"})
        return tracker

    def _run(
        self, order: Order, earlier: str | None, observe: experiment.Observe, started: experiment.Started
    ) -> dict[str, float]:
        """Make one run in all processes of the group; return its metrics, and its seconds as time/...

        A run that an earlier attempt has finished is not repeated.
        """
        if earlier is not None and _is_finished(Path(earlier)):
            result = read_result(Path(earlier))
            started(result.run_id, Path(earlier))
        else:
            distributed.share_from_main(order)
            result = experiment.run(
                order.loaded, console=self.console, member=order.member, observe=observe, started=started
            )
        return result.metrics | {f"time/{name}_s": value for name, value in result.seconds.items()}

    def _member(self, trial: "Trial", kind: str, parent: str, name: str, earlier: str | None) -> Membership:
        continues = Path(earlier) if earlier and (Path(earlier) / "last.pt").is_file() else None
        return Membership(kind=kind, parent=parent, name=name, tags=self._tags(trial), continues=continues)

    def _tags(self, trial: "Trial") -> dict[str, str]:
        sweep = self.plan.sweep
        label = {"rlq.label": CHOSEN_ON_TEST} if sweep.selection == "test" else {}
        return {"rlq.study": sweep.name, "rlq.trial": str(trial.number), "rlq.selection": sweep.selection, **label}

    def _name(self, trial: "Trial") -> str:
        return f"{self.plan.sweep.name} #{trial.number} {draw_words(self.drawn)}"[:120].strip()

    def _observer(self, trial: "Trial", reports: bool = True) -> experiment.Observe:
        """Return a function that sends a heartbeat at each evaluation.

        With `reports`, it also reports the metric to Optuna, and raises Pruned when the trial should end.
        """
        sweep = self.plan.sweep
        name = sweep.objectives[0].evaluated if len(sweep.objectives) == 1 else None

        def observe(epoch: int, metrics: Mapping[str, float | None]) -> None:
            try:
                trial.set_user_attr(WORKER, heartbeat())
                if name is None or not reports:
                    return
                value = metrics.get(name)
                if value is None:
                    raise WrongMetric(f"{name} is not among the evaluated metrics: {', '.join(sorted(metrics))}")
                trial.report(value, step=epoch)
            except UpdateFinishedTrialError as error:
                self.taken_over = True
                raise Pruned(TAKEN_OVER) from error
            if sweep.pruner is not None and trial.should_prune():
                raise Pruned(f"{sweep.pruner.name} pruner: {name} = {100 * value:.1f} % after epoch {epoch + 1}")

        return observe


def follow(console: Console) -> None:
    """Make the runs that the main process of a group hands out, until it hands out no more."""
    while isinstance(order := distributed.share_from_main(None), Order):
        try:
            experiment.run(order.loaded, console=console, member=order.member)
        except Pruned:
            continue  # the main process reports it to Optuna


def _is_finished(folder: Path) -> bool:
    return (folder / RESULT).is_file() and read_about(folder).status == "FINISHED"


def _metric(metrics: Mapping[str, float], name: str) -> float:
    value = metrics.get(name)
    if value is None:
        section = [other for other in sorted(metrics) if other.startswith(name.partition("/")[0] + "/")]
        raise WrongMetric(f"{name} is not measured by these runs; measured are {', '.join(section or sorted(metrics))}")
    if not math.isfinite(value):
        raise RlqError(f"{name} is {value}; a trial needs a finite number")
    return value
