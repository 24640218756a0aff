"""One trial: draw, run the experiment for every seed, report, and answer with what was measured."""

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
from rlq.runs import experiment
from rlq.runs.experiment import Membership
from rlq.runs.folder import read_about
from rlq.runs.result import RESULT, read_result
from rlq.sweep.constraints import violations
from rlq.sweep.heartbeat import WORKER, sign
from rlq.sweep.plan import CHOSEN_ON_TEST, Plan
from rlq.sweep.space import draw
from rlq.sweep.storage import storage_errors
from rlq.sweep.study import REASON, SURPLUS, draw_again, is_surplus
from rlq.tracking import MlflowTracker, Status, open_run, resolve_uri
from rlq.training.signals import Stopped

if TYPE_CHECKING:
    from optuna import Study, Trial

RUN, FOLDER, SEEDS, METRICS, DRAWN = "run_id", "folder", "seeds", "metrics", "settings"  # user attributes of trials
KEPT = ("best/", "test/", "model/", "time/")  # metrics that are stored in the study too


class TrialFailed(RlqError):
    """The trial ended by an error that is noted in its attributes; the study goes on."""


class Infeasible(Pruned):
    """A draw that breaks a constraint on parameters: nothing is trained."""


class WrongMetric(RlqError):
    """What the sweep chooses by is not measured: no trial can succeed."""


@dataclass(frozen=True)
class Order:
    """One run, as all processes of a group are told to make it."""

    loaded: Loaded
    member: Membership


class Objective:
    """What Optuna optimises: a trial in, its values out."""

    def __init__(self, plan: Plan, study: "Study", parent: str, *, console: Console) -> None:
        self.plan, self.study, self.parent, self.console = plan, study, parent, console
        self.taken_over = False  # whether another worker gave the running trial up for dead
        self.drawn: dict[str, Any] = {}  # of the last trial

    def __call__(self, trial: "Trial") -> float | list[float]:
        """Raises TrialPruned, TrialFailed, WrongMetric, or what stops this worker (Stopped, Ctrl-C, no storage)."""
        self.taken_over, self.drawn = False, {}
        trial.set_user_attr(WORKER, sign())
        if is_surplus(self.study, self._frozen(trial)):
            trial.set_user_attr(SURPLUS, True)
            raise TrialFailed("all trials were taken")
        try:
            self.drawn = draw(trial, self.plan.sweep)
            trial.set_user_attr(DRAWN, self.drawn)
            return self._values(trial)
        except Pruned as error:
            self._note(trial, str(error))
            if isinstance(error, Infeasible):
                draw_again(self.study, self._frozen(trial), self.plan)
            raise optuna.TrialPruned(str(error)) from error
        except UpdateFinishedTrialError as error:
            self.taken_over = True
            raise TrialFailed("it was silent for so long that it was queued again") from error
        except (Stopped, WrongMetric) as error:
            self._note(trial, str(error))
            raise
        except storage_errors():  # no fault of the trial, which _take_one queues again
            raise
        except Exception as error:  # whatever goes wrong in one trial must neither end the study nor be hidden
            reason = f"{type(error).__name__}: {error}" if not isinstance(error, RlqError) else str(error)
            self._note(trial, reason, "".join(traceback.format_exception(error)))
            raise TrialFailed(reason) from error

    def _frozen(self, trial: "Trial") -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[trial.number]

    def _note(self, trial: "Trial", reason: str, trace: str | None = None) -> None:
        if self.taken_over:  # its attributes are closed
            return
        trial.set_user_attr(REASON, reason)
        if trace is not None:
            trial.set_user_attr("traceback", trace)

    def _values(self, trial: "Trial") -> float | list[float]:
        sweep = self.plan.sweep
        broken = [text for text, excess in violations(sweep, self.drawn).items() if excess > 0]
        if broken:
            raise Infeasible(f"not trained: it breaks {' and '.join(broken)}")
        metrics = self._one_seed(trial) if len(sweep.seeds) == 1 else self._several_seeds(trial)
        kept = {name: value for name, value in metrics.items() if name.startswith(KEPT)}
        trial.set_user_attr(METRICS, kept)
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
        """A run for the trial, and one below it per seed; the trial counts by their means."""
        earlier: dict[str, dict[str, str]] = dict(trial.user_attrs.get(SEEDS, {}))
        now: dict[str, dict[str, str]] = {}
        folder = self.plan.folder / f"trial-{trial.number}"
        loaded = {seed: self.plan.load(self.drawn, seed) for seed in self.plan.sweep.seeds}
        tracker = self._open(trial, folder, loaded[self.plan.sweep.seeds[0]])
        trial.set_user_attr(RUN, tracker.run_id)
        trial.set_user_attr(FOLDER, str(folder.absolute()))
        found: list[dict[str, float]] = []
        try:
            for seed in self.plan.sweep.seeds:
                before = earlier.get(str(seed), {}).get(FOLDER)

                def started(run_id: str, where: Path, seed: int = seed) -> None:
                    now[str(seed)] = {RUN: run_id, FOLDER: str(where.absolute())}
                    trial.set_user_attr(SEEDS, earlier | now)

                member = self._member(trial, "seed", tracker.run_id, f"{self._name(trial)} seed={seed}", before)
                observe = self._observer(trial, blind=seed != self.plan.sweep.seeds[0])
                found.append(self._run(Order(loaded[seed], member), before, observe, started))
            means = {n: fmean(one[n] for one in found) for n in found[0] if all(n in one for one in found)}
            tracker.log_metrics(means, step=0)
            spread = {
                f"deviation/{n}": stdev(one[n] for one in found) for n in means if n.startswith(("best/", "test/"))
            }
            tracker.log_metrics(spread, step=0)
        except BaseException as error:
            status: Status = "KILLED" if isinstance(error, Stopped | KeyboardInterrupt | Pruned) else "FAILED"
            tracker.log_tags({"rlq.ended_by": (str(error) or type(error).__name__)[:500]})
            tracker.end(status)
            raise
        tracker.end()
        return means

    def _open(self, trial: "Trial", folder: Path, loaded: Loaded) -> MlflowTracker:
        tracking = loaded.settings.tracking
        tracker = open_run(
            folder=folder,
            uri=resolve_uri(Path(tracking.folder)),
            experiment=tracking.experiment,
            run_name=self._name(trial),
            tags={"rlq.kind": "trial", "rlq.seeds": str(list(self.plan.sweep.seeds)), **self._tags(trial)},
            parent_run_id=self.parent,
        )
        tracker.log_params({name: value for name, value in flatten(loaded.settings).items() if name != "seed"})
        return tracker

    def _run(
        self, order: Order, earlier: str | None, observe: experiment.Observe, started: experiment.Started
    ) -> dict[str, float]:
        """One run, by all processes of the group; its metrics, and its seconds as time/...

        A run that an earlier attempt has finished before it died is not made again.
        """
        if earlier is not None and _is_finished(Path(earlier)):
            done = read_result(Path(earlier))
            started(done.run_id, Path(earlier))
        else:
            distributed.share_from_main(order)
            done = experiment.run(
                order.loaded, console=self.console, member=order.member, observe=observe, started=started
            )
        return done.metrics | {f"time/{name}_s": value for name, value in done.seconds.items()}

    def _member(self, trial: "Trial", kind: str, parent: str, name: str, earlier: str | None) -> Membership:
        continues = Path(earlier) if earlier and (Path(earlier) / "last.pt").is_file() else None
        return Membership(kind=kind, parent=parent, name=name, tags=self._tags(trial), continues=continues)

    def _tags(self, trial: "Trial") -> dict[str, str]:
        sweep = self.plan.sweep
        label = {"rlq.label": CHOSEN_ON_TEST} if sweep.selection == "test" else {}
        return {"rlq.study": sweep.name, "rlq.trial": str(trial.number), "rlq.selection": sweep.selection, **label}

    def _name(self, trial: "Trial") -> str:
        return f"{self.plan.sweep.name} #{trial.number} {draw_words(self.drawn)}"[:120].strip()

    def _observer(self, trial: "Trial", blind: bool = False) -> experiment.Observe:
        """Tells Optuna each evaluation, and the run when to end; a blind one only gives signs of life."""
        sweep = self.plan.sweep
        name = sweep.objectives[0].evaluated if len(sweep.objectives) == 1 else None

        def observe(epoch: int, metrics: Mapping[str, float | None]) -> None:
            try:
                trial.set_user_attr(WORKER, sign())
                if name is None or blind:
                    return
                value = metrics.get(name)
                if value is None:
                    raise WrongMetric(f"{name} is not among the evaluated metrics: {', '.join(sorted(metrics))}")
                trial.report(value, step=epoch)
            except UpdateFinishedTrialError as error:
                self.taken_over = True
                raise Pruned("it was silent for so long that it was queued again") from error
            if sweep.pruner is not None and trial.should_prune():
                raise Pruned(f"{sweep.pruner.name} pruner: {name} = {100 * value:.1f} % after epoch {epoch + 1}")

        return observe


