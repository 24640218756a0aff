"""A run's record: its folder, and its run in the tracker with settings, tags and what it continues."""

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import torch

from rlq.core import distributed
from rlq.core.config import flatten, to_yaml
from rlq.core.distributed import Place, compute_type
from rlq.core.errors import RlqError, SettingsError
from rlq.core.files import cut_name, written_whole
from rlq.methods.rlq import closing
from rlq.methods.rlq.inputs import Inputs
from rlq.methods.rlq.settings import RlqSettings
from rlq.runs.folder import SETTINGS, About, read_about, write_about
from rlq.runs.load import Loaded, fingerprint, load, teacher_experiment
from rlq.tracking import (
    NullTracker,
    Status,
    Tracker,
    begun_run,
    git_tags,
    library_versions,
    logged_metrics,
    open_run,
    resolve_uri,
    source_digest,
)


@dataclass(frozen=True)
class Membership:
    """A run's place among others, and its folder where that is not a new one."""

    kind: str = "run"  # the tag rlq.kind; a sweep has trials, an ablation variants
    parent: str | None = None  # MLflow run id
    name: str | None = None  # None: tracking.name, or made of method and data set
    tags: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None  # if it holds an unfinished run, that is resumed; a finished one is only read
    continues: Path | None = None  # folder of a run that died, whose state and curves this new one takes over


def open_record(
    place: Place,
    loaded: Loaded,
    folder: Path,
    member: Membership,
    about: About | None,
    inputs: Inputs,
    teacher: str | None,
) -> Tracker:
    """The run in the tracker, new or continued, with its settings, tags and resolved files."""
    if not place.is_main:
        return NullTracker()
    settings = loaded.settings
    name = about.name if about else member.name or settings.tracking.name or _usual_name(settings)
    digest = inputs.data.fingerprint
    tags = {
        "rlq.kind": member.kind,
        "rlq.method": settings.method,
        "rlq.variant": settings.title,
        "rlq.dataset": settings.data.dataset,
        "rlq.settings_fingerprint": fingerprint(loaded),
        "rlq.source": source_digest(),
        "rlq.data_fingerprint": digest,
        "rlq.labels_fingerprint": inputs.labels_fingerprint,
        **({"rlq.external_fingerprint": inputs.external.fingerprint} if inputs.external is not None else {}),
        "rlq.selection": settings.data.selection,
        "rlq.processes": str(place.world),
        "rlq.device": device_name(place),
        "rlq.compute_type": str(compute_type(settings.compute.precision, place.device)).removeprefix("torch."),
        **({"rlq.teacher": teacher} if teacher else {}),
        **git_tags(Path.cwd()),
        **{f"version.{library}": version for library, version in library_versions().items()},
        **member.tags,
    }
    tracker = open_run(
        folder=folder,
        uri=resolve_uri(Path(settings.tracking.folder)),
        experiment=settings.tracking.experiment,
        run_name=name,
        tags=tags,
        parent_run_id=member.parent if about is None else None,
        resume_run_id=about.run_id if about else begun_run(folder),
    )
    files = _write_settings(loaded, folder)
    write_about(folder, About(tracker.run_id, name, member.kind, loaded.origin, "RUNNING"))
    if member.continues is not None and about is None:
        _log_again(tracker, member.continues)
    tracker.log_params(flatten(settings))
    tracker.log_dataset(settings.data.dataset, digest, inputs.data.root, "train")
    if inputs.external is not None:
        tracker.log_dataset(inputs.external.name, inputs.external.fingerprint, inputs.external.root, "external")
    for file in files:
        tracker.log_file(file)
    return tracker


def _write_settings(loaded: Loaded, folder: Path) -> list[Path]:
    """The resolved experiment, and its teacher's beside it, so that they are all that a resume or a rerun needs."""
    settings, teacher, files = loaded.settings, teacher_experiment(loaded), [folder / SETTINGS]
    if teacher is not None:
        name = Path(settings.tad.teacher).name
        name = "teacher.yaml" if name == SETTINGS else name  # as a run folder calls its own file
        _write_yaml(folder / name, teacher.settings)
        files.append(folder / name)
        settings = settings.model_copy(update={"tad": settings.tad.model_copy(update={"teacher": name})})
    _write_yaml(folder / SETTINGS, settings)
    return files


def _write_yaml(path: Path, settings: RlqSettings) -> None:
    """Whole, because a run whose settings were torn off could never be resumed."""
    with written_whole(path) as temporary:
        temporary.write_text(to_yaml(settings))


def end_record(place: Place, folder: Path, tracker: Tracker, status: Status, reason: str = "") -> None:
    if not place.is_main:
        return
    try:
        if reason:
            tracker.log_tags({"rlq.ended_by": reason[:500]})
        tracker.end(status)  # the run may get its id only now, if the server has been away so far
        write_about(folder, replace(read_about(folder), run_id=tracker.run_id, status=status))
    except (RlqError, OSError):
        if status == "FINISHED":
            raise
        # the reason that it ended is worth more than that a full disk does not take it


def take_over(dead: Path, loaded: Loaded, folder: Path) -> None:
    """Begin where a run that died left off: its state, best weights and yardsticks. Raises SettingsError if it was
    another experiment."""
    if not (dead / "last.pt").is_file():
        return  # it died before its first step was saved
    if fingerprint(load(dead / SETTINGS)) != fingerprint(loaded):
        raise SettingsError(f"{dead} is of another experiment, it cannot be continued by this one")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("best", closing.BASELINES, "last.pt"):  # last.pt says that the others are there
        if (dead / name).is_dir():
            shutil.copytree(dead / name, folder / name, dirs_exist_ok=True)
        elif (dead / name).is_file():
            shutil.copyfile(dead / name, folder / name)


def _log_again(tracker: Tracker, dead: Path) -> None:
    """The curves of a run that died, so that those of the run that continues it are whole."""
    rows = sorted(logged_metrics(dead), key=lambda row: row["step"])
    for step, same in groupby(rows, key=lambda row: row["step"]):
        tracker.log_metrics({row["name"]: row["value"] for row in same}, step)


def _usual_name(settings: RlqSettings) -> str:
    return f"{settings.title} {settings.data.dataset}"


def new_folder(settings: RlqSettings, name: str | None) -> Path:
    """runs/<name>-<time>-<four random digits>: a name that no other run has; the same on every process."""
    words = name or settings.tracking.name or _usual_name(settings)
    stem = cut_name("".join(c if c.isalnum() or c in "-_." else "-" for c in words))
    now = datetime.now().astimezone()
    unique = f"{stem}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"  # runs of one sweep start in one second
    return Path(settings.tracking.folder) / str(distributed.share_from_main(unique))


def device_name(place: Place) -> str:
    return torch.cuda.get_device_name(place.device) if place.device.type == "cuda" else "cpu"
