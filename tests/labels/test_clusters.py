from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.records import Record
from rlq.labels.clusters import (
    ABBREVIATIONS,
    cluster_poses,
    column_name,
    labels_of,
    nearest_centres,
    read_clusters,
    read_columns,
    write_clusters,
)
from rlq.labels.pose import VARIANTS


@pytest.fixture
def groups() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors around four far points, which of them were found, and the point of each."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, 26)) * 100
    group = rng.integers(4, size=80)
    found = rng.random(80) > 0.1
    return points[group] + rng.normal(size=(80, 26)), found, group


def test_poses_that_are_alike_share_a_label_and_missing_ones_have_0(groups):
    vectors, found, group = groups
    clusters = cluster_poses(vectors, found, 4)
    assert set(clusters.labels[found]) == {1, 2, 3, 4} and (clusters.labels[~found] == 0).all()
    pairs = set(zip(group[found].tolist(), clusters.labels[found].tolist()))
    assert len(pairs) == 4
    assert clusters.centres.shape == (4, 26)
    assert np.array_equal(cluster_poses(vectors, found, 4).labels, clusters.labels)


def test_missing_poses_do_not_move_the_centres(groups):
    vectors, found, _ = groups
    spoiled = np.where(found[:, None], vectors, 1e6)
    assert np.allclose(cluster_poses(spoiled, found, 4).centres, cluster_poses(vectors, found, 4).centres)


def test_unseen_poses_take_the_nearest_centre(groups):
    vectors, found, _ = groups
    clusters = cluster_poses(vectors, found, 4)
    assert np.array_equal(clusters.assign(vectors, found), clusters.labels)
    unseen = vectors + 0.1
    distances = ((unseen[:, None] - clusters.centres[None]) ** 2).sum(axis=2)
    expected = np.where(found, distances.argmin(axis=1) + 1, 0)
    assert np.array_equal(clusters.assign(unseen, found), expected)
    assert np.array_equal(nearest_centres(unseen, found, clusters.centres), expected)


def test_fewer_different_poses_than_clusters_are_refused():
    vectors = np.repeat(np.eye(3), 4, axis=0)
    found = np.arange(12) < 10
    with pytest.raises(DataError) as raised:
        cluster_poses(vectors, found, 4)
    assert_names(raised.value, 10, 12, 3, 4, "cap.pose.clusters")


def test_columns_are_called_as_the_authors_call_them():
    assert column_name("lengths_angles", 15) == "R_LA_15"
    assert column_name("normalised_angles", 40) == "N_A_40"
    assert set(ABBREVIATIONS) == set(VARIANTS)


@pytest.fixture
def records() -> list[Record]:
    """Two pictures of one name in two splits."""
    return [
        Record(Path("/a/001_1.jpg"), "001", "A", "1", "train", "001_1"),
        Record(Path("/a/002_1.jpg"), "002", "A", "2", "train", "002_1"),
        Record(Path("/b/001_1.jpg"), "001", "A", "3", "gallery", "001_1"),
    ]


def test_what_is_written_is_read_again(tmp_path, records):
    path = tmp_path / "pose_clusters.csv"
    write_clusters(path, records, {"R_LA_15": np.array([3, 0, 15]), "R_A_5": np.array([1, 2, 5])})
    assert path.read_text().splitlines()[:2] == ["Category,Image,R_LA_15,R_A_5", "train,001_1,3,1"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["pose_clusters.csv"]
    labels = read_clusters(path, "R_LA_15")
    assert labels_of(records, labels, path).tolist() == [3, 0, 15]
    assert labels_of(records, read_clusters(path, "R_A_5"), path).tolist() == [1, 2, 5]


def test_labels_with_a_decimal_point_and_a_gallery_called_test(tmp_path, records):
    path = tmp_path / "p.csv"
    path.write_text("Category,Image,R_LA_15\ntrain,001_1,10.0\nTrain,002_1,0\ntest,001_1,4.0\ntest,001_1,4\n")
    assert labels_of(records, read_clusters(path, "R_LA_15"), path).tolist() == [10, 0, 4]


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        ("Category,Image,R_LA_20\ntrain,a,1\n", ("R_LA_15", "Category", "Image", "R_LA_20")),
        ("", ("Category", "Image", "R_LA_15")),
        ("Category,Image,R_LA_15\n", ()),
        ("Category,Image,R_LA_15\ntrain,a,1\ntrain,b,x\n", ("line 3", "'x'", "15")),
        ("Category,Image,R_LA_15\ntrain,a,16\n", ("line 2", "'16'")),
        ("Category,Image,R_LA_15\ntrain,a,1.5\n", ("line 2", "'1.5'")),
        ("Category,Image,R_LA_15\ntrain,a\n", ("line 2", "''")),
        ("Category,Image,R_LA_15\ntrain,a,1\ntrain,a,2\n", ("line 3", " 2", " 1")),
    ],
)
def test_broken_files_are_explained_with_the_line(tmp_path, content, pieces):
    path = tmp_path / "p.csv"
    path.write_text(content)
    with pytest.raises(DataError) as raised:
        read_clusters(path, "R_LA_15")
    assert_names(raised.value, "p.csv", *pieces)


