import re

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.readers.deepchange import EXAMPLE, FOLDERS, read_deepchange
from rlq.evaluation.protocols import evaluate

LISTS = {
    "train": ["p0003_c05_20200813_101500_000017_bbox.jpg,7", "p0001_c17_20210701_235959_000001_bbox.jpg,2"],
    # tracklet 3 of p0004 is in both; 9 is a tracklet of p0004 and of p0005
    "query": [
        "p0004_c01_20200901_090000_000001_bbox.jpg,3",
        "p0004_c02_20200902_090000_000001_bbox.jpg,9",
        "p0005_c01_20200901_090000_000001_bbox.jpg,9",
    ],
    "gallery": [
        "p0004_c01_20200901_090000_000002_bbox.jpg,3",
        "p0004_c01_20200901_120000_000001_bbox.jpg,4",
        "p0004_c02_20210101_090000_000001_bbox.jpg,5",
        "p0005_c01_20200901_090000_000002_bbox.jpg,9",
        "p0006_c01_20200901_090000_000001_bbox.jpg,9",
    ],
}


@pytest.fixture
def deepchange_folder(tmp_path, touch):
    root = tmp_path / "p0009_c09_20190101" / "DeepChangeDataset"
    for split, lines in LISTS.items():
        touch(root / FOLDERS[split], *(line.split(",")[0] for line in lines))
        touch(root, f"{FOLDERS[split]}-bbox.txt", text="\r\n".join(lines))
    touch(root / "train-set", "p0008_c01_20200901_090000_000001_bbox.jpg", "._p0003.jpg", "any name.jpg")
    touch(root / "val-set-query", "whatever.jpg")
    return root


def test_the_lists_are_the_index_and_days_stand_for_clothes(deepchange_folder, backwards):
    data = read_deepchange(deepchange_folder)
    assert [(r.pid, r.camera, r.clothes, r.tracklet, r.key) for r in data.train] == [
        ("p0001", "17", "p0001_20210701", "2", "p0001_c17_20210701_235959_000001_bbox"),
        ("p0003", "05", "p0003_20200813", "7", "p0003_c05_20200813_101500_000017_bbox"),
    ]
    assert (len(data.query), len(data.gallery)) == (3, 5)
    assert [path.name for path in data.lists] == [
        "train-set-bbox.txt",
        "test-set-query-bbox.txt",
        "test-set-gallery-bbox.txt",
    ]
    before = data.fingerprint
    data.lists[1].write_text("\n".join(LISTS["query"]).replace(",3", ",4"))
    assert read_deepchange(deepchange_folder).fingerprint != before


def test_only_the_own_tracklet_is_left_out(deepchange_folder):
    data = read_deepchange(deepchange_folder)
    (protocol,) = data.protocols
    assert (protocol.name, protocol.rule, protocol.junk_by) == ("General", "GENERAL", "tracklet")
    rng = np.random.default_rng(3)
    features = rng.normal(size=(8, 4)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    ranking = evaluate(data.query, data.gallery, data.protocols, features[:3], features[3:])["General"]
    for i, query in enumerate(data.query):
        found = []
        for j in np.argsort(-(features[i] @ features[3:].T)):
            picture = data.gallery[j]
            if picture.pid == query.pid and picture.tracklet == query.tracklet:
                continue
            found.append(picture.pid == query.pid)
        ranks = [rank for rank, own in enumerate(found, start=1) if own]
        assert ranking.first_match[i] == (ranks[0] if ranks else 0)
        if ranks:
            precision = sum(n / rank for n, rank in enumerate(ranks, start=1)) / len(ranks)
            assert ranking.average_precision[i] == pytest.approx(precision, abs=1e-9)
    # p0004 keeps matches of its own camera; p0005 has only its own tracklet, and p0006's of the same number is no match
    assert ranking.valid_queries == 2 and ranking.first_match[2] == 0


def test_clothes_protocols_are_refused_with_the_reason(deepchange_folder):
    refused = read_deepchange(deepchange_folder).refused
    assert set(refused) == {"CC", "SC"} and all(refused.values())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("p0003_c05_20200813_101500_000018_bbox.jpg", "'p0003_c05_20200813_101500_000018_bbox.jpg'"),
        ("p0003_c05_20200813_101500_000018_bbox.jpg,x", "'p0003_c05_20200813_101500_000018_bbox.jpg,x'"),
        ("p0003_c05_20200813_101500_000018_bbox.jpg,-1", "'p0003_c05_20200813_101500_000018_bbox.jpg,-1'"),
        ("../p0003_c05_20200813_101500_000018_bbox.jpg,1", "'../p0003_c05_20200813_101500_000018_bbox.jpg,1'"),
        ("/etc/passwd,1", "'/etc/passwd,1'"),
        ("..\\p0003_c05_20200813_101500_000018_bbox.jpg,1", "p0003_c05_20200813_101500_000018_bbox.jpg,1'"),
        ("p3_c05_20200813_101500_000018_bbox.jpg,1", "'p3_c05_20200813_101500_000018_bbox.jpg,1'"),
        ("p0003_c05_20200813_101500_000017_bbox.jpg,8", "line 1"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(deepchange_folder, line, told):
    (deepchange_folder / "train-set-bbox.txt").write_text("\n".join([*LISTS["train"], line]))
    with pytest.raises(DataError) as raised:
        read_deepchange(deepchange_folder)
    assert_names(raised.value, "train-set-bbox.txt", "line 3", told, f"{EXAMPLE},12")


def test_a_listed_picture_that_is_not_there_is_told_with_line_and_count(deepchange_folder):
    for name in ("p0004_c02_20200902_090000_000001_bbox.jpg", "p0005_c01_20200901_090000_000001_bbox.jpg"):
        (deepchange_folder / "test-set-query" / name).unlink()
    with pytest.raises(DataError) as error:
        read_deepchange(deepchange_folder)
    assert_names(error.value, "test-set-query-bbox.txt", "p0004_c02_20200902_090000_000001_bbox.jpg", "line 2")
    assert re.search(r"(?=.*\b2\b)(?=.*\b3\b)", str(error.value))
