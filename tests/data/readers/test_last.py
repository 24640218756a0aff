import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.readers.last import TRAIN_NAME, holds_last, read_last
from rlq.data.records import class_indices
from rlq.evaluation.protocols import evaluate

TRAIN = ["000002_001_00012_0345_01_003", "000002_001_00013_10345_01_001", "000010_002_00001_0001_01_001"]
QUERY = ["000002_009_00001_0001_01_001", "000005_009_00001_0001_01_001"]
GALLERY = ["000002_009_00007_0001_01_001", "000005_009_00009_0001_01_002", "000007_009_00009_0001_01_002"]


@pytest.fixture
def last_folder(tmp_path, touch):
    """Below a folder whose name has the word that must not be searched for in paths."""
    root = tmp_path / "query_gallery" / "last"
    touch(root, *(f"train/{name[:6]}/{name}.jpg" for name in TRAIN))
    touch(root, *(f"test/query/{name}.jpg" for name in QUERY))
    touch(root, *(f"test/gallery/{name[:6]}/{name}.jpg" for name in GALLERY))
    return touch(root, "val/query/odd.jpg", "val/gallery/000001/odd.jpg", "train/000002/._x.jpg", "train/.DS_Store")


def test_training_has_clothes_and_the_test_only_people(last_folder, backwards):
    data = read_last(last_folder)
    assert [(r.pid, r.clothes, r.key) for r in data.train] == [
        ("000002", "000002_003", "000002_000002_001_00012_0345_01_003"),
        ("000002", "000002_001", "000002_000002_001_00013_10345_01_001"),
        ("000010", "000010_001", "000010_000010_002_00001_0001_01_001"),
    ]
    assert [r.path.stem for r in data.query] == QUERY and [r.path.stem for r in data.gallery] == GALLERY
    assert all(r.clothes == r.pid for r in (*data.query, *data.gallery))
    assert {r.split for r in data.query} == {"query"} and {r.split for r in data.gallery} == {"gallery"}
    assert all(r.path.is_file() for r in data.records)


def test_people_of_the_test_share_numbers_with_others_in_training(last_folder):
    data = read_last(last_folder)
    assert class_indices(data.train).pid_names == ["000002", "000010"]
    assert "000002" in {r.pid for r in data.query}


def test_nothing_is_left_out_of_the_ranking(last_folder):
    data = read_last(last_folder)
    cameras = [r.camera for r in data.records]
    assert len(set(cameras)) == len(cameras)
    features = np.eye(5, dtype=np.float32)
    (ranking,) = evaluate(data.query, data.gallery, data.protocols, features[:2], features[2:]).values()
    assert ranking.valid_queries == 2 and ranking.gallery == 3


def test_clothes_changing_protocols_are_refused_with_the_reason(last_folder):
    data = read_last(last_folder)
    assert [p.name for p in data.protocols] == ["General"] and set(data.refused) == {"CC", "SC"}
    assert "clothes" in data.refused["CC"]


def test_a_picture_in_another_persons_folder_is_an_error(last_folder, touch):
    touch(last_folder, "test/gallery/000005/000007_009_00009_0001_01_003.jpg")
    with pytest.raises(DataError, match=r"\b1\b") as raised:
        read_last(last_folder)
    assert_names(raised.value, "LaST", last_folder / "test/gallery", "'000005/000007_009_00009_")


def test_a_folder_that_is_no_person_is_refused(last_folder, touch):
    touch(last_folder, "train/2/000002_001_00013_10345_01_001.jpg")
    with pytest.raises(DataError) as raised:
        read_last(last_folder)
    assert_names(raised.value, last_folder / "train", "['2']")
    assert holds_last(last_folder) and not holds_last(last_folder / "test")


def test_a_training_name_needs_fields_between_person_and_clothes():
    assert TRAIN_NAME.fullmatch("000002_001_003.jpg") and not TRAIN_NAME.fullmatch("000002_1_2.jpg")
