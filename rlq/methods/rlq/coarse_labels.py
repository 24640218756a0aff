"""The coarse labels of one run: pose clusters and genders, from files beside the data set or from its own table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.core.digest import short_digest
from rlq.core.errors import DataError
from rlq.core.text import listed
from rlq.data.pictures import picture_sizes
from rlq.data.readers.tables import column_names
from rlq.data.records import Record, ReidData
from rlq.labels.clusters import cluster_poses, column_name, labels_of, read_clusters
from rlq.labels.gender import genders_of, people_of, read_genders
from rlq.labels.keypoints import read_keypoints
from rlq.labels.pose import Variant, match, mirrored, pose_vector
from rlq.methods.rlq.settings import RlqSettings


class PoseLabels(NamedTuple):
    """Pose clusters; 0 for pictures without a detected pose; None if the source has no such labels."""

    train: np.ndarray  # [N]
    mirrored: np.ndarray | None  # [N] of the mirrored training pictures, with cap.pose.flip_aware
    test: np.ndarray | None  # [queries + gallery], by the centres of training
    keypoints: np.ndarray | None  # [N, 17, 3] in pixels of the training pictures


class GenderLabels(NamedTuple):
    """Genders: 1 male, 0 female or unsure."""

    train: np.ndarray  # [N]
    test: np.ndarray | None  # [queries + gallery]
    strangers: int = 0  # training people of the file who are not in the data set


def labels_digest(
    poses: PoseLabels | None, genders: GenderLabels | None, masks: Sequence[Path], unusable: Iterable[str]
) -> str:
    """Return 16 hex digits that depend on all training labels, names and sizes of masks, and the unusable masks."""
    parts: list[str | bytes] = []
    for labels in (poses, genders):
        arrays = [labels.train, getattr(labels, "mirrored", None)] if labels is not None else []
        parts += [b"none" if array is None else np.ascontiguousarray(array).tobytes() for array in arrays]
        parts.append(";")
    lines = [f"{path.name} {path.stat().st_size}" for path in masks]
    return short_digest(*parts, "\n".join([*lines, *sorted(unusable)]))


def pose_source(settings: RlqSettings, data: ReidData) -> Path | None:
    """Return the file of pose labels; None without a pose branch, or if the data set's own table has them.

    Raises DataError if there is no such file.
    """
    pose = settings.cap.pose
    if not pose.enabled:
        return None
    file = Path(pose.file) if pose.file else _default_source(settings, data)
    if not file.exists() and not pose.file and "pose" in data.attributes:
        return None
    if not file.exists():
        raise DataError(
            f"there is no {file}; rlq pose import and rlq pose extract make keypoints, and cap.pose.file takes "
            "keypoints or pose clusters from elsewhere"
        )
    return file


def _default_source(settings: RlqSettings, data: ReidData) -> Path:
    """Return the data set's cluster file if it has clusters for these settings, else its keypoints."""
    pose = settings.cap.pose
    clusters, keypoints = data.side_files / "pose_clusters.csv", data.side_files / "keypoints.json"
    if clusters.is_file() and keypoints.exists():
        fits = not pose.flip_aware and column_name(pose.vector, pose.clusters) in column_names(clusters)
        return clusters if fits else keypoints
    return clusters if clusters.is_file() else keypoints


def pose_labels(settings: RlqSettings, data: ReidData, file: Path | None) -> PoseLabels | None:
    """Return pose labels from the result of pose_source; None without a pose branch. Raises DataError."""
    if not settings.cap.pose.enabled:
        return None
    if file is None:
        return _poses_of_table(settings, data)
    return _listed_poses(file, settings, data) if file.suffix == ".csv" else _clustered(file, settings, data)


