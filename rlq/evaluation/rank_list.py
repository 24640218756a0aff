"""Rank lists: the first gallery pictures of a query's ranking."""

from typing import NamedTuple

import numpy as np

from rlq.evaluation.metrics import Labels, matches_and_junk
from rlq.evaluation.similarity import Features, cosine_scores


class RankList(NamedTuple):
    """The best gallery pictures of one query, best first, without junk."""

    gallery: np.ndarray  # [<= top] indices of gallery pictures
    hits: np.ndarray  # [<= top] bool: which of them are correct matches
    scores: np.ndarray  # [<= top] cosines


def rank_list(
    query_features: Features, gallery_features: Features, query: Labels, gallery: Labels, rule: str, top: int = 8
) -> list[RankList]:
    """Return the `top` best gallery pictures of every query, by one of the rules of `metrics.rank`.

    query_features [Q, D] and query labels are of a few chosen queries only. Equal scores: other people first, as in
    `rank`, then the order of the gallery.
    """
    match, junk = matches_and_junk(query, gallery, rule)  # [Q, G] each
    scores = cosine_scores(query_features, gallery_features)(slice(0, len(query)))  # [Q, G]
    lists = []
    for row in range(len(query)):
        ranked = np.flatnonzero(~junk[row])
        order = ranked[np.lexsort((ranked, match[row, ranked], -scores[row, ranked]))][:top]
        lists.append(RankList(order, match[row, order], scores[row, order]))
    return lists
