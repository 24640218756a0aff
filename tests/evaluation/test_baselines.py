from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rlq.data.records import Protocol, Record
from rlq.evaluation.baselines import chance, count_queries
from rlq.evaluation.protocols import evaluate


def record(pid: str, camera: str, clothes: str, number: int) -> Record:
    return Record(Path(f"{pid}_{number}.jpg"), pid, camera, f"{pid}{clothes}", "gallery", f"{pid}_{number}")


GALLERY = [record(pid, camera, "x", n) for n, (pid, camera) in enumerate(zip("aaabbcccd", "AABABAABA"))]
QUERY = [record("a", "C", "y", 20), record("b", "B", "x", 21), record("e", "C", "x", 22)]


@pytest.mark.parametrize("rule", ["GENERAL", "CC", "SC"])
def test_chance_is_what_random_features_reach_on_average(rule):
    protocol = Protocol(rule, rule)
    expected = chance(QUERY, GALLERY, protocol)
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(1500):
        scores = rng.normal(size=(len(QUERY) + len(GALLERY), 8))
        ranking = evaluate(QUERY, GALLERY, [protocol], scores[: len(QUERY)], scores[len(QUERY) :])[rule]
        rates.append((ranking.rank1, ranking.mAP))
    found = np.mean(rates, axis=0)
    assert (expected["rank1"], expected["mAP"]) == pytest.approx(tuple(found), abs=0.03)


def test_chance_of_a_single_shot_gallery_counts_people():
    protocol = Protocol("CC", "GENERAL")
    one_match = (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    assert chance(QUERY, GALLERY, protocol, single_shot=True) == {"rank1": 0.25, "mAP": pytest.approx(one_match)}


def test_without_a_match_there_is_no_chance():
    assert chance(QUERY[2:], GALLERY, Protocol("CC", "CC")) == {"rank1": None, "mAP": None}


@pytest.mark.parametrize("rule", ["GENERAL", "CC", "SC"])
def test_the_queries_that_have_a_match_are_those_that_are_ranked(rule):
    protocol = Protocol(rule, rule, query_cameras=frozenset("BC"), gallery_cameras=frozenset("A"))
    ranking = evaluate(QUERY, GALLERY, [protocol], np.ones((3, 2)), np.ones((9, 2)))[rule]
    count = count_queries(QUERY, GALLERY, protocol)
    assert count == (ranking.queries, ranking.valid_queries, ranking.gallery)
    assert count.queries == 3 and count.gallery == 6


def test_a_tracklet_rule_makes_matches_of_the_same_tracklet_junk():
    gallery = [replace(one, tracklet=str(n)) for n, one in enumerate(GALLERY)]
    own = replace(gallery[2], split="query")
    assert count_queries([own], gallery, Protocol("General", "GENERAL", junk_by="tracklet")).valid_queries == 1
    assert count_queries([own], gallery[2:3], Protocol("General", "GENERAL", junk_by="tracklet")).valid_queries == 0
