"""A saved view of MLflow's runs table: which runs, which columns, which charts.

The format is that of the UI's own "share view" (as of MLflow 3.17); a UI without that feature shows the plain table.
The rows must be sorted by a number, because in a table sorted by time, children are folded under their parent.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rlq.core.scores import ScoreTable

if TYPE_CHECKING:
    from mlflow.entities import Run

MOST_PARAMS = 8  # axes and columns that can still be read; MLflow accepts views of 5000 characters
HIDDEN = ("tracking.", "compute.", "variant")  # beginnings of settings that shape no result


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
        "isAccordionReordered": True,  # without it, sections are sorted by name and this one is not first
        "compareRunSections": [{**section, "columns": 1, "cardHeight": 340}],  # so high that the names of the axes fit
        "compareRunCharts": [_chart(number, chart) for number, chart in enumerate((parallel, bar, line))],
    }


def children_of(run_id: str) -> str:
    """Return MLflow's search expression for the direct children of a run."""
    return f"tags.`mlflow.parentRunId` = '{run_id}'"


def _chart(number: int, chart: dict[str, Any]) -> dict[str, Any]:
    defaults = {"metricSectionId": "family", "deleted": False, "isGenerated": False, "runsCountToCompare": 100}
    return {"uuid": f"family-{number}", **defaults, **chart}


def _columns(children: Sequence["Run"], metric: str, scores: ScoreTable) -> list[str]:
    """Return the metric, and of the shown scores of its group those that any child has."""
    group = metric.split("/")[-2] if "/" in metric else scores.groups[0]
    others = [f"{part}/{group}/{score.key}" for part in ("best", "test") for score in scores.shown]
    measured = {name for child in children for name in child.data.metrics}
    return [metric, *(name for name in [*others, "time/training_s"] if name in measured and name != metric)]


def _differing(children: Sequence["Run"]) -> list[str]:
    """Return the settings that differ between children; of a range, its two ends, which are numbers."""
    names = sorted({name for child in children for name in child.data.params})
    differing = [
        name
        for name in names
        if len({child.data.params.get(name) for child in children}) > 1 and not name.startswith(HIDDEN)
    ]
    ranges = {name.removesuffix(".low").removesuffix(".high") for name in differing if name.endswith((".low", ".high"))}
    return [name for name in differing if name not in ranges][:MOST_PARAMS]
