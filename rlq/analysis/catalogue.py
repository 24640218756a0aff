"""The analyses by their names on the command line."""

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
from rlq.analysis.base import Analysis, Outcome
from rlq.analysis.runs import Source
from rlq.core.console import Console
from rlq.core.errors import RlqError

ANALYSES: dict[str, Analysis] = {
    "curves": Analysis("Losses and metrics over the epochs", curves.draw, 1, None),
    "robustness": Analysis(
        "Rank-1 on degraded pictures",
        robustness.draw,
        1,
        None,
        "All runs rank the same degraded pictures, made by the ranges of the first run.",
    ),
    "gender_f1": Analysis(
        "Gender of wrong first matches",
        gender_f1.draw,
        1,
        None,
        "Each run is measured on its own wrong matches, so a better run is measured on fewer and harder ones.",
    ),
    "tsne": Analysis(
        "Maps of pictures and their degraded versions",
        tsne.draw,
        1,
        None,
        "Distances on one map mean little, and across maps nothing; the numbers below are of the features.",
    ),
    "rank_lists": Analysis(
        "Rank lists side by side",
        rank_lists.draw,
        2,
        None,
        "Only queries with different answers are shown, so the figure does not say how frequent those are.",
    ),
    "sharpness": Analysis("Sharpness of pictures and their degraded versions", sharpness.draw, 1, 1),
    "clothes_probe": Analysis(
        "Clothes left in the features",
        clothes_probe.draw,
        1,
        None,
        "Where clothes depend on the camera, as in PRCC, the camera alone may reveal the same outfit, but no colour.",
    ),
    "retrieval": Analysis(
        "From a degraded picture to its original",
        retrieval.draw,
        1,
        None,
        "Compare each cosine with that of other pictures.",
    ),
    "sweep": Analysis("A metric over one setting", setting.draw, 2, None),
}


def analyse(
    name: str, sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any] | None = None
) -> Outcome:
    """Run an analysis by its name. Raises RlqError for an unknown name, and for too few or too many runs."""
    if name not in ANALYSES:
        raise RlqError(f"there is no analysis {name}; known: {', '.join(ANALYSES)}")
    analysis, count = ANALYSES[name], len(sources)
    if count < analysis.least:
        raise RlqError(f"{name} needs {analysis.least} runs or more, {count} is named")
    if analysis.most is not None and count > analysis.most:
        raise RlqError(f"{name} takes {analysis.most} run, {count} are named")
    return analysis.draw(sources, seed=seed, console=console, options=options or {})
