"""Pose labels that an earlier run derived from the same keypoints, pictures and settings. Reading them is faster than
K-means and a look at every picture's size."""

import zipfile
import zlib
from importlib import metadata
from pathlib import Path

import numpy as np

from rlq.core.cache import FOLDER, derived_file, load_or_build
from rlq.core.digest import short_digest
from rlq.data.records import ReidData
from rlq.methods.rlq.coarse_labels import PoseLabels, pose_labels, state_of
from rlq.methods.rlq.settings import RlqSettings

VERSION = 1  # increased whenever the same keypoints give other labels
KEPT = 20  # files, the newest ones: the trials of a sweep may need many K
# What NumPy and zipfile raise for a damaged or foreign file.
BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def cached_pose_labels(settings: RlqSettings, data: ReidData, file: Path | None) -> PoseLabels | None:
    """Return the same as `pose_labels`, from `<tracking.folder>/.cache` if an earlier run left the labels there."""
    if not settings.cap.pose.enabled or file is None or file.suffix == ".csv":
        return pose_labels(settings, data, file)  # reading these takes no longer than reading a cached file

    def build() -> PoseLabels:
        labels = pose_labels(settings, data, file)
        assert labels is not None  # as the experiment has a pose branch
        return labels

    return load_or_build(
        derived_file(Path(settings.tracking.folder) / FOLDER, "poses", _digest(settings, data, file), ".npz"),
        load=lambda cached: _load(cached, data),
        build=build,
        save=_save,
        newest=KEPT,
    )


def _digest(settings: RlqSettings, data: ReidData, file: Path) -> str:
    """Return 16 hex digits of everything that the labels depend on."""
    pose = settings.cap.pose
    places = (str(file.absolute()), state_of(file), str(data.root.absolute()))
    made = (data.fingerprint, pose.vector, pose.clusters, pose.flip_aware)
    return short_digest(repr((VERSION, metadata.version("scikit-learn"), *places, *made)))


def _load(cached: Path, data: ReidData) -> PoseLabels | None:
    """Read the labels, read-only. Return None for a damaged file."""
    try:
        with np.load(cached, allow_pickle=False) as arrays:
            names = set(arrays.files)
            labels = PoseLabels._make(arrays[name] if name in names else None for name in PoseLabels._fields)
    except BROKEN:
        return None
    if labels.train is None or len(labels.train) != len(data.train):
        return None
    for array in labels:
        if array is not None:
            array.flags.writeable = False
    return labels


def _save(path: Path, labels: PoseLabels) -> None:
    arrays = {name: array for name, array in labels._asdict().items() if array is not None}
    with path.open("wb") as output:
        np.savez(output, **arrays)
