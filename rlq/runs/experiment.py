"""Load an experiment file and run it: data, teacher, training, figures, numbers, all under one tracked run."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from filelock import FileLock

from rlq.core import distributed
from rlq.core.console import Console
from rlq.core.errors import Pruned, RlqError, SettingsError
from rlq.core.settings import TrackingSettings
from rlq.methods.rlq import closing
from rlq.methods.rlq import job as recipe
from rlq.methods.rlq.inputs import check_selectable, gather_inputs
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.weights import load_network
from rlq.runs.folder import ABOUT, SETTINGS, About, find_run, find_weights, read_about
from rlq.runs.load import Loaded, external_root, load, teacher_experiment, teacher_fingerprint
from rlq.runs.record import Membership, device_name, end_record, new_folder, open_record, take_over
from rlq.runs.result import RESULT, Result, read_result, write_result
from rlq.synthetic.provide import ensure_set
from rlq.tracking import Status
from rlq.training.backend import arrange
from rlq.training.loop import fit
from rlq.training.signals import Stopped

Observe = Callable[[int, Mapping[str, float | None]], None]
Started = Callable[[str, Path], None]


def run(
    loaded: Loaded,
    *,
    console: Console | None = None,
    member: Membership | None = None,
    observe: Observe | None = None,
    started: Started | None = None,
) -> Result:
    """Run an experiment. Raises RlqError; the run is then marked in the tracker.

    `started` is told the run's id and folder as soon as it is tracked, `observe` every evaluation once it is saved;
    both in the main process alone. What `observe` raises as Pruned ends the run in all processes.
    """
    member = member or Membership()
    with _Group(loaded.settings, console) as group:
        folder = member.folder or new_folder(loaded.settings, member.name)
        begun = distributed.share_from_main((folder / ABOUT).is_file())
        about = read_about(folder) if begun else None
        ended = (folder / RESULT).is_file() and about is not None and about.status != "RUNNING"  # else killed after it
        if distributed.share_from_main(ended):
            return read_result(folder)
        if member.continues is not None and not begun and group.place.is_main:
            take_over(member.continues, loaded, folder)
        return _run_in(group, loaded, folder, member=member, about=about, observe=observe, started=started)


def resume(word: str, *, runs: Path | None = None, console: Console | None = None) -> Result:
    """Go on with a run (its id, a prefix, its name or folder) as if it had never stopped."""
    folder = find_run(word, runs or Path(TrackingSettings().folder))
    about = read_about(folder)
    if not (folder / SETTINGS).is_file():
        raise RlqError(f"{about.name} is a run of runs ({about.kind}); the command that began it goes on with it")
    if about.status == "FINISHED":
        raise RlqError(f"{about.name} ({about.run_id[:8]}) is finished; a new run starts with rlq train {about.origin}")
    loaded = load(folder / SETTINGS)
    with _Group(loaded.settings, console) as group:
        return _run_in(
            group, loaded._replace(origin=about.origin), folder, member=Membership(kind=about.kind), about=about
        )


class _Group:
    """The processes of this run, joined and left; only the first one speaks."""

    def __init__(self, settings: RlqSettings, console: Console | None) -> None:
        self._joined = distributed.is_joined()  # a sweep's processes stay together from trial to trial
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
        if not self._joined and (kind is None or self.place.world == 1):
            distributed.stop()  # after an error the peers may hang in an exchange; the launcher ends them


def _stop_now(number: int, _frame: object) -> None:
    """SIGTERM outside the training loop, which waits for the end of a step: end at once, but in order."""
    raise Stopped(number)


def _run_in(
    group: _Group,
    loaded: Loaded,
    folder: Path,
    *,
    member: Membership,
    about: About | None = None,
    observe: Observe | None = None,
    started: Started | None = None,
) -> Result:
    settings, place, console = loaded.settings, group.place, group.console
    arrange(settings.compute, place)
    seconds: dict[str, float] = {}
    clock = time.monotonic()
    ensure_set(settings.data.dataset, Path(settings.data.root), place, console)
    if settings.external_set is not None:
        ensure_set(settings.external_set, external_root(settings), place, console)
    inputs = gather_inputs(settings, loaded.origin, console)
    settings, loaded = inputs.settings, loaded._replace(settings=inputs.settings)
    for note in inputs.notes:
        console.line(f"note     {note}")
    check_selectable(settings, inputs.data)
    seconds["data"], clock = time.monotonic() - clock, time.monotonic()
    teacher = teacher_id = None
    if settings.needs_teacher:
        teacher, teacher_id = _teacher(group, loaded)
    seconds["teacher"], clock = time.monotonic() - clock, time.monotonic()
    tracker = open_record(place, loaded, folder, member, about, inputs, teacher_id)
    try:
        if started is not None and place.is_main:
            started(tracker.run_id, folder)
        torch.manual_seed(settings.seed)
        job = recipe.build(settings, inputs, teacher, place=place, console=console, folder=folder)
        console.line(recipe.describe(settings, inputs, place))
        seconds["setup"], clock = time.monotonic() - clock, time.monotonic()
        baselines = closing.baselines(settings, inputs, job, place=place, console=console)
        tracker.log_metrics(baselines, step=0)
        seconds["baselines"], clock = time.monotonic() - clock, time.monotonic()
        again = distributed.share_from_main((folder / "last.pt").is_file())
        history = fit(
            job, settings.schedule, tracker=tracker, place=place, console=console, resume=again, observe=observe
        )
        seconds["training"], clock = time.monotonic() - clock, time.monotonic()
        metrics = history.summary() | baselines
        if place.is_main:
            metrics |= closing.close(settings, inputs, job, history, tracker=tracker, console=console, place=place)
        seconds["closing"] = time.monotonic() - clock
        tracker.log_metrics({f"time/{n}_s": v for n, v in seconds.items()}, step=0)
        result = Result(
            folder=folder,
            run_id=tracker.run_id,
            settings=settings,
            metrics=metrics,
            history=history,
            seconds=seconds,
            data_fingerprint=inputs.data.fingerprint,
            device=device_name(place),
        )
        if place.is_main:
            write_result(result)
        distributed.wait_for_all()
    except BaseException as error:
        status: Status = "KILLED" if isinstance(error, Stopped | KeyboardInterrupt | Pruned) else "FAILED"
        end_record(place, folder, tracker, status, reason=str(error) or type(error).__name__)
        if status == "KILLED" and not isinstance(error, Pruned):
            how = f"rlq train --resume {folder}" if member.kind == "run" else "the same command"
            console.line(f"kept     {tracker.run_id} in {folder}; {how} goes on with it")
        raise
    end_record(place, folder, tracker, "FINISHED")
    result = replace(result, run_id=tracker.run_id)  # a server that was away may have given it only now
    if place.is_main:
        if member.kind == "run":
            text = closing.summary(
                metrics, settings, inputs, folder=folder, run_id=tracker.run_id, seconds=seconds, links=tracker.links()
            )
        else:
            text = f"{member.kind:<8} done in {seconds['training']:.0f} s of training"
        console.line(text)
    return result


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
    assert experiment is not None  # as the teacher is needed, and an experiment file
    inputs = gather_inputs(experiment.settings, experiment.origin, group.console)
    name = teacher_fingerprint(experiment.settings, inputs.data.fingerprint)
    folder = runs / "teachers" / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f".{name}.lock")
    if group.place.is_main:
        lock.acquire()  # whoever comes second waits for the teacher that is being trained
    try:
        trained = (folder / "last" / "config.json").is_file()
        killed = (folder / ABOUT).is_file() and read_about(folder).status == "RUNNING"  # as nobody else holds the lock
        done = distributed.share_from_main(trained and not killed)
        if done:
            group.console.line(f"teacher  {folder} (trained before)")
        else:
            group.console.line(f"teacher  none for these settings yet: training {settings.tad.teacher} in {folder}")
            about = read_about(folder) if (folder / ABOUT).is_file() else None
            _run_in(group, experiment, folder, member=Membership(kind="teacher"), about=about)
    finally:
        if group.place.is_main:
            lock.release()
    return load_network(folder / "last", group.place.device)[0], name
