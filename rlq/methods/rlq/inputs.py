"""All inputs of an experiment. Missing inputs are reported at once, with a command that works without them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rlq.core.cache import FOLDER as CACHE
from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.text import listed
from rlq.data.catalogue import read as read_data
from rlq.data.clothes import ClothesClasses, Recolouring, mask_path, read_unusable
from rlq.data.image_cache import DecodedPictures, keep_decoded
from rlq.data.pictures import CachedReader, PictureReader, read_picture
from rlq.data.records import Record, ReidData, TrainLabels, class_indices
from rlq.data.samplers import keep_fraction, keep_identities
from rlq.methods.base import DataUse
from rlq.methods.ranking_inputs import read_target
from rlq.methods.rlq.coarse_labels import GenderLabels, PoseLabels, gender_labels, labels_digest, pose_source
from rlq.methods.rlq.input_checks import broken_masks, broken_pictures
from rlq.methods.rlq.pose_cache import cached_pose_labels
from rlq.methods.rlq.settings import TARGET, RlqSettings, reading_of, without_clothes_labels


@dataclass(frozen=True)
class Inputs:
    """Pictures and labels of one run; None for parts that the experiment does not use."""

    settings: RlqSettings  # as given, without losses for which the data has no labels
    data: ReidData  # with data.selection = holdout, its query and gallery are held-out training people
    labels: TrainLabels
    clothes: ClothesClasses
    recolouring: Recolouring | None
    poses: PoseLabels | None
    genders: GenderLabels | None
    external: ReidData | None  # None also if TAD uses target pictures
    external_train: list[Record]  # which TAD compares with their degraded versions
    own_test: ReidData | None = None  # with data.selection = holdout: the set with its own query and gallery
    reader: PictureReader = read_picture  # with data.cache, one that looks in the decoded pictures first
    notes: tuple[str, ...] = ()  # printed when the run starts

    @property
    def sources(self) -> tuple[DataUse, ...]:
        """Return the target set, and the external set if it is read."""
        target = DataUse(self.settings.data.dataset, self.data.root, "train", self.data.fingerprint)
        if self.external is None:
            return (target,)
        return target, DataUse(self.external.name, self.external.root, "external", self.external.fingerprint)

    @property
    def labels_fingerprint(self) -> str:
        """Return 16 hex digits of the labels that training reads: poses, genders, masks."""
        masks: list[Path] = []
        unusable: list[str] = []
        if (copies := self.recolouring) is not None:
            masks = [mask_path(copies.masks, record.path, copies.root) for record in self.data.train]
            unusable = [f"upper {key}" for key in copies.unusable_upper]
            unusable += [f"lower {key}" for key in copies.unusable_lower]
        return labels_digest(self.poses, self.genders, masks, unusable)


class _Missing:
    """Inputs that could not be read so far, and the settings that work without them."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.without: list[str] = []

    def add(self, part: str, error: DataError, *without: str) -> None:
        """Note a missing part, and changes of settings with which a run does not need it."""
        self.reasons.append(f"{part}: {error}")
        self.without += without


def gather_inputs(settings: RlqSettings, origin: str, console: Console | None = None) -> Inputs:
    """Read the data sets and labels of an experiment; `origin` is what follows `rlq train` to run it.

    Raises DataError that lists all missing inputs, with a command that works without them.
    """
    missing = _Missing()
    data, own_test = _target(settings, missing)
    external = _external(settings, missing)
    labels = class_indices(data.train) if data is not None else None
    if data is None or labels is None:
        _raise_missing(missing, origin, data_was_read=False)
    if not data.clothes_known:
        settings = without_clothes_labels(settings)
    sets = [data] if external is None else [data, external]
    broken = _sets_with_broken_pictures(sets, settings, missing, console or Console(quiet=True))
    recolouring, classes = _recolouring(settings, data, labels, missing, sizes=data.name not in broken)
    poses = genders = None
    try:
        file = pose_source(settings, data)
        if data.name not in broken:  # poses are measured in pixels of their pictures
            poses = cached_pose_labels(settings, data, file)
    except DataError as error:
        missing.add("poses", error, "cap.pose.enabled=false")
    try:
        genders = gender_labels(settings, data)
    except DataError as error:
        missing.add("genders", error, "cap.gender.enabled=false")
    if missing.reasons:
        _raise_missing(missing, origin, data_was_read=True)
    caches, refusals = _keep_decoded([own_test or data, external], settings)
    return Inputs(
        settings=settings,
        data=data,
        labels=labels,
        clothes=classes,
        recolouring=recolouring,
        poses=poses,
        genders=genders,
        external=external,
        external_train=_sampled(_tad_pictures(data, external, settings), settings),
        own_test=own_test,
        reader=CachedReader(caches) if caches else read_picture,
        notes=(*_notes(data, genders), *refusals),
    )


