"""The record of a run: its folder, and its run in the tracker with settings and tags, new or continued."""

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import torch

from rlq.core import distributed
from rlq.core.config import flatten, replaced, to_yaml
from rlq.core.distributed import Place, type_name
from rlq.core.errors import Pruned, RlqError, SettingsError
from rlq.core.files import cut_name, write_file
from rlq.core.settings import ExperimentSettings
from rlq.methods.base import Inputs, Loaded, Ready
from rlq.methods.catalogue import method_of
from rlq.methods.ranking import BASELINES
from rlq.runs.folder import SETTINGS, About, read_about, write_about
from rlq.runs.load import fingerprint, load
from rlq.runs.prerequisites import experiment_of
from rlq.tracking import (
    NullTracker,
    Status,
    Tracker,
    git_tags,
    library_versions,
    local_run_id,
    logged_metrics,
    open_run,
    resolve_uri,
    source_digest,
)
from rlq.training.signals import Stopped


@dataclass(frozen=True)
class Membership:
    """The relation of a run to others, and its folder if that is not a new one."""

    kind: str = "run"  # the tag rlq.kind; those of a sweep are trials, those of an ablation variants
    parent: str | None = None  # MLflow run id
    name: str | None = None  # None: tracking.name, or title and data set
    tags: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None  # an unfinished run in it is resumed; a finished one is only read
    continues: Path | None = None  # folder of a killed run, whose state and curves this new one takes over


def open_record(
    place: Place,
    loaded: Loaded,
    folder: Path,
    member: Membership,
    about: About | None,
    inputs: Inputs,
    ready: Mapping[str, Ready],
) -> Tracker:
    """Open the run in the tracker, new or continued, with its settings, tags and resolved files.

    `ready` has the prerequisites by their settings' dotted names.
    """
    if not place.is_main:
        return NullTracker()
    settings = loaded.settings
    name = about.name if about else member.name or settings.tracking.name or _default_name(settings)
    tracker = open_run(
        folder=folder,
        uri=resolve_uri(Path(settings.tracking.folder)),
        experiment=settings.tracking.experiment,
        run_name=name,
        tags=_tags(place, loaded, member, inputs, ready),
        parent_run_id=member.parent if about is None else None,
        resume_run_id=about.run_id if about else local_run_id(folder),
    )
    files = _write_settings(loaded, folder)
    write_about(folder, About(tracker.run_id, name, member.kind, loaded.origin, "RUNNING"))
    if member.continues is not None and about is None:
        _copy_metrics(tracker, member.continues)
    tracker.log_params(flatten(settings))
    for source in inputs.sources:
        tracker.log_dataset(source.name, source.digest, source.root, source.role)
    for file in files:
        tracker.log_file(file)
    return tracker


def _tags(
    place: Place, loaded: Loaded, member: Membership, inputs: Inputs, ready: Mapping[str, Ready]
) -> dict[str, str]:
    settings = loaded.settings
    return {
        "rlq.kind": member.kind,
        "rlq.method": settings.method,
        "rlq.variant": settings.title,
        "rlq.dataset": settings.data.dataset,
        "rlq.settings_fingerprint": fingerprint(loaded),
        "rlq.source": source_digest(),
        **data_tags(inputs),
        "rlq.selection": settings.data.selection,
        "rlq.processes": str(place.world),
        "rlq.device": device_name(place),
        "rlq.compute_type": type_name(settings.compute.precision, place.device),
        **{f"rlq.{setting.rpartition('.')[2]}": prerequisite.name for setting, prerequisite in ready.items()},
        **git_tags(Path.cwd()),
        **{f"version.{library}": version for library, version in library_versions().items()},
        **member.tags,
    }


def data_tags(inputs: Inputs) -> dict[str, str]:
    """Return the fingerprints of all data sets and labels of a run, by their tags."""
    target, *others = inputs.sources
    tags = {"rlq.data_fingerprint": target.digest, "rlq.labels_fingerprint": inputs.labels_fingerprint}
    return tags | {f"rlq.{source.role}_fingerprint": source.digest for source in others}