def _listed_poses(file: Path, settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Return clusters from a file. Its test pictures are clustered separately, so their clusters are not used."""
    pose = settings.cap.pose
    if pose.flip_aware:
        raise DataError(
            f"cap.pose.flip_aware needs keypoints (.json), which cap.pose.file names; {file} holds clusters"
        )
    column, columns = column_name(pose.vector, pose.clusters), column_names(file)
    if column not in columns:
        raise DataError(
            f"{file} has no column {column}, only {listed(columns, 5)}; rlq pose cluster --k {pose.clusters} adds it, "
            "or name keypoints as cap.pose.file"
        )
    labels = labels_of(data.train, read_clusters(file, column), file)
    return PoseLabels(labels, None, None, None)


def _clustered(file: Path, settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Return clusters of the training pictures' keypoints; for test pictures with keypoints, the nearest clusters."""
    pose, train = settings.cap.pose, len(data.train)
    keypoints, detected, sizes, vectors = _pose_vectors(
        _PoseSource(file.absolute(), state_of(file), data.root.absolute(), data.fingerprint, pose.vector, data)
    )
    clusters = cluster_poses(vectors[:train], detected[:train], pose.clusters)
    flipped = test = None
    if pose.flip_aware:
        turned = pose_vector(mirrored(keypoints[:train], sizes[:train]), sizes[:train], pose.vector)
        flipped = clusters.assign(turned, detected[:train])
    if detected[train:].any():
        test = clusters.assign(vectors[train:], detected[train:])
    return PoseLabels(clusters.labels, flipped, test, keypoints[:train])


@dataclass(frozen=True)
class _PoseSource:
    """The source of pose vectors; compared by everything that they depend on."""

    file: Path
    state: tuple[tuple[str, int, int], ...]
    root: Path
    fingerprint: str
    variant: Variant
    data: ReidData = field(compare=False)  # follows from root and fingerprint


@lru_cache(maxsize=2)  # successive trials of a sweep in this process differ in K alone
def _pose_vectors(source: _PoseSource) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return keypoints [N, 17, 3], detected [N], picture sizes [N, 2] and vectors [N, V] of all records, read-only."""
    data = source.data
    keypoints, detected = match(read_keypoints(source.file).people, data.records, data.root)
    sizes = np.ones((len(detected), 2), np.int64)
    sizes[detected] = picture_sizes(record.path for record, pose in zip(data.records, detected, strict=True) if pose)
    parts = keypoints, detected, sizes, pose_vector(keypoints, sizes, source.variant)
    for part in parts:
        part.flags.writeable = False  # later calls return the same arrays
    return parts


def state_of(source: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of a file, or of each file in a folder. They change with the content."""
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    stats = [(file.name, file.stat()) for file in files]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def gender_labels(settings: RlqSettings, data: ReidData) -> GenderLabels | None:
    """Return genders; None without a gender head. Raises DataError if those of training people are missing."""
    gender = settings.cap.gender
    if not gender.enabled:
        return None
    unseen = [*data.query, *data.gallery]
    file = Path(gender.file) if gender.file else data.side_files / "gender.csv"
    if not gender.file and not file.is_file() and "gender" in data.attributes:
        in_table = data.attributes["gender"]
        complete = all(record.path in in_table for record in unseen)
        return GenderLabels(_of_table("gender", data), _of_table("gender", data, unseen) if complete else None)
    if not file.is_file():
        raise DataError(f"there is no {file}; rlq gender annotate --data {data.name} makes it")
    listed = read_genders(file)
    train = genders_of(data.train, listed, file)
    if settings.data.selection == "holdout":  # these are training people, and listed as such
        unseen = [replace(record, split="train") for record in unseen]
    people = people_of([*data.train, *(record for record in unseen if record.split == "train")])
    strangers = sum(part == "train" and (part, pid) not in people for part, pid in listed)
    try:
        return GenderLabels(train, genders_of(unseen, listed, file), strangers)
    except DataError:  # training does not need genders of the test, only the measured accuracy does
        return GenderLabels(train, None, strangers)


def _poses_of_table(settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Return clusters from the data set's own table. Those of test pictures may be of another clustering."""
    pose = settings.cap.pose
    if pose.flip_aware:
        raise DataError(
            f"cap.pose.flip_aware needs keypoints (.json) as cap.pose.file; the table of {data.name} holds clusters"
        )
    labels = _of_table("pose", data)
    most = int(labels.max())
    if most > pose.clusters:
        example = data.train[int(labels.argmax())].path.relative_to(data.root).as_posix()
        raise DataError(
            f"the table of {data.name} has pose clusters up to {most} (of {example}), more than cap.pose.clusters = "
            f"{pose.clusters}; correct the table, or --set cap.pose.clusters={most}"
        )
    return PoseLabels(labels, None, None, None)


def _of_table(column: str, data: ReidData, records: list[Record] | None = None) -> np.ndarray:
    """Return a column of the data set's own table, int64 [N], for these records or for the training pictures."""
    records, values = data.train if records is None else records, data.attributes[column]
    missing = [record.path.relative_to(data.root).as_posix() for record in records if record.path not in values]
    if missing:
        raise DataError(
            f"the column {column} of {data.name} is empty for {len(missing)} of {len(records)} training pictures: "
            f"{listed(missing, 3)}; fill it in, or leave out the column and name a file"
        )
    return np.array([values[record.path] for record in records], np.int64)
