"""Rank a data set's gallery for its queries by the features of any function of samples."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from rlq.core.distributed import Place, share_from_main
from rlq.core.scores import RANKING_COLUMNS
from rlq.data.degradation import DegradationRanges, Degrading
from rlq.data.records import ReidData
from rlq.evaluation.embed import FeaturesOf
from rlq.evaluation.metrics import Ranking
from rlq.evaluation.protocols import evaluate, evaluate_single_shot
from rlq.evaluation.single_shot import SingleShot

Results = Ranking | SingleShot
Degraded = Literal["query", "gallery", "both"]  # which samples are degraded
Shots = Literal["multi", "single"]  # PRCC's gallery: every picture, or draws of one per person


class Evaluator:
    """Evaluates features by the protocols of one data set."""

    def __init__(
        self,
        data: ReidData,
        features_of: FeaturesOf,
        *,
        place: Place,
        shots: Shots = "multi",
        ranges: DegradationRanges | None = None,
        degraded: Degraded = "both",
        seed: int = 0,
    ) -> None:
        """With `ranges`, degrade the samples of one side or both.

        `seed` decides how. A sample is degraded in the same way whether its side is degraded alone or not.
        """
        self.data, self.features_of, self.place, self.shots = data, features_of, place, shots
        queries, everything = len(data.query), len(data.query) + len(data.gallery)
        sides = {"query": range(queries), "gallery": range(queries, everything), "both": range(everything)}
        self.degrading = None if ranges is None else Degrading(ranges, seed, sides[degraded])

    def features(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of queries and gallery: float32 [Q, D] and [G, D], of unit length, on every process."""
        data = self.data
        samples = [record.pictures for record in (*data.query, *data.gallery)]
        features = self.features_of(samples, degrading=self.degrading, label="evaluation")
        return features[: len(data.query)], features[len(data.query) :]

    def rank(self) -> Mapping[str, Results]:
        """Return each protocol's ranking by name. All processes compute features; the main process ranks."""
        query, gallery = self.features()
        return share_from_main(rank_features(self.data, query, gallery, self.shots) if self.place.is_main else None)


def rank_features(
    data: ReidData, query: np.ndarray, gallery: np.ndarray, shots: Shots = "multi"
) -> Mapping[str, Results]:
    """Return each protocol's ranking of features [Q, D] and [G, D], one row per query and per gallery sample."""
    if is_single_shot(data, shots):
        return evaluate_single_shot(data.query, data.gallery, data.protocols, query, gallery)
    return evaluate(data.query, data.gallery, data.protocols, query, gallery)


def is_single_shot(data: ReidData, shots: Shots) -> bool:
    """Return whether results are means over draws of one gallery picture per person."""
    return shots == "single" and data.single_shot


def flat_metrics(rankings: Mapping[str, Results]) -> dict[str, float | None]:
    """Return CC/rank1, CC/mAP and so on, as fractions; None without a valid query."""
    metrics: dict[str, float | None] = {}
    for name, ranking in rankings.items():
        summary = ranking.summary()
        metrics |= {f"{name}/{score.key}": summary[score.key] for score in RANKING_COLUMNS}
    return metrics