def _notes(data: ReidData, genders: GenderLabels | None) -> Iterator[str]:
    if not data.clothes_known:
        yield (
            f"{data.name} has no clothes labels, so clothes losses are off (losses.clothes_adversarial = 0, "
            "losses.kl_clothes = 0); CAL learns identities alone"
        )
    if data.shared_pids:
        yield (
            f"{len(data.shared_pids)} people of the test have pids of training people, such as {data.shared_pids[:3]}; "
            "where they are the same people, the numbers say nothing about people never seen"
        )
    if genders is not None and genders.strangers:
        yield (
            f"the gender file lists {genders.strangers} training people whom {data.name} does not have; is it of "
            "another data set?"
        )


def _keep_decoded(sets: list[ReidData | None], settings: RlqSettings) -> tuple[list[DecodedPictures], list[str]]:
    """With data.cache, return the decoded pictures of each set, and a note for each set that the disk cannot hold."""
    folder = Path(settings.tracking.folder) / CACHE
    caches, notes = [], []
    for data in sets:
        if data is not None and settings.data.cache:
            paths = sorted({path for record in data.records for path in record.pictures})
            try:
                caches.append(keep_decoded(paths, folder, data.name, settings.data.cache_gb))
            except DataError as error:
                notes.append(f"data.cache: {error}; pictures are decoded each time, with the same results")
    return caches, notes


def _target(settings: RlqSettings, missing: _Missing) -> tuple[ReidData | None, ReidData | None]:
    """Return the set for training and for choosing an epoch; if people are held out, also the set with its own test."""
    try:
        data, own_test = read_target(settings, reading_of(settings))
        return _pictures_only(data), own_test
    except DataError as error:
        missing.add("pictures", error)
        return None, None


def _pictures_only(data: ReidData) -> ReidData:
    if data.holds_tracklets:
        raise DataError(f"{data.name} holds tracklets; method = rlq trains on single pictures")
    return data


def _external(settings: RlqSettings, missing: _Missing) -> ReidData | None:
    if settings.external_set is None:
        return None
    root = Path(settings.tad.external_root or settings.data.root)
    try:
        return _pictures_only(read_data(settings.external_set, root, celeb_camera=settings.data.celeb_camera))
    except DataError as error:
        missing.add("external set", error, "tad.enabled=false")
        return None


def _tad_pictures(data: ReidData, external: ReidData | None, settings: RlqSettings) -> list[Record]:
    """Return the pictures of TAD. From the target set these are the training pictures, without held-out people."""
    if settings.tad.enabled and settings.tad.external == TARGET:
        return data.train
    return external.train if external is not None else []


def _sampled(records: list[Record], settings: RlqSettings) -> list[Record]:
    """Return the share of identities given by tad.sampling and the share of pictures given by tad.fraction."""
    if not records:
        return []
    if settings.tad.sampling < 1:
        records = keep_identities(records, settings.tad.sampling, settings.seed)
    if settings.tad.fraction < 1:
        records = keep_fraction(records, settings.tad.fraction, settings.seed)
    return records


def _recolouring(
    settings: RlqSettings, data: ReidData, labels: TrainLabels, missing: _Missing, *, sizes: bool
) -> tuple[Recolouring | None, ClothesClasses]:
    """Return how copies are recoloured, and the clothes classes. `sizes`: compare masks with their pictures."""
    clothes = settings.clothes
    kind = clothes.labels if clothes.augment else "none"
    classes = ClothesClasses(labels.owner, len(labels.pid_names), clothes.palette, kind)
    if not clothes.augment:
        return None, classes
    masks = Path(clothes.masks) if clothes.masks else data.side_files / "masks"
    problems = broken_masks(data, masks, Path(settings.tracking.folder), sizes=sizes)
    if problems:
        mask, reason = problems[0]
        message = (
            f"{len(problems)} of {len(data.train)} training pictures have no usable mask in {masks}: {mask}: {reason}; "
            f"rlq parsing import makes masks of SCHP's outputs, rlq parsing check --data {data.name} lists all "
            "problems, clothes.masks names another folder"
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


def _sets_with_broken_pictures(
    sets: list[ReidData], settings: RlqSettings, missing: _Missing, console: Console
) -> set[str]:
    """Check all pictures of each set, note broken ones, and return the names of the sets that have some."""
    names = set()
    for data in sets:
        broken = broken_pictures(data, Path(settings.tracking.folder), console)
        if broken:
            files_and_reasons = listed([f"{path} ({reason})" for path, reason in broken], 10, "; ")
            remedy = f"; replace or leave them out (rlq data check {data.name} lists all)"
            part = f"{data.name}, pictures that cannot be read ({len(broken)})"
            missing.add(part, DataError(files_and_reasons + remedy))
            names.add(data.name)
    return names


def _raise_missing(missing: _Missing, origin: str, *, data_was_read: bool) -> NoReturn:
    lines = ["the run cannot start; missing or broken:", *(f"  - {reason}" for reason in missing.reasons)]
    if not data_was_read:
        lines.append("  (keypoints, genders and parsing masks are checked after that, in the folder rlq/ of the set)")
    if data_was_read and missing.without and len(missing.without) >= len(missing.reasons):
        changes = " ".join(f"--set {change}" for change in missing.without)
        lines.append(f"to run without them: rlq train {origin} {changes}")
    elif not data_was_read:
        lines.append("to try the method without data of your own: make train   (built-in pedestrians)")
    raise DataError("\n".join(lines))