def follow(console: Console) -> None:
    """What the other processes of a group do: the runs that the main one orders, until it orders no more."""
    while isinstance(order := distributed.share_from_main(None), Order):
        try:
            experiment.run(order.loaded, console=console, member=order.member)
        except Pruned:
            continue  # the main process tells Optuna


def draw_words(drawn: Mapping[str, Any]) -> str:
    """What was drawn, by the shortest names that tell settings apart: "clusters=15 pose.split=1"."""
    return " ".join(f"{short}={_word(drawn[name])}" for name, short in short_names(drawn).items())


def short_names(names: Mapping[str, Any] | list[str]) -> dict[str, str]:
    """Dotted name -> its last parts, as many as no other name ends with."""

    def tail(name: str, parts: int) -> str:
        return ".".join(name.split(".")[-parts:])

    def shortest(name: str) -> str:
        others = [other for other in names if other != name]
        for parts in range(1, name.count(".") + 2):
            if all(tail(other, parts) != tail(name, parts) for other in others):
                return tail(name, parts)
        return name

    return {name: shortest(name) for name in names}


def _is_finished(folder: Path) -> bool:
    return (folder / RESULT).is_file() and read_about(folder).status == "FINISHED"


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value).replace(" ", "") if isinstance(value, list | tuple) else str(value)


def _metric(metrics: Mapping[str, float], name: str) -> float:
    value = metrics.get(name)
    if value is None:
        known = ", ".join(sorted(n for n in metrics if n.startswith(name.partition("/")[0] + "/"))) or ", ".join(
            sorted(metrics)
        )
        raise WrongMetric(f"{name} is not measured by these runs; measured are {known}")
    if not math.isfinite(value):
        raise RlqError(f"{name} is {value}; a trial needs a number")
    return value
