"""The study: made by the first worker, joined by the others; its trials are queued beforehand, so none is too many.

Every trial to come is a queued one with its place, the user attribute `slot`. Taking one off the queue is atomic in
every storage, hence several workers together run exactly as many as were asked for. A trial whose worker died or was
stopped is queued again with its slot and its user attributes.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
from optuna.storages import BaseStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState, create_trial

from rlq.core.config import flatten
from rlq.core.errors import RlqError
from rlq.core.settings import PLACES
from rlq.sweep.plan import Plan
from rlq.sweep.samplers import grid, make_pruner, make_sampler
from rlq.sweep.space import difference, flat_guess
from rlq.sweep.spec import Sweep
from rlq.sweep.storage import shown

if TYPE_CHECKING:
    from optuna import Study

ABOUT = "rlq"  # the study's user attribute that says what it searches
READY = 60  # seconds that a second worker waits for the first one to make the study
SLOT, SURPLUS, REASON, KILLS = "slot", "surplus", "reason", "kills"  # user attributes of trials
DRAWS = 100  # until a trial that breaks the constraints is given up
PASSING = (REASON, "traceback", "worker")  # of one attempt, not of the next


class Tally(NamedTuple):
    """How many trials are how far; those that were tried again count once."""

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done, by anybody."""
        return self.running == self.waiting == 0

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in zip(self._fields, self, strict=True) if count)


def join(plan: Plan, storage: BaseStorage, make_parent: Callable[[], str]) -> "tuple[Study, bool]":
    """The study of a plan, and whether it is new. `make_parent` makes the parent run of a new one and returns its id.

    Raises RlqError for a study of this name that searches something else.
    """
    sweep = plan.sweep
    sampler, pruner = make_sampler(sweep), make_pruner(sweep)
    try:
        study = optuna.create_study(
            storage=storage, study_name=sweep.name, directions=sweep.directions, sampler=sampler, pruner=pruner
        )
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=sweep.name, sampler=sampler, pruner=pruner)
        _check_same(plan, _about(study, plan))
        add_slots(study, plan)
        return study, False
    try:
        add_slots(study, plan)
        study.set_user_attr(ABOUT, _description(plan) | {"parent": make_parent()})
    except BaseException:  # a half-made study would be in the way of the next attempt
        optuna.delete_study(study_name=sweep.name, storage=storage)
        raise
    return study, True


def parent_of(study: "Study") -> str:
    """The MLflow run id of the study's parent run."""
    return study.user_attrs[ABOUT]["parent"]


def add_slots(study: "Study", plan: Plan) -> None:
    """Queue trials up to the number that is wanted: the first guesses, then ones that the sampler fills in.

    A grid comes to every first guess by itself. Two workers that do so at once queue some twice; `is_surplus` finds the
    second of each.
    """
    sweep = plan.sweep
    known = {trial.user_attrs[SLOT] for trial in study.get_trials(deepcopy=False) if SLOT in trial.user_attrs}
    guesses = (
        []
        if sweep.sampler.name == "grid"
        else [flat_guess(guess, sweep, plan.base.settings) for guess in sweep.enqueue]
    )
    for slot in range(wanted(plan)):
        if slot in known:
            continue
        if slot < len(guesses):
            study.enqueue_trial(guesses[slot], user_attrs={SLOT: slot})
        else:
            study.add_trial(create_trial(state=TrialState.WAITING, user_attrs={SLOT: slot}))


def wanted(plan: Plan) -> int:
    """How many trials the study is to have; a grid has no more than its points."""
    sweep = plan.sweep
    return min(sweep.trials, grid_size(sweep)) if sweep.sampler.name == "grid" else sweep.trials


def grid_size(sweep: Sweep) -> int:
    """How many points a grid has."""
    return math.prod(len(points) for points in grid(sweep).values())


def is_surplus(study: "Study", trial: FrozenTrial) -> bool:
    """Whether a trial was begun although all were taken: it has no slot, or one that an earlier trial has."""
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
    """The numbers of the trials that this one tries again."""
    return trial.system_attrs.get("retry_history", [])  # as RetryHeartbeatStaleTrialCallback keeps it


