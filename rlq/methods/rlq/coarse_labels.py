"""The coarse labels of one run: pose clusters and genders, from side files or from the data set's own table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.core.digest import short_digest
from rlq.core.errors import DataError
from rlq.data.pictures import picture_sizes
from rlq.data.readers.tables import column_names
from rlq.data.records import Record, ReidData
from rlq.labels.clusters import cluster_poses, column_name, labels_of, read_clusters
from rlq.labels.gender import genders_of, people_of, read_genders
from rlq.labels.keypoints import read_keypoints
from rlq.labels.pose import Variant, match, mirrored, pose_vector
from rlq.methods.rlq.settings import RlqSettings


class PoseLabels(NamedTuple):
    """Pose clusters, 0 where no pose was found; None where the source does not tell."""

    train: np.ndarray  # [N]
    mirrored: np.ndarray | None  # [N] of the mirrored training pictures, with cap.pose.flip_aware
    test: np.ndarray | None  # [queries + gallery], by the centres of training
    keypoints: np.ndarray | None  # [N, 17, 3] in pixels of the training pictures


class GenderLabels(NamedTuple):
    """1 male, 0 female or in doubt."""

    train: np.ndarray  # [N]
    test: np.ndarray | None  # [queries + gallery]
    strangers: int = 0  # training people of the file whom the set does not have


def labels_digest(
    poses: PoseLabels | None, genders: GenderLabels | None, masks: Sequence[Path], unusable: Iterable[str]
) -> str:
    """16 hex digits that change with any training label, with a mask's name or size, and with the unusable masks."""
    parts: list[str | bytes] = []
    for labels in (poses, genders):
        arrays = [labels.train, getattr(labels, "mirrored", None)] if labels is not None else []
        parts += [b"none" if array is None else np.ascontiguousarray(array).tobytes() for array in arrays]
        parts.append(";")
    lines = [f"{path.name} {path.stat().st_size}" for path in masks]
    return short_digest(*parts, "\n".join([*lines, *sorted(unusable)]))


def pose_source(settings: RlqSettings, data: ReidData) -> Path | None:
    """The file that pose labels come from; None without a pose branch, or with a set whose own table has them.

    Raises DataError when there is no such file.
    """
    pose = settings.cap.pose
    if not pose.enabled:
        return None
    file = Path(pose.file) if pose.file else _usual_source(settings, data)
    if not file.exists() and not pose.file and "pose" in data.attributes:
        return None
    if not file.exists():
        raise DataError(
            f"there is no {file}; rlq pose import and rlq pose extract make keypoints, and cap.pose.file takes "
            "keypoints or pose clusters from elsewhere"
        )
    return file


def _usual_source(settings: RlqSettings, data: ReidData) -> Path:
    """The set's cluster file where it has what is asked for, else its keypoints."""
    pose = settings.cap.pose
    clusters, keypoints = data.side_files / "pose_clusters.csv", data.side_files / "keypoints.json"
    if clusters.is_file() and keypoints.exists():
        fits = not pose.flip_aware and column_name(pose.vector, pose.clusters) in column_names(clusters)
        return clusters if fits else keypoints
    return clusters if clusters.is_file() else keypoints


def pose_labels(settings: RlqSettings, data: ReidData, file: Path | None) -> PoseLabels | None:
    """Labels from what pose_source gave; None where the experiment does without. Raises DataError."""
    if not settings.cap.pose.enabled:
        return None
    if file is None:
        return _poses_of_table(settings, data)
    return _listed_poses(file, settings, data) if file.suffix == ".csv" else _clustered(file, settings, data)


