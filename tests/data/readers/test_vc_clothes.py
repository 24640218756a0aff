import numpy as np
import pytest

from rlq.data.readers.vc_clothes import NAME, PUBLISHED, read_vc_clothes
from rlq.data.records import class_indices
from rlq.evaluation.protocols import evaluate


@pytest.fixture
def vc_folder(tmp_path, touch):
    """Below a folder that is dated in the form of the names."""
    root = tmp_path / "2024-03-02-01" / "VC-Clothes"
    touch(root / "train", "1-1-12-01.jpg", "11-1-2-01.jpg", "0001-04-02-01.jpg")
    for split, n in (("query", 1), ("gallery", 2)):
        names = [f"0007-{camera:02d}-{1 if camera < 4 else 2:02d}-{n:02d}.jpg" for camera in (1, 2, 3, 4)]
        touch(root / split, *names, f"0008-02-01-{n:02d}.jpg")
    return root


def test_outfits_are_pairs_of_person_and_number(vc_folder, backwards):
    data = read_vc_clothes(vc_folder)
    assert [(r.pid, r.camera, r.clothes) for r in data.train] == [
        ("0001", "4", "0001-02"),
        ("1", "1", "1-12"),
        ("11", "1", "11-2"),
    ]
    assert len(class_indices(data.train).owner) == 3
    assert data.query[0].key == "0007-01-01-01" and len(data.query) == len(data.gallery) == 5


def test_each_protocol_ranks_its_own_cameras(vc_folder):
    data = read_vc_clothes(vc_folder)
    cameras = {p.name: (p.query_cameras, p.gallery_cameras, p.rule) for p in data.protocols}
    assert cameras == {
        "CC": (frozenset("34"), frozenset("34"), "GENERAL"),
        "SC": (frozenset("23"), frozenset("23"), "GENERAL"),
        "General": (None, None, "GENERAL"),
    }
    features = np.eye(10, dtype=np.float32)
    rankings = evaluate(data.query, data.gallery, data.protocols, features[:5], features[5:])
    counts = {name: (r.queries, r.gallery, r.valid_queries) for name, r in rankings.items()}
    assert counts == {"CC": (2, 2, 2), "SC": (3, 3, 2), "General": (5, 5, 4)}


def test_the_counts_add_up_to_the_published_total():
    assert sum(PUBLISHED.splits[split]["pictures"] for split in ("train", "query", "gallery")) == 19_060


def test_fields_of_a_name_are_joined_by_hyphens():
    assert NAME.fullmatch("0007-01-01-01.jpg") and not NAME.fullmatch("0007_01_01_01.jpg")