def attempts(study: "Study") -> list[FrozenTrial]:
    """The trials that count, by number: of those that were tried again the last attempt."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if SURPLUS not in trial.user_attrs]
    replaced = {number for trial in trials for number in earlier_attempts(trial)}
    return [trial for trial in trials if trial.number not in replaced]


def tally(study: "Study") -> Tally:
    """How far the study is."""
    states = [trial.state for trial in attempts(study)]
    order = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING)
    return Tally(*(states.count(state) for state in order))


def queue_again(study: "Study", trial: FrozenTrial, *, killed: bool, retries: int) -> bool:
    """Queue a failed trial once more, with its draw and its attributes; false if it was killed too often.

    Being stopped in order does not count, as on machines that take their workers away for others.
    """
    kills = trial.user_attrs.get(KILLS, 0) + killed
    if kills > retries:
        return False
    kept = {name: value for name, value in trial.user_attrs.items() if name not in PASSING}
    trial.user_attrs = kept | {KILLS: kills}
    RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)(study, trial)
    return True


def draw_again(study: "Study", trial: FrozenTrial, plan: Plan) -> None:
    """Queue another trial in the place of one whose draw breaks a constraint; a grid has no other point for it.

    Raises RlqError when that has been of no use for long.
    """
    if plan.sweep.sampler.name == "grid":
        return
    earlier = [*earlier_attempts(trial), trial.number]
    if len(earlier) > DRAWS:
        raise RlqError(f"{len(earlier)} draws in a row broke a constraint; is there a point that keeps them all?")
    attributes = {SLOT: trial.user_attrs[SLOT]}
    study.add_trial(
        create_trial(state=TrialState.WAITING, user_attrs=attributes, system_attrs={"retry_history": earlier})
    )


def _description(plan: Plan) -> dict[str, Any]:
    return {"space": plan.signature, "base": plan.fingerprint, "settings": _comparable(plan)}


def _comparable(plan: Plan) -> dict[str, Any]:
    """The base experiment's settings, but for those that the sweep decides."""
    decided = {*plan.sweep.parameters, *plan.sweep.fixed, "data.selection", "seed"}
    return {name: value for name, value in flatten(plan.base.settings).items() if name not in decided}


def _about(study: "Study", plan: Plan) -> Mapping[str, Any]:
    """What the study says of itself; the worker that makes it may still be at it."""
    deadline = time.monotonic() + READY
    while ABOUT not in study.user_attrs:
        if time.monotonic() > deadline:
            name, place = study.study_name, shown(plan.storage)
            raise RlqError(
                f"the study {name} in {place} was not made by rlq sweep, or whoever made it died over it; "
                f"remove it with `optuna delete-study --study-name {name} --storage URL`, or give the sweep another "
                "`name:`"
            )
        time.sleep(0.2)
    return study.user_attrs[ABOUT]


def _check_same(plan: Plan, about: Mapping[str, Any]) -> None:
    differences = []
    if about["space"] != plan.signature:
        differences.append(difference(about["space"], plan.signature))
    changed = _changed(about["settings"], _comparable(plan))
    if changed:
        differences.append(f"the experiment: {changed}")
    elif not differences and about["base"] != plan.fingerprint:
        differences.append("the settings of the experiment's teacher")
    if differences:
        raise RlqError(
            f"a study {plan.sweep.name} exists in {shown(plan.storage)}, and it is another search: "
            f"{'; '.join(differences)}; give the sweep another `name:`, or another --storage"
        )


def _changed(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What shapes results differently. Places and pace may differ from machine to machine."""
    here = json.loads(json.dumps(here))  # as the storage gives back what it was given
    names = [name for name in sorted({*there, *here}) if there.get(name) != here.get(name) and not _is_pace(name)]
    told = [f"{name} = {there.get(name)!r} there, {here.get(name)!r} here" for name in names[:5]]
    return ", ".join(told + ([f"and {len(names) - 5} more"] if len(names) > 5 else []))


def _is_pace(name: str) -> bool:
    section, _, rest = name.partition(".")
    keys = PLACES.get(section, ())
    return keys is None or rest in keys
