"""Trials whose worker is gone, on storages that take no heartbeats."""

from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from rlq.core.console import Console
from rlq.sweep.heartbeat import WORKER, is_alive, is_here, silent_for, told
from rlq.sweep.plan import Plan
from rlq.sweep.worker import give_up

if TYPE_CHECKING:
    from optuna import Study


def mend(plan: Plan, study: "Study", *, force: bool, console: Console) -> int:
    """Fail the running trials whose worker is gone, queue them again and close their runs; return how many.

    Of a worker on this machine it is known whether it lives. One on another machine is left alone, unless `force` says
    that it is gone and it has given no sign of life for the grace period.
    """
    mended = 0
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        kept = _why_kept(plan, trial, force)
        if kept is not None:
            console.line(f"trial {trial.number:>3}  left alone: {kept}")
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except ValueError:  # it has ended meanwhile
            continue
        give_up(plan, study, trial, console)
        mended += 1
    return mended


def _why_kept(plan: Plan, trial: FrozenTrial, force: bool) -> str | None:
    worker = trial.user_attrs.get(WORKER)
    if worker is None:
        return None if force else "its worker has not said who it is; --force gives it up"
    if is_here(worker):
        return f"its worker runs ({told(worker)})" if is_alive(worker) else None
    grace = plan.sweep.heartbeat.grace
    if force and silent_for(worker) > grace:
        return None
    hint = f"it gave a sign within {grace} s" if force else "run --mend there, or add --force if that machine is gone"
    return f"{told(worker)}; {hint}"
