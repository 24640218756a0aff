"""The single-shot protocol of PRCC's own paper: one random gallery picture per person, averaged over draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from rlq.core.seeding import generator
from rlq.evaluation.metrics import RULES, Labels, Ranking, rank
from rlq.evaluation.similarity import Features, cosine_scores

SHOTS = {"multi": "multi-shot", "single": "single-shot, mean of 10 draws"}  # data.prcc_shots -> its name in tables


@dataclass(frozen=True)
class SingleShot:
    """The rankings of all draws; a number is the mean over the draws that have any valid query."""

    draws: tuple[Ranking, ...]

    def cmc(self, k: int) -> float | None:
        """Return the share of valid queries with a correct match among the first k people."""
        return _mean([draw.cmc(k) for draw in self.draws])

    @property
    def mAP(self) -> float | None:
        """The mean reciprocal rank, as each query has one match; it cannot be compared with multi-shot mAP."""
        return _mean([draw.mAP for draw in self.draws])

    def summary(self) -> dict[str, float | int | None]:
        """Return the numbers for JSON; `gallery` is the number of people."""
        first = self.draws[0]
        counts = {"queries": first.queries, "gallery": first.gallery, "draws": len(self.draws)}
        return {**{f"rank{k}": self.cmc(k) for k in (1, 5, 10, 20)}, "mAP": self.mAP, **counts}


def single_shot(
    query: Labels,
    gallery: Labels,
    query_features: Features,
    gallery_features: Features,
    rules: Sequence[str] = RULES,
    *,
    draws: int = 10,
    seed: int = 3,
) -> dict[str, SingleShot]:
    """Rank one random gallery picture per person, `draws` times (Yang et al. 2021, the paper of PRCC).

    Query features [Q, D], gallery features [G, D]. Draw d depends on seed, d and the order of the gallery only.
    """
    if draws < 1:
        raise ValueError(f"draws = {draws} should be at least 1")
    rankings: dict[str, list[Ranking]] = {rule: [] for rule in rules}
    for draw in range(draws):
        columns = one_per_person(np.asarray(gallery.pid), generator("single shot", seed, draw))
        scores = cosine_scores(query_features, gallery_features[columns])
        for rule, ranking in rank(query, _take(gallery, columns), scores, rules).items():
            rankings[rule].append(ranking)
    return {rule: SingleShot(tuple(of_rule)) for rule, of_rule in rankings.items()}


def one_per_person(pids: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the index of one random picture of every person, in the order of their pids."""
    order = random.permutation(len(pids))
    _, first = np.unique(pids[order], return_index=True)
    return order[first]


def _take(labels: Labels, rows: np.ndarray) -> Labels:
    clothes = None if labels.clothes is None else np.asarray(labels.clothes)[rows]
    return Labels(np.asarray(labels.pid)[rows], np.asarray(labels.camera)[rows], clothes)


def _mean(values: Sequence[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return fmean(measured) if measured else None
