"""The first pictures that a query finds, for people to look at."""

from typing import NamedTuple

import numpy as np

from rlq.evaluation.metrics import Labels, matches_and_junk
from rlq.evaluation.similarity import Features, cosine_scores


class RankList(NamedTuple):
    """The best pictures of one query, best first, junk left out."""

    gallery: np.ndarray  # [<= top] indices of gallery pictures
    hits: np.ndarray  # [<= top] bool: which of them are correct matches
    scores: np.ndarray  # [<= top] cosines


def rank_list(
    query_features: Features, gallery_features: Features, query: Labels, gallery: Labels, rule: str, top: int = 8
) -> list[RankList]:
    """The `top` best gallery pictures of every query, by one of the rules of `metrics.rank`.

    query_features [Q, D] and query labels are of the chosen queries only, a few. Equal scores: strangers first, as
    in `rank`, then the order of the gallery.
    """
    good, junk = matches_and_junk(query, gallery, rule)  # [Q, G] each
    scores = cosine_scores(query_features, gallery_features)(slice(0, len(query)))  # [Q, G]
    lists = []
    for row in range(len(query)):
        kept = np.flatnonzero(~junk[row])
        order = kept[np.lexsort((kept, good[row, kept], -scores[row, kept]))][:top]
        lists.append(RankList(order, good[row, order], scores[row, order]))
    return lists
