"""rlq pose cluster: files and sheets of clusters."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.data.catalogue import read
from rlq.data.pictures import picture_sizes
from rlq.labels import pose_cluster
from rlq.labels.clusters import cluster_poses, labels_of, read_clusters
from rlq.labels.keypoints import read_keypoints
from rlq.labels.pose import match, pose_vector
from rlq.synthetic import provide
from rlq.synthetic.provide import read_picture_set

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def root(home) -> Path:
    return home.folder / "data/synthetic/prcc"


def cluster(root: Path, output: Path, **options) -> pose_cluster.Clustered:
    return pose_cluster.cluster_training_poses("prcc", root, output=output, console=QUIET, **options)


def test_a_file_holds_the_clusters_that_training_would_make(root, tmp_path):
    done = cluster(root, tmp_path / "p.csv", counts=[5, 4], vectors=["lengths_angles", "normalised_angles"], seed=3)
    data = read("prcc", root)
    keypoints, found = match(read_keypoints(root / "rlq/keypoints.json").people, data.records, data.root)
    sizes = picture_sizes(record.path for record in data.train)
    vectors = pose_vector(keypoints[:96], sizes, "lengths_angles")
    for count in (4, 5):
        wanted = cluster_poses(vectors, found[:96], count, 3).labels
        column = f"R_LA_{count}"
        assert np.array_equal(labels_of(data.train, read_clusters(done.output, column), done.output), wanted)
    assert [one.column for one in done.clusterings] == ["R_LA_4", "R_LA_5", "N_A_4", "N_A_5"]
    assert done.output.read_text().startswith("Category,Image,R_LA_4,R_LA_5,N_A_4,N_A_5\ntrain,001_A_cropped_rgb")
    none = int((~found[:96]).sum())
    assert [one.sizes[0] for one in done.clusterings] == [none] * 4 and done.sheets == ()
    line = next(line for line in done.to_text().splitlines() if line.startswith("R_LA_5"))
    counts = np.bincount(wanted)[1:]
    assert line.split() == ["R_LA_5", "5", str(counts.min()), str(counts.max()), f"{100 * none / 96:.1f}"]


def test_other_clusterings_of_the_same_pictures_are_kept(root, tmp_path):
    path = tmp_path / "p.csv"
    cluster(root, path, counts=[4])
    header, *rows = (line.split(",") for line in path.read_text().splitlines())
    older = [[*header[:2], "R_LAC_40", "R_LA_4"], *([*row[:2], "39.0", "0"] for row in reversed(rows))]
    path.write_text("\n".join(",".join(row) for row in older))
    cluster(root, path, counts=[4, 6])
    again, *lines = (line.split(",") for line in path.read_text().splitlines())
    assert again == ["Category", "Image", "R_LAC_40", "R_LA_4", "R_LA_6"]
    assert [line[:4] for line in lines] == [[*row[:2], "39.0", row[2]] for row in rows]


def test_a_file_of_other_pictures_is_left_alone(root, tmp_path):
    path = tmp_path / "p.csv"
    content = "Category,Image,R_LA_15\ntrain,001_A_cropped_rgb001,1\n"
    path.write_text(content)
    with pytest.raises(DataError, match=r"p\.csv.*\b1\b.*\b96\b.*--output"):
        cluster(root, path, counts=[4])
    assert path.read_text() == content


def test_a_sheet_is_drawn_of_each_clustering(root, tmp_path):
    done = cluster(root, tmp_path / "p.csv", counts=[2], sheets=tmp_path / "new/sheets")
    assert done.sheets == (tmp_path / "new/sheets/R_LA_2.png",)
    assert done.sheets[0].read_bytes().startswith(b"\x89PNG") and len(list(done.sheets[0].parent.iterdir())) == 1


def test_more_clusters_than_poses_and_absent_keypoints_are_explained(root, tmp_path):
    with pytest.raises(DataError) as raised:
        cluster(root, tmp_path / "p.csv", counts=[97])
    assert_names(raised.value, 96, 97, "cap.pose.clusters")
    with pytest.raises(DataError) as raised:
        cluster(root, tmp_path / "p.csv", keypoints=tmp_path / "gone.json")
    assert_names(raised.value, "gone.json", "rlq pose import", "rlq pose extract")
    assert not (tmp_path / "p.csv").exists()


def test_sets_of_tracklets_are_refused(monkeypatch, root):
    data = read("prcc", root)
    tracklets = replace(data, train=[replace(data.train[0], frames=("1.jpg",))])
    monkeypatch.setattr(provide, "read", lambda *_args, **_options: tracklets)
    with pytest.raises(DataError, match="prcc.*tracklets"):
        read_picture_set("prcc", root, QUIET)


def test_a_built_in_set_is_made_when_it_is_not_there(monkeypatch, home, tmp_path):
    asked = []
    monkeypatch.setattr(provide, "ensure_built_in", lambda name, folder, *_args: asked.append((name, folder)))
    read_picture_set("synthetic", home.folder / "data/synthetic/prcc", QUIET)
    assert asked == []  # that folder is the set
    read_picture_set("synthetic", home.folder / "data", QUIET)
    assert asked == [("synthetic", home.folder / "data")]
