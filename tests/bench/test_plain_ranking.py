"""The plain form and our ranking say the same, and the plain form says what a person would count."""

import numpy as np
import pytest

from rlq.bench.plain_ranking import plain_rank, plain_scores
from rlq.evaluation.metrics import RULES, Labels, rank
from rlq.evaluation.similarity import cosine_scores


def random_case(seed, queries=17, gallery=53, people=7):
    """Uneven people, some without a match; cosines without ties."""
    random = np.random.default_rng(seed)
    query = Labels(*(random.integers(0, n, queries) for n in (people + 2, 3, 2)))
    others = Labels(*(random.integers(0, n, gallery) for n in (people, 3, 2)))
    q, g = (random.standard_normal((n, 19)).astype(np.float32) for n in (queries, gallery))
    return query, others, q, g


@pytest.mark.parametrize("seed", range(4))
def test_both_forms_agree_under_every_rule(seed):
    query, gallery, q, g = random_case(seed)
    ours = rank(query, gallery, cosine_scores(q, g))
    unit = [features / np.linalg.norm(features, axis=1, keepdims=True) for features in (q, g)]
    plain = plain_rank(query, gallery, plain_scores(*unit), RULES)
    for rule in RULES:
        assert plain[rule].first_match.tolist() == ours[rule].first_match.tolist()
        assert np.allclose(plain[rule].average_precision, ours[rule].average_precision, atol=1e-12, equal_nan=True)
        assert plain[rule].mAP == pytest.approx(ours[rule].mAP, abs=1e-12)
    assert (ours["CC"].first_match == 0).any() and ours["CC"].mAP != ours["SC"].mAP


def test_the_plain_form_counts_as_one_does_by_hand():
    query = Labels([7], [1], [0])
    gallery = Labels([7, 8, 7, 7, 9], [1, 1, 2, 2, 1], [0, 0, 0, 1, 0])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])  # own camera, stranger, same clothes, other clothes, stranger
    found = plain_rank(query, gallery, lambda _: scores, RULES)
    assert [found[rule].first_match.tolist() for rule in ("GENERAL", "CC", "SC")] == [[2], [2], [2]]
    assert found["GENERAL"].mAP == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["CC"].mAP == found["SC"].mAP == pytest.approx(1 / 2)


def test_only_the_queries_that_are_asked_for_are_ranked():
    query, gallery, q, g = random_case(5)
    every = plain_rank(query, gallery, plain_scores(q, g), ["GENERAL"])["GENERAL"]
    some = plain_rank(query, gallery, plain_scores(q, g), ["GENERAL"], [3, 11])["GENERAL"]
    assert some.first_match.tolist() == every.first_match[[3, 11]].tolist()


def test_a_query_without_a_match_has_no_rank():
    found = plain_rank(Labels([1], [0]), Labels([1, 2], [0, 1]), lambda _: np.array([1.0, 0.5]), ["GENERAL"])["GENERAL"]
    assert found.first_match.tolist() == [0] and np.isnan(found.average_precision).all()
