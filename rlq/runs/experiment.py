"""Run an experiment: data, prerequisites, training, figures, numbers, all under one tracked run."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock

from rlq.core import distributed
from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.errors import RlqError
from rlq.core.settings import ExperimentSettings, TrackingSettings
from rlq.methods.base import CONFIG, Inputs, Loaded, Prerequisite, Ready
from rlq.methods.catalogue import method_of
from rlq.runs.closing import Stopwatch, summary_text
from rlq.runs.folder import ABOUT, SETTINGS, About, find_run, read_about
from rlq.runs.load import load, prerequisite_fingerprint
from rlq.runs.prerequisites import experiment_of, given_weights
from rlq.runs.record import Membership, device_name, end_record, new_folder, open_record, take_over
from rlq.runs.result import RESULT, Result, read_result, write_result
from rlq.synthetic.provide import ensure_set
from rlq.tracking import Tracker
from rlq.training.backend import configure_torch
from rlq.training.loop import Observe, fit
from rlq.training.signals import Stopped, handling, stop_now

Started = Callable[[str, Path], None]


def run(
    loaded: Loaded,
    *,
    console: Console | None = None,
    member: Membership | None = None,
    observe: Observe | None = None,
    started: Started | None = None,
) -> Result:
    """Run an experiment. Raises RlqError; the run is then marked as killed or failed in the tracker.

    `started` is called with the run's id and folder when it is tracked, `observe` with every evaluation after it is
    saved; both in the main process alone. If `observe` raises Pruned, the run ends in all processes.
    """
    member = member or Membership()
    with _joined_group(loaded.settings, console) as group:
        folder = member.folder or new_folder(loaded.settings, member.name)
        begun = distributed.share_from_main((folder / ABOUT).is_file())
        about = read_about(folder) if begun else None
        # A run that is still RUNNING beside its result was killed after writing it.
        ended = (folder / RESULT).is_file() and about is not None and about.status != "RUNNING"
        if distributed.share_from_main(ended):
            return read_result(folder)
        if member.continues is not None and not begun and group.place.is_main:
            take_over(member.continues, loaded, folder)
        return _run_in(group, loaded, folder, member=member, about=about, observe=observe, started=started)


def resume(word: str, *, runs: Path | None = None, console: Console | None = None) -> Result:
    """Continue a run, named by id, prefix, name or folder, as if it had never stopped. Raises RlqError."""
    folder = find_run(word, runs or Path(TrackingSettings().folder))
    about = read_about(folder)
    if not (folder / SETTINGS).is_file():
        raise RlqError(
            f"{about.name} is the parent of other runs ({about.kind}); repeat the command that started it to continue"
        )
    if about.status == "FINISHED":
        raise RlqError(f"{about.name} ({about.run_id[:8]}) is finished; to start a new run: rlq train {about.origin}")
    loaded = load(folder / SETTINGS)
    with _joined_group(loaded.settings, console) as group:
        return _run_in(
            group, loaded._replace(origin=about.origin), folder, member=Membership(kind=about.kind), about=about
        )


class _Group(NamedTuple):
    """This process among those that compute the run."""

    place: Place
    console: Console  # of the main process; those of others are quiet


@contextmanager
def _joined_group(settings: ExperimentSettings, console: Console | None) -> Iterator[_Group]:
    """Join the processes of this run, and leave them at its end.

    Outside the training loop, which finishes its step first, SIGTERM raises Stopped at once.
    """
    joined_before = distributed.is_joined()  # a sweep's processes stay together from trial to trial
    place, threads, succeeded = distributed.start(settings.compute.device), torch.get_num_threads(), False
    try:
        with handling([signal.SIGTERM], stop_now):
            yield _Group(place, console or Console(quiet=not place.is_main))
        succeeded = True
    finally:
        torch.set_num_threads(threads)  # compute.threads counts for this run, not for the next one
        if not joined_before and (succeeded or place.world == 1):
            distributed.stop()  # after an error the peers may hang in an exchange; the launcher ends them


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
    """Run one experiment in its folder: inputs, prerequisites, then training and evaluation as a tracked run."""
    place, console, clock = group.place, group.console, Stopwatch()
    configure_torch(loaded.settings.compute, place)
    inputs = gather(loaded, place, console)
    loaded = loaded._replace(settings=inputs.settings)
    for note in inputs.notes:
        console.line(f"note     {note}")
    clock.lap("data")
    needed = method_of(loaded.settings).prerequisites(loaded.settings)
    ready = {prerequisite.setting: _ready(group, loaded, prerequisite) for prerequisite in needed}
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
        end_record(place, folder, tracker, error)
        if isinstance(error, Stopped | KeyboardInterrupt):
            how = f"rlq train --resume {folder}" if member.kind == "run" else "the same command"
            console.line(f"kept     {tracker.run_id} in {folder}; continue it with {how}")
        raise
    end_record(place, folder, tracker)
    result = replace(result, run_id=tracker.run_id)  # after an outage of the server, the run gets its id at the end
    if place.is_main:
        table = method_of(result.settings).summary(result.metrics, inputs)
        line = f"{member.kind:<8} done in {result.seconds['training']:.0f} s of training"
        console.line(summary_text(result, table, tracker.links()) if member.kind == "run" else line)
    return result


def gather(loaded: Loaded, place: Place, console: Console) -> Inputs:
    """Write missing built-in data sets, and read all inputs of an experiment. Raises DataError."""
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
    """Build, measure the baselines, train, and measure the result; log all of it."""
    settings, place, console = inputs.settings, group.place, group.console
    method = method_of(settings)
    torch.manual_seed(settings.seed)
    job = method.build(inputs, ready, place=place, console=console, folder=folder)
    console.line(method.describe(inputs, place))
    clock.lap("setup")
    baselines = method.baselines(inputs, job, place=place, console=console)
    tracker.log_metrics(baselines, step=0)
    clock.lap("baselines")
    resume = distributed.share_from_main((folder / "last.pt").is_file())
    history = fit(job, settings.schedule, tracker=tracker, place=place, console=console, resume=resume, observe=observe)
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
    """Return a prerequisite: given weights, an earlier run, or a run that is trained now."""
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
        lock.acquire()  # another process that needs the same run waits until it is trained
    try:
        trained = (folder / needed.weights / CONFIG).is_file()
        # No other process holds the lock, so a run that is still RUNNING was killed.
        killed = (folder / ABOUT).is_file() and read_about(folder).status == "RUNNING"
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
