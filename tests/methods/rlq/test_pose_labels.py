"""Pose labels of several runs in one process: keypoints are read once, and again when anything about them changes."""

import json
import shutil

import numpy as np
import pytest

from rlq.data.catalogue import read
from rlq.methods.rlq import coarse_labels
from rlq.methods.rlq.coarse_labels import pose_labels, pose_source


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list:
    """The keypoint files that were read."""
    found, real = [], coarse_labels.read_keypoints
    coarse_labels._pose_vectors.cache_clear()
    monkeypatch.setattr(coarse_labels, "read_keypoints", lambda file: found.append(file) or real(file))
    return found


@pytest.fixture
def label(home, tmp_path):
    """Pose labels of a copy of the target set, under some changes."""
    root = tmp_path / "prcc"
    shutil.copytree(home.folder / "data/synthetic/prcc", root)
    (root / "rlq/synthetic.json").unlink()

    def label(*changes: str):
        settings = home.load("data.dataset=prcc", f"data.root={root}", *changes).settings
        data = read("prcc", root)
        return pose_labels(settings, data, pose_source(settings, data))

    label.keypoints = root / "rlq/keypoints.json"
    return label


def test_trials_that_differ_in_k_read_the_keypoints_once(label, reads):
    first, other, again = label(), label("cap.pose.clusters=3"), label()
    assert len(reads) == 1
    assert first.train.tolist() == again.train.tolist() and first.train.max() == 4 and other.train.max() == 3
    coarse_labels._pose_vectors.cache_clear()
    anew = label("cap.pose.clusters=3")
    assert np.array_equal(anew.train, other.train) and np.array_equal(anew.keypoints, other.keypoints)


def test_another_vector_or_another_file_is_another_reading(label, reads):
    usual = label()
    angles = label("cap.pose.vector=angles")
    assert len(reads) == 2
    assert label().train.tolist() == usual.train.tolist() and len(reads) == 2  # both are kept
    people = json.loads(label.keypoints.read_text())
    dropped = people[: len(people) // 2]
    label.keypoints.write_text(json.dumps(dropped))
    assert (label().train == 0).sum() > (usual.train == 0).sum() and len(reads) == 3
    assert angles.train.shape == usual.train.shape


def test_what_is_shared_cannot_be_changed_by_one_of_its_users(label, reads):
    with pytest.raises(ValueError, match="read-only"):
        label().keypoints[0] = 0
