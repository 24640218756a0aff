import numpy as np
import pytest

from rlq.data.readers.ltcc import NAME, PUBLISHED, read_ltcc
from rlq.data.records import class_indices
from rlq.evaluation.protocols import evaluate

TRAIN = ["000_1_c1_000010.png", "000_2_c12_000020.png", "094_1_c9_015833.png", "094_10_c3_000030.png"]
# 001 changes clothes between cameras, 002 only within one, 003 never
QUERY = ["001_1_c1_000001.png", "001_2_c2_000001.png", "002_1_c1_000001.png", "003_1_c1_000001.png"]
GALLERY = [
    "001_1_c1_000009.png",
    "001_1_c2_000009.png",
    "001_2_c1_000009.png",
    "002_2_c1_000009.png",
    "002_1_c2_000009.png",
    "003_1_c2_000009.png",
]


@pytest.fixture
def ltcc_folder(tmp_path, touch):
    """Under a parent whose name holds what the pattern of clothes looks for."""
    root = tmp_path / "7_9_c5_caches/query_2020-08-13_c7/LTCC_ReID"
    touch(root / "train", *TRAIN)
    touch(root / "query", *QUERY)
    touch(root / "test", *GALLERY)
    return touch(root, "info/cloth-change_id_test.txt", "info/cloth-unchange_id_test.txt", text="1\n2\n")


def test_names_alone_decide_the_labels(ltcc_folder):
    data = read_ltcc(ltcc_folder)
    assert [(r.pid, r.camera, r.clothes, r.key) for r in data.train] == [
        ("000", "1", "000_1", "000_1_c1_000010"),
        ("000", "12", "000_2", "000_2_c12_000020"),
        ("094", "3", "094_10", "094_10_c3_000030"),
        ("094", "9", "094_1", "094_1_c9_015833"),
    ]
    assert data.query[0].key == "query/001_1_c1_000001" and data.gallery[0].key == "test/001_1_c1_000009"
    assert {r.split for r in data.query} == {"query"} and {r.split for r in data.gallery} == {"gallery"}
    assert data.root == ltcc_folder.resolve() and all(r.path.is_absolute() for r in data.records)


def test_the_person_000_is_a_class(ltcc_folder):
    labels = class_indices(read_ltcc(ltcc_folder).train)
    assert labels.pid_names == ["000", "094"] and labels.clothes_names == ["000_1", "000_2", "094_1", "094_10"]
    assert labels.owner.tolist() == [0, 0, 1, 1]


def test_clothes_or_camera_bars_a_match_in_cc(ltcc_folder):
    """By hand. General: all 4 queries. CC: 001 in 1 has its 2 at camera 1 only, which is its own; 001 in 2 finds its 1
    at camera 1; 002 in 1 has 2 at its own camera; 003 has one outfit. SC: 001 in 1 at camera 2, 001 in 2 at camera 1,
    002 at camera 2, 003 at camera 2. Were the camera not asked in CC, three would be valid."""
    data = read_ltcc(ltcc_folder)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(len(QUERY) + len(GALLERY), 5)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    query, gallery = features[: len(QUERY)], features[len(QUERY) :]
    rankings = evaluate(data.query, data.gallery, data.protocols, query, gallery)
    assert {name: ranking.valid_queries for name, ranking in rankings.items()} == {"CC": 1, "General": 4, "SC": 4}
    assert (rankings["CC"].first_match > 0).tolist() == [False, True, False, False]
    scores = query[1] @ gallery.T
    kept = [i for i, name in enumerate(GALLERY) if not name.startswith("001") or name == "001_1_c1_000009.png"]
    order = sorted(kept, key=lambda i: -scores[i])
    assert rankings["CC"].first_match[1] == 1 + order.index(0)


def test_the_protocol_that_is_ours_says_so(ltcc_folder):
    protocols = {p.name: p for p in read_ltcc(ltcc_folder).protocols}
    assert {n: p.rule for n, p in protocols.items()} == {"CC": "CC", "General": "GENERAL", "SC": "SC"}
    assert {n for n, p in protocols.items() if p.note} == {"SC"}
    assert {p.junk_by for p in protocols.values()} == {"camera"}


def test_facts_and_pattern():
    counts = PUBLISHED.splits
    assert sum(counts[split]["pictures"] for split in ("train", "query", "gallery")) == 17_119
    assert PUBLISHED.valid_queries == {"CC": 392, "SC": 417, "General": 493}
    assert NAME.fullmatch("094_1_c9_015833.png")
    for name in ("094_1_c123_015833.png", "94_1_c9_015833.png", "094_1_c9_015833.jpg"):
        assert not NAME.fullmatch(name)
