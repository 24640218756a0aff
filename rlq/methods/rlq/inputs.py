"""Everything that an experiment reads before it trains; what is missing is told all at once, with a way out."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.attributes.alphapose import read_alphapose
from rlq.attributes.clusters import cluster_poses, column_name, labels_of, read_clusters
from rlq.attributes.gender import genders_of, read_genders
from rlq.attributes.pose import match, mirrored, pose_vector
from rlq.data.catalogue import read as read_data
from rlq.data.clothes import ClothesClasses, Recolouring, mask_path, missing_masks, read_unusable
from rlq.data.holdout import split_holdout
from rlq.data.pictures import find_unreadable, picture_sizes
from rlq.data.records import Record, ReidData, TrainLabels, class_indices
from rlq.data.samplers import keep_fraction, keep_identities
from rlq.errors import DataError
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


@dataclass(frozen=True)
class Inputs:
    """Pictures and labels of one run; None where the experiment does without."""

    data: ReidData  # with data.selection = holdout, its query and gallery are held-out training people
    labels: TrainLabels
    clothes: ClothesClasses
    recolouring: Recolouring | None
    poses: PoseLabels | None
    genders: GenderLabels | None
    external: ReidData | None
    external_train: list[Record]


class _Missing:
    """What could not be read so far, and the settings that do without it."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.without: list[str] = []

    def add(self, part: str, error: DataError, *without: str) -> None:
        self.reasons.append(f"{part}: {error}")
        self.without += without


def gather_inputs(settings: RlqSettings, origin: str) -> Inputs:
    """Read the data sets and attributes of an experiment; `origin` is what follows `rlq train` to run it.

    Raises DataError that lists all that is missing, with the command that does without it.
    """
    missing = _Missing()
    data = _target(settings, missing)
    external = _external(settings, missing)
    labels = class_indices(data.train) if data is not None else None
    if data is None or labels is None:
        _stop(missing, settings, origin, data_there=False)
    recolouring_of, classes = _recolouring(settings, data, labels, missing)
    poses = _poses(settings, data, missing)
    genders = _genders(settings, data, missing)
    _readable([data] if external is None else [data, external], settings, missing)
    if missing.reasons:
        _stop(missing, settings, origin, data_there=True)
    return Inputs(
        data=data,
        labels=labels,
        clothes=classes,
        recolouring=recolouring_of,
        poses=poses,
        genders=genders,
        external=external,
        external_train=_kept(external, settings),
    )


def _target(settings: RlqSettings, missing: _Missing) -> ReidData | None:
    options = settings.data
    try:
        data = read_data(options.dataset, Path(options.root), celeb_camera=options.celeb_camera)
        if options.selection == "holdout":
            data = split_holdout(data, options.holdout, settings.seed)
        return data
    except DataError as error:
        missing.add("pictures", error)
        return None


def _external(settings: RlqSettings, missing: _Missing) -> ReidData | None:
    if not settings.tad.enabled:
        return None
    root = Path(settings.tad.external_root or settings.data.root)
    try:
        return read_data(settings.tad.external, root, celeb_camera=settings.data.celeb_camera)
    except DataError as error:
        missing.add("external set", error, "tad.enabled=false")
        return None


def _kept(external: ReidData | None, settings: RlqSettings) -> list[Record]:
    """The external training pictures after tad.sampling (identities) and tad.fraction (pictures of each)."""
    if external is None:
        return []
    records = external.train
    if settings.tad.sampling < 1:
        records = keep_identities(records, settings.tad.sampling, settings.seed)
    if settings.tad.fraction < 1:
        records = keep_fraction(records, settings.tad.fraction, settings.seed)
    return records


def _recolouring(
    settings: RlqSettings, data: ReidData, labels: TrainLabels, missing: _Missing
) -> tuple[Recolouring | None, ClothesClasses]:
    clothes = settings.clothes
    kind = clothes.labels if clothes.augment else "none"
    classes = ClothesClasses(labels.owner, len(labels.pid_names), clothes.palette, kind)
    if not clothes.augment:
        return None, classes
    masks = Path(clothes.masks) if clothes.masks else data.side_files / "masks"
    absent = missing_masks([mask_path(masks, record.path, data.root) for record in data.train])
    if absent:
        message = (
            f"{len(absent)} of {len(data.train)} training pictures have no mask in {masks}, such as {absent[0]}; "
            "they are palette PNGs of LIP labels, as SCHP writes them, named in clothes.masks"
        )
        missing.add("parsing masks", DataError(message), "clothes.augment=false")
        return None, classes
    try:
        upper = _unusable(clothes.bad_upper, data.side_files / "bad_upper.txt")
        lower = _unusable(clothes.bad_lower, data.side_files / "bad_lower.txt")
    except DataError as error:
        missing.add("lists of unusable masks", error, "clothes.augment=false")
        return None, classes
    return Recolouring(classes, masks, data.root, upper, lower), classes


