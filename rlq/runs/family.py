"""The parent run in the tracker of a family of runs: a table, a study, or a trial of several seeds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rlq.core.scores import Goal, ScoreTable
from rlq.runs.record import ended_by, status_after
from rlq.tracking import MlflowTracker, family_links, open_run, resolve_uri


@dataclass(frozen=True)
class ParentRun:
    """What a parent run is opened with; other processes open it again by its id."""

    name: str
    folder: Path  # the run's own
    runs: Path  # tracking.folder, which decides the store
    experiment: str  # in the tracker

    def open(self, tags: Mapping[str, str], *, parent: str | None = None, resume: str | None = None) -> MlflowTracker:
        """Open the run, new or continued by its id, below a parent if it has one. Raises TrackingError."""
        return open_run(
            folder=self.folder,
            uri=resolve_uri(self.runs),
            experiment=self.experiment,
            run_name=self.name,
            tags=tags,
            parent_run_id=parent,
            resume_run_id=resume,
        )

    def links(self, run_id: str, *, scores: ScoreTable, metric: str, goal: Goal | None = None) -> dict[str, str]:
        """Return the addresses of the children in the MLflow pages, by label; the best by `metric` comes first."""
        return family_links(resolve_uri(self.runs), run_id, scores=scores, metric=metric, goal=goal)


@contextmanager
def ended(tracker: MlflowTracker) -> Iterator[None]:
    """End the run with this block: as FINISHED, or after an error with its reason as KILLED or FAILED."""
    try:
        yield
    except BaseException as error:
        tracker.log_tags(ended_by(error))
        tracker.end(status_after(error))
        raise
    tracker.end()
