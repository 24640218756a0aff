"""One worker: takes trials off the queue until none is left, and minds those whose worker has died."""

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.sweep import parent
from rlq.sweep.heartbeat import WORKER, is_mine, told
from rlq.sweep.plan import Plan
from rlq.sweep.storage import Stale, storage_errors
from rlq.sweep.study import REASON, SURPLUS, parent_of, queue_again, tally
from rlq.sweep.summary import one_line
from rlq.sweep.trial import Objective, TrialFailed
from rlq.training.signals import Stopped

if TYPE_CHECKING:
    from optuna import Study

ALIKE = 3  # a worker whose first trials all fail for one reason stops: more of them would too
POLL = 5.0  # seconds between two looks at trials that run elsewhere


def work(plan: Plan, study: "Study", *, console: Console, runs: Console, waits: bool, alone: bool) -> None:
    """Run trials of the study until none is left, the time is up, or this worker's first ones all fail alike.

    `runs` shows what the runs say. With `waits`, for storages that notice death, the worker also stays for trials that
    run elsewhere, to try them again if theirs dies. `alone` says that no other process computes along. Raises RlqError,
    Stopped or KeyboardInterrupt; the trial that was stopped is queued again.
    """
    objective = Objective(plan, study, parent_of(study), console=runs)
    deadline = None if plan.sweep.timeout is None else time.monotonic() + plan.sweep.timeout
    reasons: list[str] | None = []
    waited = False
    while deadline is None or time.monotonic() < deadline:
        optuna.storages.fail_stale_trials(study)
        counts = tally(study)
        if counts.waiting:
            trial = _take_one(plan, study, objective)
            if trial is None or SURPLUS in trial.user_attrs:
                continue
            console.line(one_line(plan, trial))
            if trial.state == TrialState.FAIL and not alone:
                raise RlqError(f"trial {trial.number} failed; a group of processes cannot go on after an error")
            reasons = _check_alike(reasons, trial)
        elif counts.running and waits:
            if not waited:
                console.line(f"waiting  for {counts.running} of other workers, to try again what a dead one leaves")
            waited = True
            time.sleep(min(POLL, plan.sweep.heartbeat.interval))
        else:
            return
    console.line(f"timeout  {plan.sweep.timeout:g} s are over; {tally(study).waiting} trials stay queued")


def minding(plan: Plan, console: Console) -> Stale:
    """What is done about a trial whose worker gave no sign of life: queue it again, close its runs."""

    def stale(study: "Study", trial: FrozenTrial) -> None:
        give_up(plan, study, trial, console)

    return stale


def give_up(plan: Plan, study: "Study", trial: FrozenTrial, console: Console) -> None:
    """Queue a failed trial of a dead worker again, within the bound, and close its runs as killed."""
    who = told(trial.user_attrs[WORKER]) if WORKER in trial.user_attrs else "a worker without a name"
    again = queue_again(study, trial, killed=True, retries=plan.sweep.heartbeat.retries)
    then = "it is queued again" if again else f"it has been tried {plan.sweep.heartbeat.retries + 1} times, that is all"
    console.line(f"trial {trial.number:>3}  its worker is gone ({who}); {then}")
    parent.close_dead(plan, trial, f"its worker died ({who})")


def _take_one(plan: Plan, study: "Study", objective: Objective) -> FrozenTrial | None:
    """Run one trial. None when another worker took it over meanwhile."""
    before = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
    ended: list[FrozenTrial] = []

    def note(_: "Study", trial: FrozenTrial) -> None:
        ended.append(trial)

    try:
        study.optimize(objective, n_trials=1, catch=(TrialFailed,), callbacks=[note])
    except (Stopped, KeyboardInterrupt):
        _requeue_own(plan, study, before)
        raise
    except storage_errors():  # if it is not back, the trial is found to be without its worker by the next one
        with suppress(*storage_errors()):
            _requeue_own(plan, study, before)
        raise
    except ValueError:
        if not objective.taken_over:  # else Optuna could not tell the end of a trial that had been given up
            raise
        return None
    return ended[0]


def _requeue_own(plan: Plan, study: "Study", before: set[int]) -> None:
    """The trial that this worker was stopped in goes back into the queue."""
    for trial in study.get_trials(states=(TrialState.FAIL,)):
        if trial.number not in before and WORKER in trial.user_attrs and is_mine(trial.user_attrs[WORKER]):
            queue_again(study, trial, killed=False, retries=plan.sweep.heartbeat.retries)


def _check_alike(reasons: list[str] | None, trial: FrozenTrial) -> list[str] | None:
    """The reasons of this worker's failures so far; None once a trial has worked."""
    if reasons is None or trial.state != TrialState.FAIL:
        return None
    reasons = [*reasons, trial.user_attrs.get(REASON, "")]
    if len(reasons) >= ALIKE and len(set(reasons)) == 1:
        raise RlqError(
            f"the first {ALIKE} trials all failed: {reasons[0]}; the rest stays queued, mend it and start again"
        )
    return reasons