def _unusable(setting: str | None, usual: Path) -> frozenset[str]:
    if setting is None and not usual.is_file():
        return frozenset()
    return read_unusable(Path(setting) if setting else usual)


def _poses(settings: RlqSettings, data: ReidData, missing: _Missing) -> PoseLabels | None:
    pose = settings.cap.pose
    if not pose.enabled:
        return None
    usual = [data.side_files / "pose_clusters.csv", data.side_files / "keypoints.json"]
    file = Path(pose.file) if pose.file else next((path for path in usual if path.is_file()), usual[1])
    try:
        if not file.is_file():
            raise DataError(
                f"there is no {file}; give AlphaPose's result JSON (keypoints) or a pose cluster CSV as cap.pose.file"
            )
        return _listed_poses(file, settings, data) if file.suffix == ".csv" else _clustered(file, settings, data)
    except DataError as error:
        missing.add("poses", error, "cap.pose.enabled=false")
        return None


def _listed_poses(file: Path, settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Clusters from a file; those of its test pictures would be a clustering of their own, so they are not used."""
    pose = settings.cap.pose
    if pose.flip_aware:
        raise DataError(f"cap.pose.flip_aware needs keypoints (.json); {file} holds clusters only")
    labels = labels_of(data.train, read_clusters(file, column_name(pose.vector, pose.clusters)), file)
    return PoseLabels(labels, None, None, None)


def _clustered(file: Path, settings: RlqSettings, data: ReidData) -> PoseLabels:
    """Clusters of the training pictures' keypoints; where the file knows test pictures, their nearest clusters."""
    pose, train = settings.cap.pose, len(data.train)
    keypoints, found = match(read_alphapose(file), data.records, data.root)
    sizes = np.ones((len(found), 2), np.int64)
    sizes[found] = picture_sizes(record.path for record, there in zip(data.records, found, strict=True) if there)
    vectors = pose_vector(keypoints, sizes, pose.vector)
    clusters = cluster_poses(vectors[:train], found[:train], pose.clusters)
    flipped = test = None
    if pose.flip_aware:
        turned = pose_vector(mirrored(keypoints[:train], sizes[:train]), sizes[:train], pose.vector)
        flipped = clusters.assign(turned, found[:train])
    if found[train:].any():
        test = clusters.assign(vectors[train:], found[train:])
    return PoseLabels(clusters.labels, flipped, test, keypoints[:train])


def _genders(settings: RlqSettings, data: ReidData, missing: _Missing) -> GenderLabels | None:
    gender = settings.cap.gender
    if not gender.enabled:
        return None
    file = Path(gender.file) if gender.file else data.side_files / "gender.csv"
    try:
        known = read_genders(file)
        train = genders_of(data.train, known, file)
    except DataError as error:
        missing.add("genders", error, "cap.gender.enabled=false")
        return None
    unseen = [*data.query, *data.gallery]
    if settings.data.selection == "holdout":  # these are training people, listed as such
        unseen = [replace(record, split="train") for record in unseen]
    try:
        return GenderLabels(train, genders_of(unseen, known, file))
    except DataError:  # only training needs them; without those of the test, its accuracy is not measured
        return GenderLabels(train, None)


def _readable(sets: list[ReidData], settings: RlqSettings, missing: _Missing) -> None:
    """Look once at every picture of a set; a set that was found whole is not read again."""
    for data in sets:
        mark = Path(settings.tracking.folder) / ".checked" / f"{data.name}-{data.fingerprint}"
        if mark.exists():
            continue
        broken = find_unreadable([record.path for record in data.records], os.cpu_count() or 1)
        if broken:
            listed = "; ".join(f"{path} ({reason})" for path, reason in broken[:10])
            more = f" and {len(broken) - 10} more" if len(broken) > 10 else ""
            missing.add(f"{data.name}, {len(broken)} pictures that cannot be read", DataError(listed + more))
            continue
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _stop(missing: _Missing, settings: RlqSettings, origin: str, *, data_there: bool) -> None:
    lines = ["the run cannot start; missing or broken:", *(f"  - {reason}" for reason in missing.reasons)]
    if not data_there:
        lines.append("  (keypoints, genders and parsing masks are looked for next, in the folder rlq/ of the set)")
    if data_there and missing.without and len(missing.without) >= len(missing.reasons):
        changes = " ".join(f"--set {change}" for change in missing.without)
        lines.append(f"what can run without them: rlq train {origin} {changes}")
    elif not data_there:
        lines.append("without any data of your own: make train   (the whole method on built-in pedestrians)")
    raise DataError("\n".join(lines))
