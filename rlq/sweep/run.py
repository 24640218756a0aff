"""A whole search: create or join the study, run its trials in one process or several, and summarise it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from optuna.storages import BaseStorage

from rlq.core import distributed
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.sweep import parent, summary
from rlq.sweep.plan import CHOSEN_ON_TEST, Plan
from rlq.sweep.pool import run_workers
from rlq.sweep.storage import notices_death, open_storage, quiet, reaching, shown
from rlq.sweep.study import grid_size, join, tally, trial_count
from rlq.sweep.trial import follow
from rlq.sweep.worker import recover, stale_callback, work

if TYPE_CHECKING:
    from optuna import Study

NO_HEARTBEAT = (
    "this storage takes no heartbeats: if a worker dies, its trial stays `running` until `rlq sweep --mend` requeues it"
)


class TrialConsole(Console):
    """Prints the lines of a run indented, without its closing summary of many lines."""

    def line(self, text: str = "") -> None:
        if "\n" not in text:
            super().line(f"  {text}" if text else "")


def search(
    plan: Plan, *, workers: int = 1, words: Sequence[str] = (), member: bool = False, console: Console
) -> "Study | None":
    """Run the trials of a plan's study until nothing is left to do here, and return the study.

    Several `workers` are processes of `rlq sweep` with these arguments `words`; each is a `member`. Under torchrun the
    processes of the group compute each trial together, and all but the main one return None. Raises RlqError; Stopped
    and KeyboardInterrupt leave the trial queued.
    """
    place = distributed.start(plan.base.settings.compute.device)
    if place.world > 1 and workers > 1:
        raise RlqError("--workers does not go with torchrun: a group of processes is one worker")
    if place.is_main:
        study = _lead(plan, workers, words, console, member=member, alone=place.world == 1)
        distributed.share_from_main(None)  # ends `follow` in the other processes
    else:
        study = None
        follow(Console(quiet=True))
    if place.world > 1:
        distributed.stop()  # not after an error: the others may hang in a collective call, and the launcher ends them
    return study


def mend_search(plan: Plan, *, force: bool, console: Console) -> int:
    """Requeue trials whose worker is gone, and return their number."""
    with quiet(), reaching(plan.storage):
        study = _open(plan, console)[0]
        return recover(plan, study, force=force, console=console)


def closing_words(plan: Plan, study: "Study") -> str:
    """Return what `rlq sweep` prints at its end."""
    with quiet(), reaching(plan.storage):
        return summary.words(plan, study, parent.links(plan, study))


def closing_tree(plan: Plan, study: "Study") -> dict[str, Any]:
    """Return what `rlq sweep --json` prints at its end."""
    with quiet(), reaching(plan.storage):
        return summary.as_tree(plan, study)


def check_success(plan: Plan, study: "Study") -> None:
    """Raise RlqError when trials have failed and none has succeeded, so that scripts notice."""
    with quiet(), reaching(plan.storage):
        counts = tally(study)
    if counts.failed and not counts.complete:
        raise RlqError(f"no trial of {plan.sweep.name} has succeeded: {counts}")


def _lead(plan: Plan, workers: int, words: Sequence[str], console: Console, *, member: bool, alone: bool) -> "Study":
    with quiet(), reaching(plan.storage):
        study, storage, new = _open(plan, console)
        _greet(plan, study, new, console)
        if not (tally(study).over or notices_death(storage)):
            console.line(f"warning  {NO_HEARTBEAT}")
        stopped = True
        try:
            if workers > 1 and not tally(study).over:
                run_workers(plan, study, workers, words, console=console)
            else:
                runs = console if member else TrialConsole(quiet=console.quiet, aside=console.aside)
                work(plan, study, console=console, runs=runs, waits=notices_death(storage), alone=alone)
            stopped = False
        finally:
            if not member:  # the process that started the members does it
                for note in parent.update(plan, study, stopped=stopped):
                    console.line(f"note     {note}")
        return study


def _open(plan: Plan, console: Console) -> "tuple[Study, BaseStorage, bool]":
    plan.folder.mkdir(parents=True, exist_ok=True)
    storage = open_storage(plan.storage, plan.sweep.heartbeat, stale_callback(plan, console))
    with FileLock(plan.folder / "study.lock"):  # workers of one machine join one after the other
        study, new = join(plan, storage, lambda: parent.make_parent(plan))
    return study, storage, new


def _greet(plan: Plan, study: "Study", new: bool, console: Console) -> None:
    sweep, counts = plan.sweep, tally(study)
    label = f", {CHOSEN_ON_TEST}" if sweep.selection == "test" else ""
    console.line(f"study    {sweep.name} in {shown(plan.storage)}, {'new' if new else 'joined'}: {counts}{label}")
    if counts.over:
        exhausted = sweep.sampler.name == "grid" and grid_size(sweep) <= trial_count(plan)
        more = f"a larger number of trials, such as --trials {trial_count(plan) + 10}, continues it"
        if exhausted:
            more = "its grid has no more points"
        console.line(f"finished the study {sweep.name} is finished; {more}; another `name:` starts a new one")