def _listed_poses(file: Path, settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Clusters from a file; those of its test pictures would be a clustering of their own, so they are not used."""
    pose = settings.cap.pose
    if pose.flip_aware:
        raise DataError(f"cap.pose.flip_aware needs keypoints (.json); {file} holds clusters only")
    column = column_name(pose.vector, pose.clusters)
    if column not in (known := column_names(file)):
        raise DataError(
            f"{file}: has no column {column}, which rlq pose cluster --k {pose.clusters} adds (or name keypoints as "
            f"cap.pose.file); it has {', '.join(known[:5])}{', ...' if len(known) > 5 else ''}"
        )
    labels = labels_of(data.train, read_clusters(file, column), file)
    return PoseLabels(labels, None, None, None)


def _clustered(file: Path, settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Clusters of the training pictures' keypoints; where the file knows test pictures, their nearest clusters."""
    pose, train = settings.cap.pose, len(data.train)
    keypoints, found, sizes, vectors = _pose_vectors(
        _Poses(file.absolute(), state_of(file), data.root.absolute(), data.fingerprint, pose.vector, data)
    )
    clusters = cluster_poses(vectors[:train], found[:train], pose.clusters)
    flipped = test = None
    if pose.flip_aware:
        turned = pose_vector(mirrored(keypoints[:train], sizes[:train]), sizes[:train], pose.vector)
        flipped = clusters.assign(turned, found[:train])
    if found[train:].any():
        test = clusters.assign(vectors[train:], found[train:])
    return PoseLabels(clusters.labels, flipped, test, keypoints[:train])


@dataclass(frozen=True)
class _Poses:
    """Which pose vectors are asked for; everything that they depend on is compared."""

    file: Path
    state: tuple[tuple[str, int, int], ...]
    root: Path
    fingerprint: str
    variant: Variant
    data: ReidData = field(compare=False)  # follows from root and fingerprint


@lru_cache(maxsize=2)  # the trials of a sweep, one after the other in this process, differ in K alone
def _pose_vectors(asked: _Poses) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """keypoints [N, 17, 3], found [N], picture sizes [N, 2] and vectors [N, 26 or so] of all records, read-only."""
    data = asked.data
    keypoints, found = match(read_keypoints(asked.file).people, data.records, data.root)
    sizes = np.ones((len(found), 2), np.int64)
    sizes[found] = picture_sizes(record.path for record, there in zip(data.records, found, strict=True) if there)
    parts = keypoints, found, sizes, pose_vector(keypoints, sizes, asked.variant)
    for part in parts:
        part.flags.writeable = False  # whoever asks next gets the same arrays
    return parts


def state_of(source: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of a file, or of each one in a folder: another state, other content."""
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    stats = [(file.name, file.stat()) for file in files]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def gender_labels(settings: RlqSettings, data: ReidData) -> GenderLabels | None:
    """None where the experiment does without. Raises DataError when labels of training people cannot be had."""
    gender = settings.cap.gender
    if not gender.enabled:
        return None
    unseen = [*data.query, *data.gallery]
    file = Path(gender.file) if gender.file else data.side_files / "gender.csv"
    if not gender.file and not file.is_file() and "gender" in data.attributes:
        known = data.attributes["gender"]
        there = all(record.path in known for record in unseen)
        return GenderLabels(_of_table("gender", data), _of_table("gender", data, unseen) if there else None)
    if not file.is_file():
        raise DataError(f"there is no {file}; rlq gender annotate --data {data.name} makes it")
    listed = read_genders(file)
    train = genders_of(data.train, listed, file)
    if settings.data.selection == "holdout":  # these are training people, listed as such
        unseen = [replace(record, split="train") for record in unseen]
    people = people_of([*data.train, *(record for record in unseen if record.split == "train")])
    strangers = sum(part == "train" and (part, pid) not in people for part, pid in listed)
    try:
        return GenderLabels(train, genders_of(unseen, listed, file), strangers)
    except DataError:  # only training needs them; without those of the test, its accuracy is not measured
        return GenderLabels(train, None, strangers)


def _poses_of_table(settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Clusters that the set's own table gives; those of unseen pictures may be another clustering."""
    pose = settings.cap.pose
    if pose.flip_aware:
        raise DataError(f"cap.pose.flip_aware needs keypoints; the table of {data.name} holds clusters only")
    labels = _of_table("pose", data)
    most = int(labels.max())
    if most > pose.clusters:
        example = data.train[int(labels.argmax())].path.relative_to(data.root).as_posix()
        raise DataError(
            f"the table of {data.name} has pose clusters up to {most} (of {example}), cap.pose.clusters is "
            f"{pose.clusters}: is that a slip, or --set cap.pose.clusters={most}?"
        )
    return PoseLabels(labels, None, None, None)


def _of_table(column: str, data: ReidData, records: list[Record] | None = None) -> np.ndarray:
    """A column of the set's own table: int64 [N], of the training pictures unless others are asked for."""
    records, known = data.train if records is None else records, data.attributes[column]
    missing = [record.path.relative_to(data.root).as_posix() for record in records if record.path not in known]
    if missing:
        raise DataError(
            f"the column {column} of {data.name} is empty for {len(missing)} of {len(records)} training pictures, such "
            f"as {missing[:3]}; fill it in, or leave the column out and name a file"
        )
    return np.array([known[record.path] for record in records], np.int64)
