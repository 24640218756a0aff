"""Load an experiment file and run it: data, teacher, training, figures, numbers, all under one tracked run."""

import hashlib
import json
import secrets
import shlex
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock

from rlq import distributed
from rlq.config import apply_changes, flatten, merge, read_tree, to_yaml, validate
from rlq.console import Console
from rlq.distributed import Place
from rlq.errors import RlqError, SettingsError
from rlq.methods.rlq import closing, recipe
from rlq.methods.rlq.inputs import Inputs, check_selectable, gather_inputs
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.weights import load_network
from rlq.runs import SETTINGS, About, find_run, find_weights, read_about, write_about
from rlq.sets import ensure_set
from rlq.settings import TrackingSettings
from rlq.tracking import NullTracker, Tracker, git_tags, library_versions, open_run, resolve_uri
from rlq.training.loop import History, fit
from rlq.training.stopping import Stopped


class Loaded(NamedTuple):
    """Settings, and the folder that file names in them are relative to."""

    settings: RlqSettings
    folder: Path
    origin: str  # what follows `rlq train` to run it: the file and the changes, quoted for a shell


@dataclass(frozen=True)
class Result:
    """What a finished run gives back."""

    folder: Path
    run_id: str
    settings: RlqSettings
    metrics: dict[str, float]  # best/..., last/..., paper/..., baselines, attributes
    history: History
    seconds: dict[str, float] = field(default_factory=dict)  # data, teacher, training, closing


def load(file: Path, changes: Iterable[str] = (), *, base: Path | None = None) -> Loaded:
    """The experiment in a file, with changes such as "optim.lr=1e-4"; `base` takes the place of the file that it
    extends. Raises SettingsError."""
    changes = tuple(changes)
    tree = apply_changes(read_tree(file, base), changes)
    on = ("--base", str(base)) if base else ()
    origin = shlex.join([str(file), *on, *(word for change in changes for word in ("--set", change))])
    return Loaded(validate(RlqSettings, tree, file.name), file.resolve().parent, origin)


def run(loaded: Loaded, *, console: Console | None = None) -> Result:
    """Run an experiment from its start. Raises RlqError; the run is then marked in the tracker."""
    with _Group(loaded.settings, console) as group:
        return _run_in(group, loaded, _new_folder(loaded.settings))


def resume(word: str, *, runs: Path | None = None, console: Console | None = None) -> Result:
    """Go on with a run (its id, a prefix, its name or folder) as if it had never stopped."""
    folder = find_run(word, runs or Path(TrackingSettings().folder))
    about = read_about(folder)
    if about.status == "FINISHED":
        raise RlqError(f"{about.name} ({about.run_id[:8]}) is finished; a new run starts with rlq train {about.origin}")
    loaded = load(folder / SETTINGS)
    with _Group(loaded.settings, console) as group:
        return _run_in(group, loaded._replace(origin=about.origin), folder, about=about)


class _Group:
    """The processes of this run, joined and left; only the first one speaks."""

    def __init__(self, settings: RlqSettings, console: Console | None) -> None:
        self.place = distributed.start(settings.compute.device)
        self.console = console or Console(quiet=not self.place.is_main)

    def __enter__(self) -> "_Group":
        self._before = None
        self._threads = torch.get_num_threads()
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._before = signal.signal(signal.SIGTERM, _stop_now)
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        torch.set_num_threads(self._threads)  # compute.threads is this run's, not the next one's
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        if kind is None or self.place.world == 1:
            distributed.stop()  # after an error the peers may hang in an exchange; the launcher ends them


def _stop_now(number: int, _frame: object) -> None:
    """SIGTERM outside the training loop, which waits for the end of a step: end at once, but in order."""
    raise Stopped(number)


