"""A saved view of MLflow's runs table: which runs, which columns, which charts.

The form is that of the UI's own "share view" (seen in MLflow 3.17); a UI that does not know it shows the plain
table. Sorting by a number matters: sorted by time, children are folded under their parent.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rlq.core.scores import ScoreTable

if TYPE_CHECKING:
    from mlflow.entities import Run

MOST_PARAMS = 8  # axes and columns that can still be read; MLflow takes views of 5000 characters
NO_SETTING = ("tracking.", "compute.", "variant")  # names, places and pace


def family_view(
    parent: str, children: Sequence["Run"], metric: str, scores: ScoreTable, *, rising: bool
) -> dict[str, Any]:
    """Return the view of a parent's children: sorted by a metric, `rising` or falling.

    Scores and the settings that differ are its columns and the axes of its parallel coordinates.
    """
    metrics, settings = _columns(children, metric, scores), _differing(children)
    axes = {"selectedMetrics": metrics[:1], "selectedParams": settings}
    parallel: dict[str, Any] = {"type": "PARALLEL", **axes, "showAllRuns": True}
    curve = metric.partition("/")[2] if metric.startswith("best/") else metric
    line: dict[str, Any] = {"type": "LINE", "metricKey": curve, "selectedMetricKeys": [curve], "xAxisKey": "step"}
    bar: dict[str, Any] = {"type": "BAR", "metricKey": metric}
    section = {"uuid": "family", "name": "Family", "display": True, "isGenerated": False}
    return {
        "searchFilter": children_of(parent),
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": rising,
        "selectedColumns": [f"metrics.`{name}`" for name in metrics] + [f"params.`{name}`" for name in settings],
        "runsHiddenMode": "SHOW_ALL",
        "isAccordionReordered": True,  # else sections are sorted by name, and this one is not the first
        "compareRunSections": [{**section, "columns": 1, "cardHeight": 340}],  # room for the names of the axes
        "compareRunCharts": [_chart(number, chart) for number, chart in enumerate((parallel, bar, line))],
    }


def children_of(run_id: str) -> str:
    """MLflow's search for the runs right below a parent."""
    return f"tags.`mlflow.parentRunId` = '{run_id}'"


def _chart(number: int, chart: dict[str, Any]) -> dict[str, Any]:
    usual = {"metricSectionId": "family", "deleted": False, "isGenerated": False, "runsCountToCompare": 100}
    return {"uuid": f"family-{number}", **usual, **chart}


def _columns(children: Sequence["Run"], metric: str, scores: ScoreTable) -> list[str]:
    """Return the metric, and of the shown scores of its group those that any child has."""
    group = metric.split("/")[-2] if "/" in metric else scores.groups[0]
    others = [f"{part}/{group}/{score.key}" for part in ("best", "test") for score in scores.shown]
    measured = {name for child in children for name in child.data.metrics}
    return [metric, *(name for name in [*others, "time/training_s"] if name in measured and name != metric)]


def _differing(children: Sequence["Run"]) -> list[str]:
    """Settings that are not the same in all children; a range by its two ends, which are numbers."""
    names = sorted({name for child in children for name in child.data.params})
    found = [
        name
        for name in names
        if len({child.data.params.get(name) for child in children}) > 1 and not name.startswith(NO_SETTING)
    ]
    ranges = {name.removesuffix(".low").removesuffix(".high") for name in found if name.endswith((".low", ".high"))}
    return [name for name in found if name not in ranges][:MOST_PARAMS]
