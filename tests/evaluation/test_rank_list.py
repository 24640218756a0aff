import numpy as np
import pytest

from rlq.evaluation.metrics import Labels, matches_and_junk, rank
from rlq.evaluation.rank_list import rank_list
from rlq.evaluation.similarity import cosine_scores


def case(seed: int = 0):
    random = np.random.default_rng(seed)
    query, gallery = (
        Labels(random.integers(0, 4, n), random.integers(0, 3, n), random.integers(0, 2, n)) for n in (6, 30)
    )
    return query, gallery, *(random.standard_normal((n, 5)).astype(np.float32) for n in (6, 30))


@pytest.mark.parametrize("rule", ["GENERAL", "CC", "SC"])
def test_the_first_hit_stands_where_the_ranking_puts_it(rule):
    query, gallery, query_features, gallery_features = case()
    first = rank(query, gallery, cosine_scores(query_features, gallery_features), [rule])[rule].first_match
    lists = rank_list(query_features, gallery_features, query, gallery, rule, top=30)
    assert [int(row.hits.argmax()) + 1 if row.hits.any() else 0 for row in lists] == first.tolist()
    assert all((np.diff(row.scores) <= 0).all() for row in lists)
    shorter = rank_list(query_features, gallery_features, query, gallery, rule, top=4)
    assert [row.gallery.tolist() for row in shorter] == [row.gallery[:4].tolist() for row in lists]


@pytest.mark.parametrize("rule", ["GENERAL", "CC", "SC"])
def test_good_and_junk_are_their_definition(rule):
    query, gallery, *_ = case(1)
    good, junk = matches_and_junk(query, gallery, rule)
    for i in range(6):
        for j in range(30):
            own = query.pid[i] == gallery.pid[j]
            match = own and query.camera[i] != gallery.camera[j]
            if rule != "GENERAL":
                match = match and (query.clothes[i] == gallery.clothes[j]) == (rule == "SC")
            assert (good[i, j], junk[i, j]) == (match, own and not match)


def test_strangers_stand_before_a_match_of_the_same_score():
    labels = Labels([1, 2, 3], [1, 1, 1])
    found = rank_list(np.ones((1, 2)), np.ones((3, 2)), Labels([1], [0]), labels, "GENERAL")[0]
    assert found.gallery.tolist() == [1, 2, 0] and found.hits.tolist() == [False, False, True]
