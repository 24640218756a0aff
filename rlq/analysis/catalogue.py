"""The analyses by the names that people type."""

from collections.abc import Mapping, Sequence
from typing import Any

from rlq.analysis import (
    clothes_probe,
    curves,
    gender_f1,
    rank_lists,
    retrieval,
    robustness,
    setting,
    sharpness,
    tsne,
)
from rlq.analysis.base import Analysis, Drawn
from rlq.analysis.runs import Source
from rlq.core.console import Console
from rlq.core.errors import RlqError

ANALYSES: dict[str, Analysis] = {
    "curves": Analysis("Losses and metrics over the epochs", curves.draw, 1, None),
    "robustness": Analysis(
        "Rank-1 on spoilt pictures",
        robustness.draw,
        1,
        None,
        "All runs rank the same spoilt pictures, made by the ranges of the first run.",
    ),
    "gender_f1": Analysis(
        "Gender of wrong first matches",
        gender_f1.draw,
        1,
        None,
        "Each run is judged on its own wrong matches, so a better run is judged on fewer and harder ones.",
    ),
    "tsne": Analysis(
        "Maps of good and bad pictures",
        tsne.draw,
        1,
        None,
        "Distances on one map mean little and across maps nothing; the numbers below are of the features themselves.",
    ),
    "rank_lists": Analysis(
        "Rank lists side by side",
        rank_lists.draw,
        2,
        None,
        "Only queries that the runs answer differently are shown: no picture of how often they do.",
    ),
    "sharpness": Analysis("Sharpness of good and bad pictures", sharpness.draw, 1, 1),
    "clothes_probe": Analysis(
        "Clothes left in the features",
        clothes_probe.draw,
        1,
        None,
        "Where a set ties clothes to cameras, as PRCC does, the camera alone may tell the same outfit, but no colour.",
    ),
    "retrieval": Analysis(
        "From a bad picture to its good version",
        retrieval.draw,
        1,
        None,
        "A cosine says something only beside that of other pictures.",
    ),
    "sweep": Analysis("A metric over one setting", setting.draw, 2, None),
}


def analyse(
    name: str, sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any] | None = None
) -> Drawn:
    """Ask runs a question by its name. Raises RlqError for an unknown one, and for too few or too many runs."""
    if name not in ANALYSES:
        raise RlqError(f"there is no analysis {name}; there are {', '.join(ANALYSES)}")
    analysis, count = ANALYSES[name], len(sources)
    if count < analysis.least:
        raise RlqError(f"{name} needs {analysis.least} runs or more, {count} is named")
    if analysis.most is not None and count > analysis.most:
        raise RlqError(f"{name} takes {analysis.most} run, {count} are named")
    return analysis.draw(sources, seed=seed, console=console, options=options or {})
