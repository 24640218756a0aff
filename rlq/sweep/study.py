"""The study: created by the first worker, joined by the others, with one queued trial for every trial to come.

Each queued trial has its place in the user attribute `slot`. Taking a trial off the queue is atomic in every storage,
so that several workers together run exactly the number of trials that was requested. A trial whose worker died or was
stopped is requeued with its slot and its user attributes.
"""

import math
import os
import socket
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
import psutil
from optuna.storages import BaseStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState, create_trial

from rlq.core.errors import RlqError
from rlq.sweep.plan import Plan
from rlq.sweep.samplers import grid, make_pruner, make_sampler
from rlq.sweep.space import flat_guess
from rlq.sweep.spec import Sweep
from rlq.sweep.storage import shown

if TYPE_CHECKING:
    from optuna import Study

IDENTITY = "rlq"  # the study's user attribute with the plan's identity and the parent run
READY = 60  # seconds that a second worker waits until the first one has created the study
DRAWS = 100  # draws in a row that may break a constraint
# User attributes of trials: where it is in the queue, who runs it, how it ended, and what it has drawn and measured.
SLOT, SURPLUS, KILLS, WORKER = "slot", "surplus", "kills", "worker"
REASON, TRACEBACK = "reason", "traceback"
RUN, FOLDER, SEEDS, DRAWN, METRICS = "run_id", "folder", "seeds", "settings", "metrics"
OF_ONE_ATTEMPT = (REASON, TRACEBACK, WORKER)  # not inherited by the next attempt


class Tally(NamedTuple):
    """The number of trials in each state; a trial with several attempts counts once."""

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int

    @property
    def over(self) -> bool:
        """Whether no worker has anything left to do."""
        return self.running == self.waiting == 0

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in zip(self._fields, self, strict=True) if count)


def join(plan: Plan, storage: BaseStorage, make_parent: Callable[[], str]) -> "tuple[Study, bool]":
    """Create or load the study of a plan; return it, and whether it is new.

    `make_parent` creates the parent run of a new study and returns its id. Raises RlqError when a study of this name is
    another search.
    """
    sweep = plan.sweep
    sampler, pruner = make_sampler(sweep), make_pruner(sweep)
    try:
        study = optuna.create_study(
            storage=storage, study_name=sweep.name, directions=sweep.directions, sampler=sampler, pruner=pruner
        )
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=sweep.name, sampler=sampler, pruner=pruner)
        _check_same(plan, _wait_for_identity(study, plan))
        add_slots(study, plan)
        return study, False
    try:
        add_slots(study, plan)
        study.set_user_attr(IDENTITY, plan.identity() | {"parent": make_parent()})
    except BaseException:  # an incomplete study would block the next attempt
        optuna.delete_study(study_name=sweep.name, storage=storage)
        raise
    return study, True


def parent_of(study: "Study") -> str:
    """Return the MLflow run id of the study's parent run."""
    return study.user_attrs[IDENTITY]["parent"]


def add_slots(study: "Study", plan: Plan) -> None:
    """Queue trials up to the planned number: first the guesses, then trials whose values the sampler draws.

    A grid visits every guess anyway. Two workers that do this at once queue some slots twice; `is_surplus` finds the
    second trial of each.
    """
    sweep = plan.sweep
    taken = {trial.user_attrs[SLOT] for trial in study.get_trials(deepcopy=False) if SLOT in trial.user_attrs}
    guesses = () if sweep.sampler.name == "grid" else sweep.enqueue
    flat_guesses = [flat_guess(guess, sweep, plan.base.settings) for guess in guesses]
    for slot in range(trial_count(plan)):
        if slot in taken:
            continue
        if slot < len(flat_guesses):
            study.enqueue_trial(flat_guesses[slot], user_attrs={SLOT: slot})
        else:
            study.add_trial(create_trial(state=TrialState.WAITING, user_attrs={SLOT: slot}))


def trial_count(plan: Plan) -> int:
    """Return the planned number of trials; a grid has at most one per point."""
    sweep = plan.sweep
    return min(sweep.trials, grid_size(sweep)) if sweep.sampler.name == "grid" else sweep.trials


def grid_size(sweep: Sweep) -> int:
    """Return the number of points of a grid."""
    return math.prod(len(points) for points in grid(sweep).values())


def is_surplus(study: "Study", trial: FrozenTrial) -> bool:
    """Return whether a trial exceeds the planned number: it has no slot, or the slot of an earlier trial."""
    if SLOT not in trial.user_attrs:
        return True
    before = earlier_attempts(trial)
    return any(
        other.user_attrs.get(SLOT) == trial.user_attrs[SLOT]
        and other.number < trial.number
        and other.number not in before
        for other in study.get_trials(deepcopy=False)
    )


