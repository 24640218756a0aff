"""Rank a data set's gallery for its queries with any function that turns pictures into features."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from rlq.core.console import Console
from rlq.core.distributed import Place, share_from_main
from rlq.core.settings import DataSettings
from rlq.data.degradation import DegradationRanges
from rlq.data.records import ReidData
from rlq.evaluation.embed import Embed, embed_pictures
from rlq.evaluation.metrics import Ranking
from rlq.evaluation.protocols import evaluate, single_shots
from rlq.evaluation.single_shot import SingleShot

RANKS = (1, 5, 10, 20)
Results = Ranking | SingleShot
Degraded = Literal["query", "gallery", "both"]  # which pictures artefacts spoil


class Evaluator:
    """The protocols of one data set; knows where to compute, not what."""

    def __init__(
        self,
        data: ReidData,
        settings: DataSettings,
        *,
        place: Place,
        console: Console,
        artefacts: DegradationRanges | None = None,
        degraded: Degraded = "both",
        seed: int = 0,
    ) -> None:
        """`artefacts` spoil queries, gallery or both; `seed` decides how, and a picture is spoilt in the same way
        whether its side is spoilt alone or not."""
        self.data, self.settings, self.place, self.console, self.artefacts = data, settings, place, console, artefacts
        queries, everything = len(data.query), len(data.query) + len(data.gallery)
        sides = {"query": range(queries), "gallery": range(queries, everything), "both": range(everything)}
        self.spoilt, self.seed = sides[degraded], seed

    def features(self, embed: Embed) -> tuple[np.ndarray, np.ndarray]:
        """Of queries and gallery: float32 [Q, D] and [G, D], of unit length, on every process."""
        data, settings = self.data, self.settings
        paths = [record.path for record in (*data.query, *data.gallery)]
        features = embed_pictures(
            embed,
            paths,
            size=settings.size,
            batch=settings.test_batch,
            workers=settings.workers,
            patience=settings.patience,
            place=self.place,
            console=self.console,
            artefacts=self.artefacts,
            spoilt=self.spoilt,
            seed=self.seed,
            label="evaluation",
        )
        return features[: len(data.query)], features[len(data.query) :]

    def rank(self, embed: Embed) -> Mapping[str, Results]:
        """Each protocol's ranking by name. Features are shared work, ranking is the main process's."""
        query, gallery = self.features(embed)
        return share_from_main(self.rank_features(query, gallery) if self.place.is_main else None)

    def rank_features(self, query: np.ndarray, gallery: np.ndarray) -> Mapping[str, Results]:
        """Each protocol's ranking of features [Q, D] and [G, D] made by other means."""
        data = self.data
        if self.settings.prcc_shots == "single" and data.single_shot:
            return single_shots(data.query, data.gallery, data.protocols, query, gallery)
        return evaluate(data.query, data.gallery, data.protocols, query, gallery)


def flat(rankings: Mapping[str, Results]) -> dict[str, float | None]:
    """CC/rank1, CC/mAP and so on, as fractions; None without a valid query."""
    found: dict[str, float | None] = {}
    for name, ranking in rankings.items():
        found |= {f"{name}/rank{k}": ranking.cmc(k) for k in RANKS}
        found[f"{name}/mAP"] = ranking.mAP
    return found