def _run_in(group: _Group, loaded: Loaded, folder: Path, *, kind: str = "run", about: About | None = None) -> Result:
    settings, place, console = loaded.settings, group.place, group.console
    if settings.compute.threads is not None:
        torch.set_num_threads(settings.compute.threads)
    seconds: dict[str, float] = {}
    clock = time.monotonic()
    ensure_set(settings.data.dataset, Path(settings.data.root), place, console)
    if settings.tad.enabled:
        ensure_set(settings.tad.external, external_root(settings), place, console)
    inputs = gather_inputs(settings, loaded.origin, console)
    settings, loaded = inputs.settings, loaded._replace(settings=inputs.settings)
    for note in inputs.notes:
        console.line(f"note     {note}")
    check_selectable(settings, inputs.data)
    seconds["data"], clock = time.monotonic() - clock, time.monotonic()
    teacher = teacher_id = None
    if settings.tad.enabled:
        teacher, teacher_id = _teacher(group, loaded)
    seconds["teacher"], clock = time.monotonic() - clock, time.monotonic()
    tracker = _open(place, loaded, folder, kind, about, inputs, teacher_id)
    try:
        torch.manual_seed(settings.seed)
        job = recipe.build(settings, inputs, teacher, place=place, console=console, folder=folder)
        console.line(recipe.describe(settings, inputs, place))
        seconds["setup"], clock = time.monotonic() - clock, time.monotonic()
        baselines = closing.baselines(settings, inputs, job, place=place, console=console)
        tracker.log_metrics(baselines, step=0)
        seconds["baselines"], clock = time.monotonic() - clock, time.monotonic()
        history = fit(job, settings.schedule, tracker=tracker, place=place, console=console, resume=about is not None)
        seconds["training"], clock = time.monotonic() - clock, time.monotonic()
        metrics = history.summary() | baselines
        if place.is_main:
            metrics |= closing.close(settings, inputs, job, history, tracker=tracker, console=console, place=place)
        seconds["closing"] = time.monotonic() - clock
        tracker.log_metrics({f"time/{n}_s": v for n, v in seconds.items()}, step=settings.schedule.epochs - 1)
        distributed.wait_for_all()
    except BaseException as error:
        status = "KILLED" if isinstance(error, Stopped | KeyboardInterrupt) else "FAILED"
        _end(place, folder, tracker, status, reason=str(error) or type(error).__name__)
        if status == "KILLED":
            again = f"rlq train --resume {folder}" if kind == "run" else "the same command"
            console.line(f"kept     {tracker.run_id} in {folder}; {again} goes on with it")
        raise
    _end(place, folder, tracker, "FINISHED")
    if place.is_main:
        text = closing.summary(
            metrics, settings, inputs, folder=folder, run_id=tracker.run_id, seconds=seconds, links=tracker.links()
        )
        console.line(text if kind == "run" else f"teacher  done in {seconds['training']:.0f} s of training")
    return Result(folder, tracker.run_id, settings, metrics, history, seconds)


def external_root(settings: RlqSettings) -> Path:
    """Where the external set is looked for."""
    return Path(settings.tad.external_root or settings.data.root)


def teacher_experiment(loaded: Loaded) -> Loaded:
    """The experiment that trains the teacher: its own file, with the student's external set, picture size, backbone,
    compute and tracking."""
    settings = loaded.settings
    file = loaded.folder / settings.tad.teacher
    if not file.is_file():
        raise SettingsError(f"tad.teacher = {settings.tad.teacher}: there is no {file}")
    student = settings.model_dump(mode="json")
    inherited = {
        "data": {key: student["data"][key] for key in ("size", "workers", "test_batch", "celeb_camera")}
        | {"dataset": settings.tad.external, "root": external_root(settings).as_posix()},
        "backbone": {key: student["backbone"][key] for key in ("name", "pretrained", "last_stride")},
        "compute": student["compute"],
        "tracking": student["tracking"] | {"name": None},
    }
    tree = merge(read_tree(file), inherited)
    return Loaded(validate(RlqSettings, tree, file.name), file.parent, shlex.quote(str(file)))


def teacher_fingerprint(settings: RlqSettings, data: str) -> str:
    """16 hex digits of everything that shapes a teacher: its settings, but for places and pace, and its data."""
    tree = settings.model_dump(mode="json")
    for section, keys in {"data": ("root", "workers", "test_batch"), "compute": None, "tracking": None}.items():
        if keys is None:
            del tree[section]
        else:
            tree[section] = {key: value for key, value in tree[section].items() if key not in keys}
    return hashlib.sha256(json.dumps([tree, data], sort_keys=True).encode()).hexdigest()[:16]