def earlier_attempts(trial: FrozenTrial) -> list[int]:
    """Return the numbers of the trials that this one repeats."""
    return trial.system_attrs.get("retry_history", [])  # written by RetryHeartbeatStaleTrialCallback


def attempts(study: "Study") -> list[FrozenTrial]:
    """Return the trials that count, by number: of every slot the last attempt."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if SURPLUS not in trial.user_attrs]
    replaced = {number for trial in trials for number in earlier_attempts(trial)}
    return [trial for trial in trials if trial.number not in replaced]


def tally(study: "Study") -> Tally:
    """Count the trials of a study by state."""
    states = [trial.state for trial in attempts(study)]
    order = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING)
    return Tally(*(states.count(state) for state in order))


def requeue(study: "Study", trial: FrozenTrial, *, killed: bool, retries: int) -> bool:
    """Queue a failed trial once more, with its draw and its attributes; return False if it was killed too often.

    A trial that was stopped by a signal does not count as killed, so that preemption costs no retries.
    """
    kills = trial.user_attrs.get(KILLS, 0) + killed
    if kills > retries:
        return False
    inherited = {name: value for name, value in trial.user_attrs.items() if name not in OF_ONE_ATTEMPT}
    trial.user_attrs = inherited | {KILLS: kills}
    RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)(study, trial)
    return True


def replace_infeasible(study: "Study", trial: FrozenTrial, plan: Plan) -> None:
    """Queue a new draw for the slot of a trial that breaks a constraint; a grid has no other point for it.

    Raises RlqError after many such draws in a row.
    """
    if plan.sweep.sampler.name == "grid":
        return
    earlier = [*earlier_attempts(trial), trial.number]
    if len(earlier) > DRAWS:
        raise RlqError(f"{len(earlier)} draws in a row broke a constraint; check that some point satisfies them all")
    attributes = {SLOT: trial.user_attrs[SLOT]}
    study.add_trial(
        create_trial(state=TrialState.WAITING, user_attrs=attributes, system_attrs={"retry_history": earlier})
    )


def _wait_for_identity(study: "Study", plan: Plan) -> Mapping[str, Any]:
    """Return the identity of a study, which the worker that creates it may still be writing."""
    deadline = time.monotonic() + READY
    while IDENTITY not in study.user_attrs:
        if time.monotonic() > deadline:
            name, place = study.study_name, shown(plan.storage)
            raise RlqError(
                f"the study {name} in {place} was not created by `rlq sweep`, or its creator was killed; "
                f"remove it with `optuna delete-study --study-name {name} --storage URL`, or give the sweep another "
                "`name:`"
            )
        time.sleep(0.2)
    return study.user_attrs[IDENTITY]


def _check_same(plan: Plan, identity: Mapping[str, Any]) -> None:
    differences = plan.differences(identity)
    if differences:
        raise RlqError(
            f"a study {plan.sweep.name} exists in {shown(plan.storage)}, and it is another search: "
            f"{'; '.join(differences)}; give the sweep another `name:`, or use another --storage"
        )


def heartbeat() -> dict[str, Any]:
    """Return the value of a trial's WORKER attribute: this process, now.

    Storages without heartbeats of their own rely on it.
    """
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "born": _start_of(pid), "seen": time.time()}


def is_this_process(worker: Mapping[str, Any]) -> bool:
    """Return whether the worker is this process."""
    return is_on_this_machine(worker) and worker["pid"] == os.getpid()


def is_on_this_machine(worker: Mapping[str, Any]) -> bool:
    """Return whether the worker ran on this machine."""
    return worker["host"] == socket.gethostname()


def is_alive(worker: Mapping[str, Any]) -> bool:
    """Return whether a worker of this machine still runs; another process that reused its number does not count."""
    try:
        start = _start_of(worker["pid"])
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # a process of another user on a system that hides these: it may be the worker
        return True
    return worker["born"] in (None, start)  # None: written by an earlier version on a system without /proc


def silence(worker: Mapping[str, Any]) -> float:
    """Return the seconds since the worker's last heartbeat, by this machine's clock."""
    return time.time() - worker["seen"]


def worker_words(worker: Mapping[str, Any]) -> str:
    """Describe a worker in a message."""
    seen = datetime.fromtimestamp(worker["seen"]).astimezone()
    return f"process {worker['pid']} on {worker['host']}, last heartbeat {seen:%F %T}"


def _start_of(pid: int) -> str:
    """Return when a process started. Raises psutil.NoSuchProcess.

    On Linux this is the kernel's own number, clock ticks since boot. Setting the clock does not change it, and trials
    of earlier versions have the same number.
    """
    boot = psutil.boot_time()
    created = psutil.Process(pid).create_time()
    return str(round((created - boot) * os.sysconf("SC_CLK_TCK"))) if psutil.LINUX else str(created)