def test_a_missing_file_and_missing_rows_are_named(tmp_path, records):
    with pytest.raises(DataError, match=r"gone\.csv"):
        read_clusters(tmp_path / "gone.csv", "R_LA_15")
    with pytest.raises(DataError) as raised:
        labels_of(records, {("train", "001_1"): 3}, Path("p.csv"))
    assert_names(raised.value, "p.csv", 2, 3, "train", "'002_1', '001_1'")


def test_the_forms_of_real_files_reach_their_pictures(tmp_path):
    """Keys as the authors write them: PRCC and LTCC, training and test."""
    path = tmp_path / "p.csv"
    rows = ["train,255_C_cropped_rgb064,10.0", "train,094_1_c9_015833,3", "test,A/001_cropped_rgb001,2.0"]
    path.write_text("\n".join(["Category,Image,R_LA_15", *rows, "test,B/001_cropped_rgb001,7"]))
    known = [("train", "255_C_cropped_rgb064"), ("train", "094_1_c9_015833")]
    known += [("gallery", "A/001_cropped_rgb001"), ("query", "B/001_cropped_rgb001")]
    found = [Record(Path("/x.jpg"), "1", "A", "1", split, key) for split, key in known]
    assert labels_of(found, read_clusters(path, "R_LA_15"), path).tolist() == [10, 3, 2, 7]


def test_test_means_the_gallery_where_there_are_queries(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("Category,Image,R_LA_15\nquery,query/001_1,1.0\ntest,test/001_1,2.0\nquery,a,3\ntest,a,4\n")
    known = [("query", "query/001_1"), ("gallery", "test/001_1"), ("query", "a"), ("gallery", "a")]
    found = [Record(Path("/x.png"), "1", "A", "1", split, key) for split, key in known]
    labels = read_clusters(path, "R_LA_15")
    assert labels_of(found, labels, path).tolist() == [1, 2, 3, 4] and ("query", "test/001_1") not in labels


def test_a_file_of_another_set_is_told_apart_from_one_that_lacks_rows(records):
    with pytest.raises(DataError) as raised:
        labels_of(records[:2], {("train", "094_1_c9"): 3}, Path("p.csv"))
    assert_names(raised.value, "p.csv", 2, "train", "001_1", "094_1_c9")
    with pytest.raises(DataError) as raised:
        labels_of(records[:2], {("train", "001_1"): 3}, Path("p.csv"))
    assert_names(raised.value, "p.csv", 1, 2, "train", "'002_1'", "rlq pose cluster")


def test_columns_of_the_same_pictures_are_read_in_the_order_of_the_records(tmp_path, records):
    path = tmp_path / "p.csv"
    path.write_text("Category,Image,R_LA_5,N_A_10\ntrain,002_1,2.0,7\nTrain,001_1,1.0,0\n")
    assert read_columns(path, records[:2]) == {"R_LA_5": ["1.0", "2.0"], "N_A_10": ["0", "7"]}
    with pytest.raises(DataError, match=r"p\.csv.*\b2\b.*\b2\b.*\b3\b"):
        read_columns(path, records)
    with pytest.raises(DataError, match=r"p\.csv.*\b2\b.*\b1\b.*\b1\b"):
        read_columns(path, records[:1])
