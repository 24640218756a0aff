from pathlib import Path

import numpy as np
import pytest
import torch
from naming import assert_names

from rlq.data.records import Protocol, Record
from rlq.evaluation import protocols as protocols_module
from rlq.evaluation.metrics import rank
from rlq.evaluation.protocols import evaluate, evaluate_single_shot, labels_of, of_cameras
from rlq.evaluation.similarity import cosine_scores

PRCC = (
    Protocol("CC", "GENERAL", frozenset("C"), frozenset("A")),
    Protocol("SC", "GENERAL", frozenset("B"), frozenset("A")),
    Protocol("General", "GENERAL", frozenset("BC"), frozenset("A"), note="not in the paper"),
)


def records(count: int, seed: int, split: str) -> list[Record]:
    random = np.random.default_rng(seed)
    made = []
    for i in range(count):
        pid, camera, outfit = f"{random.integers(6):03d}", "ABC"[random.integers(3)], random.integers(2)
        clothes, tracklet = f"{pid}_{outfit}", f"t{random.integers(4)}"
        made.append(Record(Path(f"/{split}/{i}.png"), pid, camera, clothes, split, f"{i}", tracklet))
    return made


def features(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, 8)).astype(np.float32)


QUERY, GALLERY = records(30, 0, "query"), records(50, 1, "gallery")
QUERY_FEATURES, GALLERY_FEATURES = features(30, 0), features(50, 1)


def alone(protocol: Protocol):
    """The same protocol by its own cut-out lists."""
    q = [i for i, r in enumerate(QUERY) if protocol.query_cameras is None or r.camera in protocol.query_cameras]
    g = [i for i, r in enumerate(GALLERY) if protocol.gallery_cameras is None or r.camera in protocol.gallery_cameras]
    scores = cosine_scores(QUERY_FEATURES[q], GALLERY_FEATURES[g])
    query, gallery = labels_of(QUERY, q, protocol.junk_by), labels_of(GALLERY, g, protocol.junk_by)
    return rank(query, gallery, scores, [protocol.rule])[protocol.rule]


@pytest.mark.parametrize(
    "protocols",
    [
        PRCC,
        (Protocol("CC", "CC"), Protocol("SC", "SC"), Protocol("General", "GENERAL")),
        (Protocol("General", "GENERAL", junk_by="tracklet"), Protocol("Camera", "GENERAL")),
        (Protocol("CC", "GENERAL", frozenset("BC"), frozenset("BC")), Protocol("General", "GENERAL")),
    ],
    ids=["cameras apart", "three rules", "two junk fields", "camera pairs"],
)
def test_each_protocol_is_what_it_would_be_alone(protocols):
    found = evaluate(QUERY, GALLERY, protocols, QUERY_FEATURES, GALLERY_FEATURES)
    assert list(found) == [protocol.name for protocol in protocols]
    for protocol in protocols:
        wanted = alone(protocol)
        assert found[protocol.name].first_match.tolist() == wanted.first_match.tolist()
        np.testing.assert_allclose(found[protocol.name].average_precision, wanted.average_precision, rtol=1e-12)
        assert found[protocol.name].gallery == wanted.gallery
        assert wanted.valid_queries > 0


def test_protocols_over_the_same_gallery_share_one_product(monkeypatch):
    shapes = []

    def watched(query_features, gallery_features, **options):
        shapes.append((len(query_features), len(gallery_features)))
        return cosine_scores(query_features, gallery_features, **options)

    monkeypatch.setattr(protocols_module, "cosine_scores", watched)
    evaluate(QUERY, GALLERY, PRCC, QUERY_FEATURES, GALLERY_FEATURES)
    assert shapes == [(len(of_cameras(QUERY, frozenset("BC"))), len(of_cameras(GALLERY, frozenset("A"))))]


def test_tensors_and_arrays_give_the_same():
    arrays = evaluate(QUERY, GALLERY, PRCC, QUERY_FEATURES, GALLERY_FEATURES)
    tensors = evaluate(QUERY, GALLERY, PRCC, *map(torch.from_numpy, (QUERY_FEATURES, GALLERY_FEATURES)))
    assert {name: r.summary() for name, r in arrays.items()} == {name: r.summary() for name, r in tensors.items()}


def test_a_protocol_without_pictures_has_no_number():
    found = evaluate(QUERY, GALLERY, [Protocol("CC", "CC", frozenset("Z"))], QUERY_FEATURES, GALLERY_FEATURES)["CC"]
    assert (found.queries, found.valid_queries, found.rank1) == (0, 0, None)


def test_features_that_are_not_one_per_record_are_refused():
    with pytest.raises(ValueError, match=r"query_features \[29, 8\].*\[30, D\]"):
        evaluate(QUERY, GALLERY, PRCC, QUERY_FEATURES[:29], GALLERY_FEATURES)
    with pytest.raises(ValueError, match="junk_by") as raised:
        evaluate(QUERY, GALLERY, [Protocol("CC", "CC", junk_by="clothes")], QUERY_FEATURES, GALLERY_FEATURES)
    assert_names(raised.value, "'clothes'", "camera", "tracklet")


def test_single_shot_ranks_one_picture_per_person_of_each_protocols_gallery():
    found = evaluate_single_shot(QUERY, GALLERY, PRCC, QUERY_FEATURES, GALLERY_FEATURES)
    assert list(found) == ["CC", "SC", "General"]
    people = {record.pid for record in GALLERY if record.camera == "A"}
    for protocol in PRCC:
        queries = [record for record in QUERY if record.camera in protocol.query_cameras]
        assert {draw.gallery for draw in found[protocol.name].draws} == {len(people)}
        assert {draw.queries for draw in found[protocol.name].draws} == {len(queries)}
        assert {draw.valid_queries for draw in found[protocol.name].draws} == {sum(q.pid in people for q in queries)}