def _write_settings(loaded: Loaded, folder: Path) -> list[Path]:
    """Write the resolved experiment and those of its prerequisites, which resume and rerun need."""
    files = [folder / SETTINGS]
    write_file(files[0], to_yaml(_with_local_files(loaded, folder, files)))
    return files


def _with_local_files(loaded: Loaded, folder: Path, files: list[Path]) -> ExperimentSettings:
    """Write the experiments of all prerequisites into the folder; return the settings that name these files."""
    settings = loaded.settings
    for needed in method_of(settings).prerequisites(settings):
        if not needed.is_experiment:
            continue
        names = {file.name for file in files}
        name = Path(needed.source).name
        if name in names:  # such as experiment.yaml, the name of the run's own file
            free = [f"{needed.name}.yaml", *(f"{needed.name}{number}.yaml" for number in range(2, len(files) + 3))]
            name = next(candidate for candidate in free if candidate not in names)
        files.append(folder / name)
        write_file(folder / name, to_yaml(_with_local_files(experiment_of(loaded, needed), folder, files)))
        settings = replaced(settings, needed.setting, name)
    return settings


def end_record(place: Place, folder: Path, tracker: Tracker, error: BaseException | None = None) -> None:
    """End a run in the tracker and in its folder: as FINISHED, or after an error as KILLED or FAILED."""
    if not place.is_main:
        return
    status: Status = "FINISHED" if error is None else status_after(error)
    try:
        if error is not None:
            tracker.log_tags(ended_by(error))
        tracker.end(status)  # after an outage of the server, the run gets its id only here
        write_about(folder, replace(read_about(folder), run_id=tracker.run_id, status=status))
    except (RlqError, OSError):
        if error is None:
            raise
        # The caller raises `error`, which matters more than a record that could not be written.


def status_after(error: BaseException) -> Status:
    """Return the status of a run that this error ended: KILLED if it was stopped or pruned, else FAILED."""
    return "KILLED" if isinstance(error, Stopped | KeyboardInterrupt | Pruned) else "FAILED"


def ended_by(error: BaseException) -> dict[str, str]:
    """Return the tag that gives the reason for which a run ended."""
    return {"rlq.ended_by": (str(error) or type(error).__name__)[:500]}


def take_over(killed: Path, loaded: Loaded, folder: Path) -> None:
    """Copy the state, best weights and baselines of a killed run, so that training continues from there.

    Raises SettingsError if it was another experiment.
    """
    if not (killed / "last.pt").is_file():
        return  # it was killed before its first state was saved
    if fingerprint(load(killed / SETTINGS)) != fingerprint(loaded):
        raise SettingsError(f"{killed} holds a run of other settings, which this experiment cannot continue")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("best", BASELINES, "last.pt"):  # last.pt is copied last: it means that the others are complete
        if (killed / name).is_dir():
            shutil.copytree(killed / name, folder / name, dirs_exist_ok=True)
        elif (killed / name).is_file():
            shutil.copyfile(killed / name, folder / name)


def _copy_metrics(tracker: Tracker, killed: Path) -> None:
    """Log the metrics of a killed run, so that the curves of the run that continues it are complete."""
    rows = sorted(logged_metrics(killed), key=lambda row: row["step"])
    for step, same in groupby(rows, key=lambda row: row["step"]):
        tracker.log_metrics({row["name"]: row["value"] for row in same}, step)


def _default_name(settings: ExperimentSettings) -> str:
    return f"{settings.title} {settings.data.dataset}"


def new_folder(settings: ExperimentSettings, name: str | None) -> Path:
    """Return runs/<name>-<time>-<four random digits>, which no other run has; the same on every process."""
    words = name or settings.tracking.name or _default_name(settings)
    stem = cut_name("".join(c if c.isalnum() or c in "-_." else "-" for c in words))
    now = datetime.now().astimezone()
    unique = f"{stem}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"  # runs of a sweep may start in the same second
    return Path(settings.tracking.folder) / str(distributed.share_from_main(unique))


def device_name(place: Place) -> str:
    """Return the name of the GPU, or cpu."""
    return torch.cuda.get_device_name(place.device) if place.device.type == "cuda" else "cpu"
