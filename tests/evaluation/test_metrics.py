import doctest
import math
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.evaluation import metrics
from rlq.evaluation.metrics import RULES, Labels, rank


def blocks(matrix):
    return lambda rows: np.array(matrix[rows])


def by_definition(query, gallery, matrix, rule):
    """Rank of the first match and AP of every query, from the definition, one picture at a time."""
    firsts, precisions = [], []
    for i in range(len(query.pid)):
        good, kept_others = [], []
        for j in range(len(gallery.pid)):
            if gallery.pid[j] != query.pid[i]:
                kept_others.append(matrix[i][j])
            elif gallery.camera[j] != query.camera[i]:
                same_clothes = rule != "GENERAL" and gallery.clothes[j] == query.clothes[i]
                if rule == "GENERAL" or same_clothes == (rule == "SC"):
                    good.append(matrix[i][j])
        ranks = []
        for score in sorted(good, reverse=True):
            ranks.append(1 + sum(other >= score for other in kept_others) + len(ranks))
        firsts.append(ranks[0] if ranks else 0)
        precisions.append(sum((k + 1) / r for k, r in enumerate(ranks)) / len(ranks) if ranks else math.nan)
    return firsts, precisions


def random_case(seed, *, queries, gallery, people, cameras, levels):
    """Uneven people in no order, some without any gallery picture; scores on a few levels, so that many tie."""
    random = np.random.default_rng(seed)

    def labels(size, highest):
        return Labels(
            pid=np.minimum(random.integers(0, highest, size), random.integers(0, highest, size)) * 7 - 3,
            camera=random.integers(0, cameras, size),
            clothes=random.integers(0, 3, size),
        )

    matrix = random.integers(0, levels, (queries, gallery)) / np.float32(levels)
    return labels(queries, people + 2), labels(gallery, people), matrix.astype(np.float32)


@pytest.mark.parametrize("levels", [1, 3, 1000], ids=["all equal", "many ties", "few ties"])
@pytest.mark.parametrize("cameras", [1, 4], ids=["one camera", "four cameras"])
@pytest.mark.parametrize("seed", range(3))
def test_ranking_is_its_definition(levels, cameras, seed):
    query, gallery, matrix = random_case(seed, queries=23, gallery=60, people=9, cameras=cameras, levels=levels)
    for rule, found in rank(query, gallery, blocks(matrix)).items():
        firsts, precisions = by_definition(query, gallery, matrix, rule)
        assert found.first_match.tolist() == firsts
        np.testing.assert_allclose(found.average_precision, precisions, rtol=1e-12)
        valid = [first for first in firsts if first]
        assert (found.queries, found.valid_queries, found.gallery) == (23, len(valid), 60)
        for k, rate in ((1, found.rank1), (5, found.rank5), (10, found.rank10), (20, found.rank20)):
            assert rate == (sum(first <= k for first in valid) / len(valid) if valid else None)
        wanted = [p for p in precisions if not math.isnan(p)]
        assert found.mAP == (pytest.approx(sum(wanted) / len(wanted), rel=1e-12) if wanted else None)


def test_one_camera_leaves_no_valid_query_and_says_none():
    labels = Labels([1, 2, 2], [0, 0, 0])
    found = rank(labels, labels, blocks(np.eye(3, dtype=np.float32)), ["GENERAL"])["GENERAL"]
    assert found.summary() == {
        "rank1": None, "rank5": None, "rank10": None, "rank20": None, "mAP": None,
        "queries": 3, "valid_queries": 0, "gallery": 3,
    }  # fmt: skip
    assert np.isnan(found.average_precision).all()


def test_blocks_of_any_size_give_the_same_ranking():
    query, gallery, matrix = random_case(5, queries=40, gallery=30_000, people=900, cameras=4, levels=50)
    whole = rank(query, gallery, blocks(matrix))
    taken = []

    def watched(rows):
        taken.append(rows)
        return matrix[rows].copy()

    small = rank(query, gallery, watched, memory_mib=1)
    assert len(taken) > 4 and max(rows.stop - rows.start for rows in taken) * 30_000 * 4 < 2**20
    for rule in RULES:
        assert whole[rule].first_match.tolist() == small[rule].first_match.tolist()
        np.testing.assert_array_equal(whole[rule].average_precision, small[rule].average_precision)


def test_the_order_of_the_gallery_has_no_influence_even_when_all_scores_tie():
    query, gallery, matrix = random_case(6, queries=10, gallery=40, people=5, cameras=3, levels=2)
    order = np.random.default_rng(0).permutation(40)
    shuffled = Labels(gallery.pid[order], gallery.camera[order], gallery.clothes[order])
    one, other = rank(query, gallery, blocks(matrix)), rank(query, shuffled, blocks(matrix[:, order]))
    for rule in RULES:
        np.testing.assert_array_equal(one[rule].average_precision, other[rule].average_precision)


