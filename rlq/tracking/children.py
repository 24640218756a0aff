"""Families of runs: close a child whose process died, and show a parent's children side by side in the UI."""

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from rlq.core.scores import RANKING, Goal, ScoreTable
from rlq.tracking.interface import Status, TrackingError
from rlq.tracking.provenance import without_credentials
from rlq.tracking.store import Refused, Unreachable, absolute_uri, links_to, open_client, store_errors, ui_address
from rlq.tracking.ui_view import children_of, family_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUNNING = ("RUNNING", "SCHEDULED")
MOST_COMPARED = 100  # runs in one address; browsers and proxies truncate very long addresses


def close_run(uri: str, run_id: str, *, status: Status = "KILLED", reason: str) -> bool:
    """End a run whose process died, in the store only; return False if it had ended already.

    The tag `rlq.ended_by` gets the reason. The run's folder is not touched and may be on another machine; `sync` can
    still send what is in it. Raise TrackingError if the store is unreachable or has no such run.
    """
    uri = absolute_uri(uri)
    try:
        client = open_client(uri)
        with store_errors(uri):
            run = _named(client, run_id)
            if run.info.status not in RUNNING:
                return False
            client.set_tag(run.info.run_id, "rlq.ended_by", reason[:500])
            client.set_terminated(run.info.run_id, status)
    except (Unreachable, Refused) as error:
        raise TrackingError(f"the run {run_id} cannot be closed in {without_credentials(uri)}: {error}") from error
    return True


def family_links(
    uri: str,
    parent_run_id: str,
    *,
    scores: ScoreTable = RANKING,
    metric: str | None = None,
    goal: Goal | None = None,
) -> dict[str, str]:
    """Return the addresses of a parent's children in the UI: `table`, `charts` and `compare`; none without the store.

    The table shows the scores and the settings that differ, sorted by `metric` (default: the best epoch's main score),
    the best first. `goal` says which value is best (default: what the scores say). The charts begin with parallel
    coordinates of both. For that, a view is saved in the store; another call renews it.
    """
    uri, metric = absolute_uri(uri), metric or f"best/{scores.default_metric}"
    rising = (goal or scores.goal(metric)) == "minimize"
    try:
        client = open_client(uri)
        with store_errors(uri):
            parent = _named(client, parent_run_id).info
            children = client.search_runs(
                [parent.experiment_id],
                children_of(parent.run_id),
                max_results=MOST_COMPARED,
                order_by=[f"metrics.`{metric}` {'ASC' if rising else 'DESC'}"],
            )
            view = family_view(parent.run_id, children, metric, scores, rising=rising)
            text = json.dumps(view, separators=(",", ":"))
            client.set_experiment_tag(parent.experiment_id, f"mlflow.sharedViewState.{parent.run_id}", text)
    except (Unreachable, Refused):
        return {}
    links = links_to(uri, parent.experiment_id, parent.run_id)
    addresses = {name: f"{links[name]}&viewStateShareKey={parent.run_id}" for name in ("table", "charts")}
    if len(children) > 1:
        runs = quote(json.dumps([child.info.run_id for child in children], separators=(",", ":")), safe="")
        experiments = quote(json.dumps([parent.experiment_id]), safe="")
        addresses["compare"] = f"{ui_address(uri)}/#/compare-runs?runs={runs}&experiments={experiments}"
    return addresses


def _named(client: "MlflowClient", run_id: str) -> "Run":
    """Return the run of this id; a run that began while the store was unreachable has its local id as a tag."""
    if not run_id.startswith("local-"):
        return client.get_run(run_id)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`rlq.local_id` = '{run_id}'", max_results=1)
    if not runs:
        raise Refused("it began while the store was unreachable and has not been sent; rlq track sync sends its folder")
    return runs[0]
