"""Evaluation as it is usually written: one query at a time, a full sort of the gallery, one rule after the other.

This is the plain form whose speed and results `rlq.evaluation` is compared with.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rlq.evaluation.metrics import Labels

Scores = Callable[[int], NDArray[np.floating]]  # the row [G] of one query


class PlainRanking(NamedTuple):
    """The ranking of some queries under one rule."""

    first_match: NDArray[np.int64]  # [q] rank of the first correct match; 0 without a match
    average_precision: NDArray[np.float64]  # [q] nan without a match

    @property
    def mAP(self) -> float:
        """Mean average precision of the queries with a match."""
        return float(np.nanmean(self.average_precision))


def plain_scores(query: NDArray[np.float32], gallery: NDArray[np.float32]) -> Scores:
    """Return a function that computes the cosines [G] of one query from features [Q, D] and [G, D] of unit length."""
    queries, across = torch.from_numpy(query), torch.from_numpy(gallery).T

    def row(number: int) -> NDArray[np.float32]:
        return torch.mm(queries[number : number + 1], across)[0].numpy()

    return row


def plain_rank(
    query: Labels, gallery: Labels, scores: Scores, rules: Sequence[str], queries: Sequence[int] | None = None
) -> dict[str, PlainRanking]:
    """Rank the gallery for all queries or some, as `rlq.evaluation.metrics.rank` does.

    Equal scores are in the order of the sort.
    """
    chosen = range(len(query)) if queries is None else queries
    rows = {number: scores(number) for number in chosen} if len(rules) > 1 else None
    rankings = {}
    for rule in rules:
        ranked = [_rank_one(query, gallery, n, rows[n] if rows else scores(n), rule) for n in chosen]
        rankings[rule] = PlainRanking(
            np.array([first for first, _ in ranked], np.int64), np.array([average for _, average in ranked])
        )
    return rankings


def _rank_one(query: Labels, gallery: Labels, number: int, scores: NDArray, rule: str) -> tuple[int, float]:
    """Return the rank of the first correct match and the average precision of one query."""
    order = np.argsort(-scores)  # the whole gallery, best first
    same_person = np.asarray(gallery.pid)[order] == np.asarray(query.pid)[number]
    same_camera = np.asarray(gallery.camera)[order] == np.asarray(query.camera)[number]
    match = same_person & ~same_camera
    if rule != "GENERAL":
        same_clothes = np.asarray(gallery.clothes)[order] == np.asarray(query.clothes)[number]
        match &= ~same_clothes if rule == "CC" else same_clothes
    junk = same_person & ~match
    hits = match[~junk]
    if not hits.any():
        return 0, float("nan")
    ranks = np.flatnonzero(hits) + 1
    hits_so_far = np.cumsum(hits)[ranks - 1]
    return int(ranks[0]), float(np.mean(hits_so_far / ranks))