def test_words_and_numbers_as_labels_give_the_same():
    query, gallery, matrix = random_case(7, queries=10, gallery=40, people=5, cameras=3, levels=9)
    words = [
        Labels(*(np.array([f"{name}{x}" for x in column]) for name, column in vars(side).items()))
        for side in (query, gallery)
    ]
    one, other = rank(query, gallery, blocks(matrix)), rank(*words, blocks(matrix))
    for rule in RULES:
        np.testing.assert_array_equal(one[rule].average_precision, other[rule].average_precision)


def test_the_first_match_counts_and_junk_takes_no_place():
    gallery = Labels(pid=[1, 1, 2, 1, 1], camera=[0, 1, 1, 1, 2], clothes=["a", "a", "x", "b", "a"])
    scores = np.array([[0.9, 0.8, 0.7, 0.6, 0.5]], np.float32)
    found = rank(Labels([1], [0], ["a"]), gallery, blocks(scores))
    assert {rule: found[rule].first_match.tolist() for rule in RULES} == {"GENERAL": [1], "CC": [2], "SC": [1]}
    assert found["GENERAL"].mAP == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert found["CC"].mAP == pytest.approx(1 / 2)
    assert found["SC"].mAP == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_some_queries_can_be_taken_out_of_a_ranking():
    query, gallery, matrix = random_case(8, queries=10, gallery=40, people=5, cameras=3, levels=9)
    whole = rank(query, gallery, blocks(matrix))["CC"]
    part = whole.take(np.array([7, 2]))
    assert part.first_match.tolist() == whole.first_match[[7, 2]].tolist()
    assert (part.queries, part.gallery) == (2, 40)


def test_no_query_or_no_gallery_is_no_valid_query():
    nobody, somebody = Labels([], [], []), Labels([1, 2], [0, 1], [0, 1])
    for query, gallery in ((nobody, somebody), (somebody, nobody)):
        found = rank(query, gallery, blocks(np.zeros((len(query), len(gallery)), np.float32)))["CC"]
        assert (found.queries, found.valid_queries, found.mAP) == (len(query), 0, None)


def test_scores_that_are_not_finite_are_refused():
    labels = Labels([1, 1], [0, 1])
    for broken in (np.nan, np.inf, -np.inf):
        with pytest.raises(DataError, match="nan"):
            rank(labels, labels, blocks(np.array([[0.0, 0.5], [broken, 0.0]], np.float32)), ["GENERAL"])


def test_labels_that_cannot_be_compared_are_refused():
    scores, good = blocks(np.zeros((2, 2), np.float32)), Labels([1, 2], [0, 1])
    with pytest.raises(DataError) as raised:
        rank(Labels(["1", "2"], [0, 1]), good, scores, ["GENERAL"])
    assert_names(raised.value, "pid", "string", "integer")
    with pytest.raises(DataError) as raised:
        rank(good, Labels([1, 2], [0.0, 1.0]), scores, ["GENERAL"])
    assert_names(raised.value, "camera", "float64")
    with pytest.raises(DataError) as raised:
        rank(Labels([[1], [2]], [0, 1]), good, scores, ["GENERAL"])
    assert_names(raised.value, "pid", "[2, 1]")
    with pytest.raises(DataError) as raised:
        rank(good, good, scores)
    assert_names(raised.value, "CC", "SC", "clothes")
    with pytest.raises(ValueError, match="camera") as raised:
        rank(good, Labels([1, 2], [0, 1, 2]), scores, ["GENERAL"])
    assert_names(raised.value, 2, 3)
    with pytest.raises(ValueError, match=r"\['cc'\]") as raised:
        rank(good, good, scores, ["cc"])
    assert_names(raised.value, *RULES)


def test_a_block_of_another_shape_is_refused():
    labels = Labels([1, 2], [0, 1])
    with pytest.raises(ValueError, match=r"block \[2, 3\].*\[2, 2\]"):
        rank(labels, labels, lambda rows: np.zeros((2, 3), np.float32), ["GENERAL"])


def test_the_example_in_the_text_works():
    assert doctest.testmod(metrics).attempted > 0 and doctest.testmod(metrics).failed == 0


def golden_labels(file, side):
    return Labels(file[f"{side}_pid"], file[f"{side}_cam"], file[f"{side}_clothes"])


def test_golden_ranking(golden_folder: Path):
    with np.load(golden_folder / "ranking.npz") as file:
        found = rank(golden_labels(file, "q"), golden_labels(file, "g"), blocks(-file["distance"]))
        for rule in RULES:
            wanted = file[f"{rule}_cmc"]
            np.testing.assert_allclose([found[rule].cmc(k + 1) for k in range(len(wanted))], wanted, rtol=0, atol=1e-12)
            assert found[rule].mAP == pytest.approx(float(file[f"{rule}_map"]), abs=1e-7)
