"""The parent run of a study in MLflow: created with the study, and updated by every worker."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from rlq.runs.family import ParentRun
from rlq.sweep import summary
from rlq.sweep.plan import CHOSEN_ON_TEST, Plan
from rlq.sweep.storage import shown
from rlq.sweep.study import METRICS, RUN, SEEDS, attempts, parent_of, tally
from rlq.tracking import (
    MlflowTracker,
    TrackingError,
    close_run,
    git_tags,
    library_versions,
    resolve_uri,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)


def uri_of(plan: Plan) -> str:
    """Return the address of the tracking store of the sweep's runs."""
    return resolve_uri(Path(plan.base.settings.tracking.folder))


def make_parent(plan: Plan) -> str:
    """Create the parent run, leave it open and return its id. Raises TrackingError."""
    sweep = plan.sweep
    label = {"rlq.label": CHOSEN_ON_TEST} if sweep.selection == "test" else {}
    tags = {
        "rlq.kind": "sweep",
        "rlq.study": sweep.name,
        "rlq.storage": shown(plan.storage),
        "rlq.selection": sweep.selection,
        "rlq.dataset": plan.base.settings.data.dataset,
        "rlq.metric": ", ".join(f"{metric.goal} {metric.key}" for metric in sweep.objectives),
        **label,
        **git_tags(Path.cwd()),
        **{f"version.{library}": version for library, version in library_versions().items()},
    }
    with _locked(plan):
        tracker = _parent_run(plan, _free_folder(plan)).open(tags)
        tracker.log_params({"sampler": sweep.sampler.name, "trials": sweep.trials, "seeds": list(sweep.seeds)})
        tracker.log_dict(resolved(plan), "sweep.yaml")
        tracker.leave()
    return tracker.run_id


def update(plan: Plan, study: "Study", *, stopped: bool = False) -> list[str]:
    """Log counts, best trial and plots of the study in its parent run. Return notes about what is missing.

    The run stays open while other workers run trials. A tracking store that is unreachable adds a note.
    """
    names = [metric.key for metric in plan.sweep.objectives]
    figures, notes = summary.figures(study, names)
    counts = tally(study)
    try:
        with _locked(plan):
            run_id = parent_of(study)
            tracker = _parent_run(plan, _folder_of(plan, run_id)).open({}, resume=run_id)
            for name, figure in figures.items():
                tracker.log_figure(figure, name)
            for name, page in summary.pages(study, names).items():
                tracker.log_text(page, name)
            _log_best(tracker, plan, study)
            done = counts.complete + counts.pruned + counts.failed
            tracker.log_metrics({f"trials/{name}": float(n) for name, n in counts._asdict().items()}, step=done)
            tracker.log_tags({"rlq.trials": str(counts)})
            if counts.running:
                tracker.leave()
            else:
                tracker.end("KILLED" if stopped and counts.waiting else "FINISHED")
    except TrackingError as error:
        notes.append(f"the parent run was not updated: {error}")
    return notes


def close_runs(plan: Plan, trial: "FrozenTrial", reason: str) -> None:
    """Close the runs of a trial whose worker died. A tracking store that is unreachable only causes a warning."""
    attributes = trial.user_attrs
    seeds = [seed[RUN] for seed in attributes.get(SEEDS, {}).values()]
    for run_id in dict.fromkeys([*seeds, *([attributes[RUN]] if RUN in attributes else [])]):
        try:
            close_run(uri_of(plan), run_id, status="KILLED", reason=reason)
        except TrackingError as error:
            log.warning("trial %d: %s", trial.number, error)


def links(plan: Plan, study: "Study") -> dict[str, str]:
    """Return the addresses of the trials in the MLflow pages."""
    metric, run_id = plan.sweep.objectives[0], parent_of(study)
    run = _parent_run(plan, _folder_of(plan, run_id))
    return run.links(run_id, scores=plan.scores, metric=metric.key, goal=metric.goal)


def resolved(plan: Plan) -> dict[str, Any]:
    """Return the sweep as it is run: the file with the options of the command line."""
    tree = plan.sweep.model_dump(mode="json", exclude_unset=True)
    options = {"experiment": str(plan.sweep.experiment), "trials": plan.sweep.trials, "selection": plan.sweep.selection}
    changes = {"set": list(plan.changes)} if plan.changes else {}
    return tree | options | {"fixed": {**plan.values, **plan.last}} | changes


def _log_best(tracker: MlflowTracker, plan: Plan, study: "Study") -> None:
    best = summary.best_trials(study)
    if not best:
        return
    done = len([trial for trial in attempts(study) if trial.state.is_finished()])
    first = best[0]
    values = dict(zip([metric.key for metric in plan.sweep.objectives], first.values or (), strict=True))
    test = {n: v for n, v in first.user_attrs.get(METRICS, {}).items() if n.startswith("test/")}
    tracker.log_metrics({**test, **values}, step=done)
    tracker.log_tags(
        {"rlq.best_trial": str(first.number), **{f"best.{name}": str(value) for name, value in first.params.items()}}
    )
    trials = [
        {"trial": t.number, "values": t.values, "params": t.params, "run_id": t.user_attrs.get(RUN)} for t in best
    ]
    tracker.log_dict({"best": trials}, "best.json")


def _parent_run(plan: Plan, folder: Path) -> ParentRun:
    tracking = plan.base.settings.tracking
    return ParentRun(plan.sweep.name, folder, Path(tracking.folder), tracking.experiment)


def _locked(plan: Plan) -> FileLock:
    """Return the lock with which workers of one machine take turns to write to the parent run."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    return FileLock(plan.folder / "parent.lock")


def _free_folder(plan: Plan) -> Path:
    """Return the folder of a new parent run; an earlier study of this name may have used the first ones."""
    earlier = [path for path in sorted(plan.folder.glob("parent*")) if path.is_dir()]
    return plan.folder / (f"parent-{len(earlier) + 1}" if earlier else "parent")


def _folder_of(plan: Plan, run_id: str) -> Path:
    """Return this machine's folder of the parent run: the one that has it, or a new one."""
    for path in sorted(plan.folder.glob("parent*/tracking.json")):
        if f'"{run_id}"' in path.read_text():
            return path.parent
    return _free_folder(plan)
