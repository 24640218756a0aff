"""Pose labels are made once for all runs, and again when anything that they are made of changes."""

import json
import shutil

import numpy as np
import pytest

from rlq.data.catalogue import read
from rlq.methods.rlq import pose_cache
from rlq.methods.rlq.coarse_labels import pose_source
from rlq.methods.rlq.pose_cache import cached_pose_labels


@pytest.fixture
def made(monkeypatch):
    """A list that grows by one each time labels are really made."""
    found, real = [], pose_cache.pose_labels
    monkeypatch.setattr(pose_cache, "pose_labels", lambda *asked: found.append(asked) or real(*asked))
    return found


@pytest.fixture
def label(home, tmp_path):
    """Pose labels of a copy of the target set, kept in a folder of this test's own."""
    root = tmp_path / "prcc"
    shutil.copytree(home.folder / "data/synthetic/prcc", root)
    (root / "rlq/synthetic.json").unlink()

    def label(*changes: str):
        where = (f"data.root={root}", f"tracking.folder={tmp_path / 'runs'}")
        settings = home.load("data.dataset=prcc", *where, *changes).settings
        data = read("prcc", root)
        return cached_pose_labels(settings, data, pose_source(settings, data))

    label.keypoints, label.cache = root / "rlq/keypoints.json", tmp_path / "runs/.cache"
    return label


def same(a, b):
    return all((x is None and y is None) or (x.dtype == y.dtype and np.array_equal(x, y)) for x, y in zip(a, b))


def test_labels_of_the_second_run_are_those_of_the_first(label, made):
    first, second = label(), label()
    assert len(made) == 1 and same(first, second)
    assert second.test is not None and second.keypoints.shape == (len(second.train), 17, 3)


def test_other_settings_and_other_keypoints_are_other_labels(label, made):
    assert label().mirrored is None
    assert label("cap.pose.clusters=3").train.max() == 3
    assert label("cap.pose.flip_aware=true").mirrored is not None
    label("cap.pose.vector=angles")
    people = json.loads(label.keypoints.read_text())
    label.keypoints.write_text(json.dumps(people[: len(people) // 2]))
    label()
    assert len(made) == 5
    label("cap.pose.flip_aware=true", "cap.pose.clusters=4")
    assert len(made) == 6


def test_a_damaged_file_is_made_again(label, made):
    whole = label()
    (file,) = label.cache.glob("poses-*.npz")
    content = file.read_bytes()
    for broken in (b"", content[: len(content) // 2], b"\x00" * 64, content[:200] + b"?" * 60 + content[260:]):
        file.write_bytes(broken)
        assert same(label(), whole)
        assert file.read_bytes() == content
    assert len(made) == 5


def test_nothing_is_kept_where_there_is_no_room(label, made):
    label.cache.parent.mkdir()
    label.cache.write_text("a file in the way of the folder")
    assert same(label(), label())
    assert len(made) == 2


def test_only_the_newest_files_stay(label, monkeypatch):
    monkeypatch.setattr(pose_cache, "KEPT", 2)
    for k in (2, 3, 4):
        label(f"cap.pose.clusters={k}")
    assert len(list(label.cache.iterdir())) == 2
    made_again = label("cap.pose.clusters=4")
    assert made_again.train.max() == 4
