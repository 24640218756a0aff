import numpy as np
import pytest

from rlq.data.readers.celeb_reid import LIGHT_PUBLISHED, PUBLISHED, read_celeb_reid
from rlq.data.records import class_indices
from rlq.evaluation.protocols import evaluate


def test_every_training_picture_is_its_own_clothes_class(celeb_folder):
    labels = class_indices(read_celeb_reid(celeb_folder).train)
    assert len(labels.owner) == 30 and len(set(labels.clothes)) == 30
    assert labels.pid_names == ["1", "2", "10"]


def test_pictures_that_share_a_name_stay_apart(celeb_folder):
    data = read_celeb_reid(celeb_folder)
    same = [r for r in data.records if r.key == "1_1_0"]
    assert [r.split for r in same] == ["train", "gallery"]
    assert len({r.path for r in data.records}) == len(data.records)
    assert len({r.clothes for r in data.records}) == len(data.records)


@pytest.mark.parametrize(
    ("reading", "cameras"), [("first_digit", ["1", "1", "1", "2", "2"]), ("y", ["12", "12", "1", "2", "2"])]
)
def test_the_reading_of_y_decides_the_camera(celeb_folder, reading, cameras):
    data = read_celeb_reid(celeb_folder, camera=reading)
    assert [r.camera for r in (*data.query, *data.gallery) if r.pid == "1"] == cameras


def test_without_cameras_no_two_pictures_agree(celeb_folder):
    data = read_celeb_reid(celeb_folder, camera="none")
    assert len({r.camera for r in data.records}) == len(data.records)


def test_equal_number_and_y_of_two_pictures_are_two_pictures(celeb_folder):
    """Only z tells 1_2_0 from 1_2_1."""
    twins = [r for r in read_celeb_reid(celeb_folder).gallery if r.key.startswith("1_2_")]
    assert [r.key for r in twins] == ["1_2_0", "1_2_1"] and len({r.clothes for r in twins}) == 2


def test_people_of_the_test_are_others_than_those_of_training(celeb_folder):
    data = read_celeb_reid(celeb_folder)
    assert {r.pid for r in data.query} <= {r.pid for r in data.train}
    assert class_indices(data.train).pid_names == sorted({r.pid for r in data.train}, key=int)


@pytest.mark.parametrize(
    ("reading", "matches"),
    [
        # 1_12_0 against 1_1_0, 1_12_1, 1_2_0 and 1_2_1: the digit bars two of them, y one, and the last reading none
        ("first_digit", 2),
        ("y", 3),
        ("none", 4),
    ],
)
def test_the_reading_of_y_bars_matches(celeb_folder, reading, matches):
    data = read_celeb_reid(celeb_folder, camera=reading)
    features = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    (ranking,) = evaluate(data.query, data.gallery, data.protocols, features[:2], features[2:]).values()
    for i, query in enumerate(data.query):
        own = [r for r in data.gallery if r.pid == query.pid]
        left = [r for r in own if r.camera != query.camera]
        assert len(own) == 4 and len(left) == matches
        kept = [j for j, r in enumerate(data.gallery) if r.pid != query.pid or r in left]
        order = sorted(kept, key=lambda j: -(features[i] @ features[2 + j]))
        ranks = [rank for rank, j in enumerate(order, start=1) if data.gallery[j] in left]
        precision = sum(n / rank for n, rank in enumerate(ranks, start=1)) / matches
        assert ranking.first_match[i] == ranks[0] and ranking.average_precision[i] == pytest.approx(precision)


def test_there_is_one_protocol(celeb_folder):
    (protocol,) = read_celeb_reid(celeb_folder).protocols
    assert (protocol.name, protocol.rule, protocol.query_cameras) == ("General", "GENERAL", None)


def test_the_counts_add_up_to_the_published_totals():
    for published, total in ((PUBLISHED, 34_186), (LIGHT_PUBLISHED, 10_842)):
        pictures = {split: counts["pictures"] for split, counts in published.splits.items()}
        assert pictures["train"] + pictures["query"] + pictures["gallery"] == total
