"""One worker: it takes trials off the queue until none is left, and requeues the trials of dead workers."""

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.sweep import parent
from rlq.sweep.plan import Plan
from rlq.sweep.storage import Stale, storage_errors
from rlq.sweep.study import (
    REASON,
    SURPLUS,
    WORKER,
    is_alive,
    is_on_this_machine,
    is_this_process,
    parent_of,
    requeue,
    silence,
    tally,
    worker_words,
)
from rlq.sweep.summary import trial_line
from rlq.sweep.trial import Objective, TrialFailed
from rlq.training.signals import Stopped

if TYPE_CHECKING:
    from optuna import Study

ALIKE = 3  # a worker stops when its first trials, so many, all fail for the same reason
POLL = 5.0  # seconds between two looks at trials that run elsewhere


def work(plan: Plan, study: "Study", *, console: Console, runs: Console, waits: bool, alone: bool) -> None:
    """Run trials of the study until none is left, the time is up, or this worker's first trials all fail alike.

    `runs` shows the lines of the runs. With `waits`, for storages with heartbeats, the worker also waits for trials
    that run elsewhere, to repeat them if their worker dies. `alone` says that this process is no part of a group.
    Raises RlqError, Stopped or KeyboardInterrupt; a trial that was stopped is requeued.
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
            console.line(trial_line(plan, trial))
            if trial.state == TrialState.FAIL and not alone:
                raise RlqError(f"trial {trial.number} failed; a group of processes cannot continue after an error")
            reasons = _check_alike(reasons, trial)
        elif counts.running and waits:
            if not waited:
                console.line(f"waiting  for {counts.running} of other workers; if one dies, its trial is repeated here")
            waited = True
            time.sleep(min(POLL, plan.sweep.heartbeat.interval))
        else:
            return
    console.line(f"timeout  {plan.sweep.timeout:g} s are over; {tally(study).waiting} trials stay queued")


def recover(plan: Plan, study: "Study", *, force: bool, console: Console) -> int:
    """Fail and requeue the running trials whose worker is gone, close their runs, and return their number.

    For storages without heartbeats. The process of a worker on this machine is looked up. A trial on another machine is
    left alone, unless `force` says that the machine is gone and it sent no heartbeat for the grace period.
    """
    recovered = 0
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        reason = _reason_to_leave(plan, trial, force)
        if reason is not None:
            console.line(f"trial {trial.number:>3}  left alone: {reason}")
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except ValueError:  # it has ended meanwhile
            continue
        give_up(plan, study, trial, console)
        recovered += 1
    return recovered


def stale_callback(plan: Plan, console: Console) -> Stale:
    """Return what a storage calls with a trial whose worker sent no heartbeat for too long."""

    def stale(study: "Study", trial: FrozenTrial) -> None:
        give_up(plan, study, trial, console)

    return stale


def give_up(plan: Plan, study: "Study", trial: FrozenTrial, console: Console) -> None:
    """Requeue a failed trial of a dead worker, within the allowed retries, and close its runs as killed."""
    worker = trial.user_attrs.get(WORKER)
    who = "unknown" if worker is None else worker_words(worker)
    retries = plan.sweep.heartbeat.retries
    requeued = requeue(study, trial, killed=True, retries=retries)
    outcome = "it is queued again" if requeued else f"it has been tried {retries + 1} times and is given up"
    console.line(f"trial {trial.number:>3}  its worker is gone ({who}); {outcome}")
    parent.close_runs(plan, trial, f"its worker died ({who})")


def _take_one(plan: Plan, study: "Study", objective: Objective) -> FrozenTrial | None:
    """Run one trial and return it; None when another worker has requeued it meanwhile."""
    before = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
    ended: list[FrozenTrial] = []

    def note(_: "Study", trial: FrozenTrial) -> None:
        ended.append(trial)

    try:
        study.optimize(objective, n_trials=1, catch=(TrialFailed,), callbacks=[note])
    except (Stopped, KeyboardInterrupt):
        _requeue_stopped(plan, study, before)
        raise
    except storage_errors():  # if it stays unreachable, the next worker finds the trial without its worker
        with suppress(*storage_errors()):
            _requeue_stopped(plan, study, before)
        raise
    except ValueError:
        if not objective.taken_over:  # else Optuna refused the result of a trial that was already failed
            raise
        return None
    return ended[0]


def _requeue_stopped(plan: Plan, study: "Study", before: set[int]) -> None:
    """Requeue the trial during which this worker was stopped."""
    for trial in study.get_trials(states=(TrialState.FAIL,)):
        if trial.number not in before and WORKER in trial.user_attrs and is_this_process(trial.user_attrs[WORKER]):
            requeue(study, trial, killed=False, retries=plan.sweep.heartbeat.retries)


def _check_alike(reasons: list[str] | None, trial: FrozenTrial) -> list[str] | None:
    """Return the reasons of this worker's failures so far; None once a trial has not failed. Raises RlqError."""
    if reasons is None or trial.state != TrialState.FAIL:
        return None
    reasons = [*reasons, trial.user_attrs.get(REASON, "")]
    if len(reasons) >= ALIKE and len(set(reasons)) == 1:
        raise RlqError(
            f"the first {ALIKE} trials all failed: {reasons[0]}; the rest stays queued: fix the cause, and start again"
        )
    return reasons


def _reason_to_leave(plan: Plan, trial: FrozenTrial, force: bool) -> str | None:
    """Return why a running trial is left alone; None when its worker is gone."""
    worker = trial.user_attrs.get(WORKER)
    if worker is None:
        return None if force else "its worker is unknown; --force gives it up"
    if is_on_this_machine(worker):
        return f"its worker runs ({worker_words(worker)})" if is_alive(worker) else None
    grace = plan.sweep.heartbeat.grace
    if force and silence(worker) > grace:
        return None
    if force:
        return f"{worker_words(worker)}; it sent a heartbeat within {grace} s"
    return f"{worker_words(worker)}; run --mend there, or add --force if that machine is gone"
