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
from rlq.core.config import flatten, replaced, to_yaml
from rlq.core.distributed import Place, type_name
from rlq.core.errors import RlqError, SettingsError
from rlq.core.files import cut_name, written_whole
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
    ready: Mapping[str, Ready],
) -> Tracker:
    """Open the run in the tracker, new or continued, with its settings, tags and resolved files.

    `ready` has the prerequisites by their settings' dotted names.
    """
    if not place.is_main:
        return NullTracker()
    settings = loaded.settings
    name = about.name if about else member.name or settings.tracking.name or _usual_name(settings)
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
        _log_again(tracker, member.continues)
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
        **{f"rlq.{setting.rpartition('.')[2]}": one.name for setting, one in ready.items()},
        **git_tags(Path.cwd()),
        **{f"version.{library}": version for library, version in library_versions().items()},
        **member.tags,
    }


def data_tags(inputs: Inputs) -> dict[str, str]:
    """Return the fingerprints of everything that a run reads, by their tags."""
    target, *others = inputs.sources
    found = {"rlq.data_fingerprint": target.digest, "rlq.labels_fingerprint": inputs.labels_fingerprint}
    return found | {f"rlq.{source.role}_fingerprint": source.digest for source in others}


def _write_settings(loaded: Loaded, folder: Path) -> list[Path]:
    """Write the resolved experiment with its prerequisites' beside it: all that a resume or a rerun needs."""
    files = [folder / SETTINGS]
    _write_yaml(files[0], _with_local_files(loaded, folder, files))
    return files


def _with_local_files(loaded: Loaded, folder: Path, files: list[Path]) -> ExperimentSettings:
    """Write the experiments of all prerequisites into the folder; return the settings that name these files."""
    settings = loaded.settings
    for needed in method_of(settings).prerequisites(settings):
        if not needed.is_experiment:
            continue
        names = {file.name for file in files}
        name = Path(needed.source).name
        if name in names:  # such as experiment.yaml, as a run folder calls its own file
            usual = [f"{needed.name}.yaml", *(f"{needed.name}{number}.yaml" for number in range(2, len(files) + 3))]
            name = next(one for one in usual if one not in names)
        files.append(folder / name)
        _write_yaml(folder / name, _with_local_files(experiment_of(loaded, needed), folder, files))
        settings = replaced(settings, needed.setting, name)
    return settings


def _write_yaml(path: Path, settings: ExperimentSettings) -> None:
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
    """Begin where a run that died left off: its state, best weights and baselines.

    Raises SettingsError if it was another experiment.
    """
    if not (dead / "last.pt").is_file():
        return  # it died before its first step was saved
    if fingerprint(load(dead / SETTINGS)) != fingerprint(loaded):
        raise SettingsError(f"{dead} is of another experiment, it cannot be continued by this one")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("best", BASELINES, "last.pt"):  # last.pt says that the others are there
        if (dead / name).is_dir():
            shutil.copytree(dead / name, folder / name, dirs_exist_ok=True)
        elif (dead / name).is_file():
            shutil.copyfile(dead / name, folder / name)


def _log_again(tracker: Tracker, dead: Path) -> None:
    """The curves of a run that died, so that those of the run that continues it are whole."""
    rows = sorted(logged_metrics(dead), key=lambda row: row["step"])
    for step, same in groupby(rows, key=lambda row: row["step"]):
        tracker.log_metrics({row["name"]: row["value"] for row in same}, step)


def _usual_name(settings: ExperimentSettings) -> str:
    return f"{settings.title} {settings.data.dataset}"


def new_folder(settings: ExperimentSettings, name: str | None) -> Path:
    """runs/<name>-<time>-<four random digits>: a name that no other run has; the same on every process."""
    words = name or settings.tracking.name or _usual_name(settings)
    stem = cut_name("".join(c if c.isalnum() or c in "-_." else "-" for c in words))
    now = datetime.now().astimezone()
    unique = f"{stem}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"  # runs of one sweep start in one second
    return Path(settings.tracking.folder) / str(distributed.share_from_main(unique))


def device_name(place: Place) -> str:
    return torch.cuda.get_device_name(place.device) if place.device.type == "cuda" else "cpu"
