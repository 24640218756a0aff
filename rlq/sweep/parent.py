"""The parent run in MLflow: one per study, made by whoever makes the study, brought up to date by every worker."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from rlq.sweep import plots
from rlq.sweep.plan import CHOSEN_ON_TEST, Plan
from rlq.sweep.storage import shown
from rlq.sweep.study import attempts, parent_of, tally
from rlq.sweep.summary import best_trials
from rlq.tracking import (
    MlflowTracker,
    TrackingError,
    close_run,
    family_links,
    git_tags,
    library_versions,
    open_run,
    resolve_uri,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)


def uri_of(plan: Plan) -> str:
    """The tracking store of the sweep's runs."""
    return resolve_uri(Path(plan.base.settings.tracking.folder))


def make_parent(plan: Plan) -> str:
    """Begin the parent run and return its id; it stays open. Raises TrackingError."""
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
    with _only_here(plan):
        tracker = open_run(
            folder=_free_folder(plan),
            uri=uri_of(plan),
            experiment=plan.base.settings.tracking.experiment,
            run_name=sweep.name,
            tags=tags,
        )
        tracker.log_params({"sampler": sweep.sampler.name, "trials": sweep.trials, "seeds": list(sweep.seeds)})
        tracker.log_dict(resolved(plan), "sweep.yaml")
        tracker.leave()
    return tracker.run_id


def bring_up_to_date(plan: Plan, study: "Study", *, stopped: bool = False) -> list[str]:
    """Put the state of the study into its parent run: counts, best trial, plots. Returns notes about what is missing.

    The run ends with the study; while others work it goes on. A tracking store that is away only delays it.
    """
    names = [metric.key for metric in plan.sweep.objectives]
    drawn, notes = plots.figures(study, names)
    counts = tally(study)
    try:
        with _only_here(plan):
            tracker = _open(plan, parent_of(study))
            for name, figure in drawn.items():
                tracker.log_figure(figure, name)
            for name, page in plots.pages(study, names).items():
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
        notes.append(f"the parent run was not brought up to date: {error}")
    return notes


def close_dead(plan: Plan, trial: "FrozenTrial", reason: str) -> None:
    """Close the runs of a trial whose worker died. A store that is away is no reason to stop."""
    attributes = trial.user_attrs
    seeds = [seed["run_id"] for seed in attributes.get("seeds", {}).values()]
    for run_id in dict.fromkeys([*seeds, *([attributes["run_id"]] if "run_id" in attributes else [])]):
        try:
            close_run(uri_of(plan), run_id, status="KILLED", reason=reason)
        except TrackingError as error:
            log.warning("trial %d: %s", trial.number, error)


def links(plan: Plan, study: "Study") -> dict[str, str]:
    """Addresses of the trials in the MLflow pages."""
    metric = plan.sweep.objectives[0]
    return family_links(uri_of(plan), parent_of(study), metric=metric.key, falls=metric.goal == "minimize")


def resolved(plan: Plan) -> dict[str, Any]:
    """The sweep as it is run: the file with the command line's words in it."""
    tree = plan.sweep.model_dump(mode="json", exclude_unset=True)
    told = {"experiment": str(plan.sweep.experiment), "trials": plan.sweep.trials, "selection": plan.sweep.selection}
    changes = {"set": list(plan.changes)} if plan.changes else {}
    return tree | told | {"fixed": {**plan.values, **plan.last}} | changes


def _log_best(tracker: MlflowTracker, plan: Plan, study: "Study") -> None:
    best = best_trials(study)
    if not best:
        return
    done = len([trial for trial in attempts(study) if trial.state.is_finished()])
    first = best[0]
    values = dict(zip([metric.key for metric in plan.sweep.objectives], first.values or (), strict=True))
    test = {n: v for n, v in first.user_attrs.get("metrics", {}).items() if n.startswith("test/")}
    tracker.log_metrics({**test, **values}, step=done)
    tracker.log_tags(
        {"rlq.best_trial": str(first.number), **{f"best.{name}": str(value) for name, value in first.params.items()}}
    )
    trials = [
        {"trial": t.number, "values": t.values, "params": t.params, "run_id": t.user_attrs.get("run_id")} for t in best
    ]
    tracker.log_dict({"best": trials}, "best.json")


def _open(plan: Plan, run_id: str) -> MlflowTracker:
    return open_run(
        folder=_folder_of(plan, run_id),
        uri=uri_of(plan),
        experiment=plan.base.settings.tracking.experiment,
        run_name=plan.sweep.name,
        tags={},
        resume_run_id=run_id,
    )


def _only_here(plan: Plan) -> FileLock:
    """Workers of one machine write to the parent run one after the other."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    return FileLock(plan.folder / "parent.lock")


def _free_folder(plan: Plan) -> Path:
    """Where a new parent run keeps its data; an earlier study of this name may have left one."""
    taken = [path for path in sorted(plan.folder.glob("parent*")) if path.is_dir()]
    return plan.folder / (f"parent-{len(taken) + 1}" if taken else "parent")


def _folder_of(plan: Plan, run_id: str) -> Path:
    """This machine's folder of the parent run: the one that holds it, or a new one."""
    for path in sorted(plan.folder.glob("parent*/tracking.json")):
        if f'"{run_id}"' in path.read_text():
            return path.parent
    return _free_folder(plan)