def _teacher(group: _Group, loaded: Loaded) -> tuple[RlqNetwork, str]:
    """A teacher and what names it: weights that were given, a finished one from the cache, or one trained now."""
    settings, runs = loaded.settings, Path(loaded.settings.tracking.folder)
    if not settings.tad.teacher.endswith((".yaml", ".yml")):
        try:
            folder, _ = find_weights(settings.tad.teacher, "last", runs)
        except RlqError as error:
            raise SettingsError(
                f"tad.teacher = {settings.tad.teacher} is no experiment file (.yaml), folder of weights or run: {error}"
            ) from error
        return load_network(folder, group.place.device)[0], str(folder)
    experiment = teacher_experiment(loaded)
    inputs = gather_inputs(experiment.settings, experiment.origin, group.console)
    name = teacher_fingerprint(experiment.settings, inputs.data.fingerprint)
    folder = runs / "teachers" / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f".{name}.lock")
    if group.place.is_main:
        lock.acquire()  # whoever comes second waits for the teacher that is being trained
    try:
        done = distributed.share_from_main((folder / "last" / "config.json").is_file())
        if done:
            group.console.line(f"teacher  {folder} (trained before)")
        else:
            group.console.line(f"teacher  none for these settings yet: training {settings.tad.teacher} in {folder}")
            begun = (folder / SETTINGS).is_file() and (folder / "last.pt").is_file()
            about = read_about(folder) if begun else None
            _run_in(group, experiment, folder, kind="teacher", about=about)
    finally:
        if group.place.is_main:
            lock.release()
    return load_network(folder / "last", group.place.device)[0], name


def _open(
    place: Place,
    loaded: Loaded,
    folder: Path,
    kind: str,
    about: About | None,
    inputs: Inputs,
    teacher: str | None,
) -> Tracker:
    """The run in the tracker, new or continued, with its settings, tags and resolved files."""
    if not place.is_main:
        return NullTracker()
    settings = loaded.settings
    name = about.name if about else settings.tracking.name or f"{settings.title} {settings.data.dataset}"
    digest = inputs.data.fingerprint
    tags = {
        "rlq.kind": kind,
        "rlq.method": settings.method,
        "rlq.variant": settings.title,
        "rlq.dataset": settings.data.dataset,
        "rlq.data_fingerprint": digest,
        "rlq.selection": settings.data.selection,
        "rlq.processes": str(place.world),
        "rlq.device": _device_name(place),
        **({"rlq.teacher": teacher} if teacher else {}),
        **git_tags(Path.cwd()),
        **{f"version.{library}": version for library, version in library_versions().items()},
    }
    tracker = open_run(
        folder=folder,
        uri=resolve_uri(Path(settings.tracking.folder)),
        experiment=settings.tracking.experiment,
        run_name=name,
        tags=tags,
        resume_run_id=about.run_id if about else None,
    )
    _write_settings(loaded, folder)
    write_about(folder, About(tracker.run_id, name, kind, loaded.origin, "RUNNING"))
    tracker.log_params(flatten(settings))
    tracker.log_dataset(settings.data.dataset, digest, inputs.data.root, "train")
    if inputs.external is not None:
        tracker.log_dataset(settings.tad.external, inputs.external.fingerprint, inputs.external.root, "external")
    tracker.log_file(folder / SETTINGS)
    return tracker


def _write_settings(loaded: Loaded, folder: Path) -> None:
    """The resolved experiment, and its teacher's beside it, so that the folder is all a resume needs."""
    settings = loaded.settings
    if settings.tad.enabled and settings.tad.teacher.endswith((".yaml", ".yml")):
        name = Path(settings.tad.teacher).name
        name = "teacher.yaml" if name == SETTINGS else name  # as a run folder calls its own file
        (folder / name).write_text(to_yaml(teacher_experiment(loaded).settings))
        settings = settings.model_copy(update={"tad": settings.tad.model_copy(update={"teacher": name})})
    (folder / SETTINGS).write_text(to_yaml(settings))


def _end(place: Place, folder: Path, tracker: Tracker, status: str, reason: str = "") -> None:
    if not place.is_main:
        return
    if reason:
        tracker.log_tags({"rlq.ended_by": reason[:500]})
    tracker.end(status)  # the run may get its id only now, if the server has been away so far
    write_about(folder, replace(read_about(folder), run_id=tracker.run_id, status=status))


def _new_folder(settings: RlqSettings) -> Path:
    """runs/<name>-<time>-<four random digits>: a name that no other run has; the same on every process."""
    words = settings.tracking.name or f"{settings.title}-{settings.data.dataset}"
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in words)
    unique = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"  # runs of one sweep start in one second
    return Path(settings.tracking.folder) / str(distributed.share_from_main(unique))


def _device_name(place: Place) -> str:
    return torch.cuda.get_device_name(place.device) if place.device.type == "cuda" else "cpu"
