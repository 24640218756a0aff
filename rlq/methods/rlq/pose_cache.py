"""Pose labels that an earlier run made of the same keypoints, pictures and settings; K-means and a look at every
picture's size take longer than reading them."""

import hashlib
import zipfile
import zlib
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import numpy as np

from rlq.core.errors import DataError
from rlq.core.files import remove_partial, written_whole
from rlq.data.records import ReidData
from rlq.methods.rlq.coarse_labels import PoseLabels, pose_labels, state_of
from rlq.methods.rlq.settings import RlqSettings

VERSION = 1  # raised whenever the same keypoints give other labels
KEPT = 20  # files, the newest ones: the trials of a sweep may want many K
# What NumPy and zipfile raise at a file that is damaged or another one's.
BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def kept_pose_labels(settings: RlqSettings, data: ReidData, file: Path | None) -> PoseLabels | None:
    """The same as `pose_labels`, out of `<tracking.folder>/.cache` where a run has left them there."""
    if not settings.cap.pose.enabled or file is None or file.suffix == ".csv":
        return pose_labels(settings, data, file)  # these are read as fast as anything that could be kept
    folder = Path(settings.tracking.folder) / ".cache"
    kept = folder / f"poses-{_digest(settings, data, file)}.npz"
    found = _read(kept, data) if kept.is_file() else None
    if found is None:
        found = pose_labels(settings, data, file)
        assert found is not None  # as the experiment has a pose branch
        with suppress(DataError):  # no room for it: the next run makes its labels anew
            _write(kept, found)
            _remove_old(folder)
    return found


def _digest(settings: RlqSettings, data: ReidData, file: Path) -> str:
    """16 hex digits of everything that the labels are made of."""
    pose = settings.cap.pose
    places = (str(file.absolute()), state_of(file), str(data.root.absolute()))
    made = (data.fingerprint, pose.vector, pose.clusters, pose.flip_aware)
    facts = (VERSION, metadata.version("scikit-learn"), *places, *made)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _read(kept: Path, data: ReidData) -> PoseLabels | None:
    """None for a file that is damaged, which is then written again."""
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            names = set(arrays.files)
            found = PoseLabels._make(arrays[name] if name in names else None for name in PoseLabels._fields)
    except BROKEN:
        return None
    if found.train is None or len(found.train) != len(data.train):
        return None
    for array in found:
        if array is not None:
            array.flags.writeable = False
    return found


def _write(kept: Path, labels: PoseLabels) -> None:
    arrays = {name: array for name, array in labels._asdict().items() if array is not None}
    remove_partial(kept.parent, kept.name, older=3600)  # of a process that was killed
    with written_whole(kept) as temporary, temporary.open("wb") as output:
        np.savez(output, **arrays)


def _remove_old(folder: Path) -> None:
    """All but the newest files of this kind; another process may be at it too."""
    with suppress(OSError):
        files = sorted(folder.glob("poses-*.npz"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        for path in files[:-KEPT]:
            path.unlink(missing_ok=True)
