"""Run an experiment: data, prerequisites, training, figures, numbers, all under one tracked run."""

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from filelock import FileLock

from rlq.core import distributed
from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.errors import Pruned, RlqError
from rlq.core.settings import ExperimentSettings, TrackingSettings
from rlq.methods.base import CONFIG, Inputs, Loaded, Prerequisite, Ready
from rlq.methods.catalogue import method_of
from rlq.runs.closing import Stopwatch, closing_text
from rlq.runs.folder import ABOUT, SETTINGS, About, find_run, read_about
from rlq.runs.load import load, prerequisite_fingerprint
from rlq.runs.prerequisites import experiment_of, given_weights
from rlq.runs.record import Membership, device_name, end_record, new_folder, open_record, take_over
from rlq.runs.result import RESULT, Result, read_result, write_result
from rlq.synthetic.provide import ensure_set
from rlq.tracking import Status, Tracker
from rlq.training.backend import configure_torch
from rlq.training.loop import Observe, fit
from rlq.training.signals import Stopped

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

    `started` gets the run's id and folder as soon as it is tracked, `observe` every evaluation once it is saved; both
    in the main process alone. What `observe` raises as Pruned ends the run in all processes.
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

    def __init__(self, settings: ExperimentSettings, console: Console | None) -> None:
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
    """Run one experiment in its folder: inputs, prerequisites, then training and everything under its record."""
    place, console, clock = group.place, group.console, Stopwatch()
    configure_torch(loaded.settings.compute, place)
    inputs = gather(loaded, place, console)
    loaded = loaded._replace(settings=inputs.settings)
    for note in inputs.notes:
        console.line(f"note     {note}")
    clock.lap("data")
    ready = {
        one.setting: _ready(group, loaded, one) for one in method_of(loaded.settings).prerequisites(loaded.settings)
    }
    clock.lap("teacher")
    tracker = open_record(place, loaded, folder, member, about, inputs, ready)
    try:
        if started is not None and place.is_main:
            started(tracker.run_id, folder)
        result = _train(group, inputs, ready, folder, tracker, clock, observe)
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
        table = method_of(result.settings).summary(result.metrics, inputs)
        ended = f"{member.kind:<8} done in {result.seconds['training']:.0f} s of training"
        console.line(closing_text(result, table, tracker.links()) if member.kind == "run" else ended)
    return result


def gather(loaded: Loaded, place: Place, console: Console) -> Inputs:
    """Make the built-in data sets that are missing, and read everything that an experiment needs."""
    method = method_of(loaded.settings)
    for used in method.sets(loaded.settings):
        ensure_set(used.name, used.root, place, console)
    return method.gather(loaded, console)


def _train(
    group: _Group,
    inputs: Inputs,
    ready: Mapping[str, Ready],
    folder: Path,
    tracker: Tracker,
    clock: Stopwatch,
    observe: Observe | None,
) -> Result:
    """Build, measure the baselines, train and measure the result, all of it tracked."""
    settings, place, console = inputs.settings, group.place, group.console
    method = method_of(settings)
    torch.manual_seed(settings.seed)
    job = method.build(inputs, ready, place=place, console=console, folder=folder)
    console.line(method.describe(inputs, place))
    clock.lap("setup")
    baselines = method.baselines(inputs, job, place=place, console=console)
    tracker.log_metrics(baselines, step=0)
    clock.lap("baselines")
    again = distributed.share_from_main((folder / "last.pt").is_file())
    history = fit(job, settings.schedule, tracker=tracker, place=place, console=console, resume=again, observe=observe)
    clock.lap("training")
    metrics = history.summary(job.scores) | baselines
    if place.is_main:
        metrics |= method.finish(inputs, job, history, tracker=tracker, place=place, console=console)
    clock.lap("closing")
    tracker.log_metrics({f"time/{name}_s": value for name, value in clock.seconds.items()}, step=0)
    return Result(
        folder=folder,
        run_id=tracker.run_id,
        settings=settings,
        metrics=metrics,
        history=history,
        seconds=clock.seconds,
        data_fingerprint=inputs.sources[0].digest,
        device=device_name(place),
    )


def _ready(group: _Group, loaded: Loaded, needed: Prerequisite) -> Ready:
    """Return a prerequisite: weights that were given, a finished run from the cache, or one that is trained now."""
    runs = Path(loaded.settings.tracking.folder)
    if not needed.is_experiment:
        folder = given_weights(needed, runs)
        return Ready(folder, str(folder))
    experiment = experiment_of(loaded, needed)
    inputs = gather(experiment, group.place, group.console)
    name = prerequisite_fingerprint(experiment, [source.digest for source in inputs.sources])
    folder = runs / "teachers" / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.parent / f".{name}.lock")
    if group.place.is_main:
        lock.acquire()  # a second process waits for the run that is being trained
    try:
        trained = (folder / needed.weights / CONFIG).is_file()
        killed = (folder / ABOUT).is_file() and read_about(folder).status == "RUNNING"  # as nobody else holds the lock
        done = distributed.share_from_main(trained and not killed)
        if done:
            group.console.line(f"{needed.name:<8} {folder} (trained before)")
        else:
            group.console.line(f"{needed.name:<8} none for these settings yet: training {needed.source} in {folder}")
            about = read_about(folder) if (folder / ABOUT).is_file() else None
            _run_in(group, experiment, folder, member=Membership(kind="teacher"), about=about)
    finally:
        if group.place.is_main:
            lock.release()
    return Ready(folder / needed.weights, name)
