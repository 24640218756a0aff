"""The training loop: epochs, passes, evaluation, the best epoch and checkpoints. It depends on no method."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from rlq.core.console import Console
from rlq.core.distributed import Place, mean_over_processes, share_from_main, wait_for_all
from rlq.core.errors import Pruned, SettingsError
from rlq.core.files import remove_partial
from rlq.core.scores import RANKING, Score, ScoreTable
from rlq.core.settings import ScheduleSettings
from rlq.data.worker_pool import clear_worker_errors
from rlq.tracking import Tracker
from rlq.training import checkpoint
from rlq.training.meters import GPU_CHECK_INTERVAL, LossMeter, WaitClock
from rlq.training.signals import StopRequests

Metrics = dict[str, float]
Observe = Callable[[int, Mapping[str, float | None]], None]  # receives an epoch and its evaluation
STATE = "last.pt"  # in a run's folder: everything that a resume needs
# Waiting for data is reported from this share of a pass and these seconds of an epoch on.
WAIT_SHARE, WAIT_SECONDS = 0.05, 1.0
WAIT_HINT = (
    "note     training waits for its pictures: more data.workers (up to the cores), or data.cache=true, which keeps "
    "them decoded, may help; speed/*_data_wait has the shares"
)


class Pass(NamedTuple):
    """One sweep over one loader within an epoch."""

    name: str  # as in the metrics: loss/<name>/<term>
    step: Callable[[Any], dict[str, Tensor]]  # forward, backward, update; each term's mean over its rows
    loader: DataLoader
    begin: Callable[[int], None]  # called with the epoch before the first batch


@dataclass
class Job:
    """Everything that the loop needs for training; a method's `build` returns it."""

    passes: list[Pass]
    modules: Mapping[str, nn.Module]  # everything with weights; evaluation uses "network"
    optimisers: Mapping[str, torch.optim.Optimizer]
    set_rates: Callable[[int], Metrics]  # sets the learning rates of an epoch and returns them by name
    evaluate: Callable[[], dict[str, float | None]]  # metrics such as CC/rank1, fractions; the same on every process
    folder: Path  # of the run: last.pt, best/
    describe: Callable[[Path], None] = lambda folder: None  # writes the files that weights need beside them
    scores: ScoreTable = RANKING  # describes the metrics of `evaluate`
    check_every: int | None = None  # steps between two checks of the terms; None: 1 on a CPU, more on a GPU


@dataclass
class History:
    """All evaluations so far, and the best."""

    evaluations: dict[int, dict[str, float | None]] = field(default_factory=dict)
    best_epoch: int | None = None

    def add(self, epoch: int, metrics: dict[str, float | None], select: str, scores: ScoreTable = RANKING) -> bool:
        """Add an evaluation and return whether it is the best: by `select`, then by the tie break, then the earlier."""
        self.evaluations[epoch] = metrics
        tie_break = f"{select.rpartition('/')[0]}/{scores.tie_break}"

        def merit(at: int) -> list[float]:
            return [_merit(self.evaluations[at].get(name), scores.of(name)) for name in (select, tie_break)]

        if self.best_epoch is None or merit(epoch) > merit(self.best_epoch):
            self.best_epoch = epoch
            return True
        return False

    def summary(self, scores: ScoreTable = RANKING) -> Metrics:
        """Return the metrics best/ (of the best epoch), last/ (of the last one) and paper/ (each metric's maximum)."""
        if self.best_epoch is None:
            return {}
        metrics: Metrics = {"best/epoch": float(self.best_epoch)}
        last = max(self.evaluations)
        for prefix, epoch in (("best", self.best_epoch), ("last", last)):
            metrics |= {f"{prefix}/{n}": v for n, v in self.evaluations[epoch].items() if v is not None}
        for name in self.evaluations[last]:
            values = [value for e in self.evaluations.values() if (value := e.get(name)) is not None]
            if values:
                score = scores.of(name)
                metrics[f"paper/{name}"] = max(values, key=lambda value: _merit(value, score))
        return metrics


def _merit(value: float | None, score: Score | None) -> float:
    """Return a number that is larger for the better of two values of a score; a missing value is the worst."""
    if value is None:
        return -math.inf
    return value if score is None or score.higher else -value


class Epoch(NamedTuple):
    """What one epoch gave."""

    number: int  # from 0
    metrics: Metrics
    scores: dict[str, float | None] | None  # of the evaluation; None: this epoch was not evaluated
    is_best: bool
    waiting: float  # share of the time that the slowest pass waited for data; 0 where it does not matter
    seconds: float


def fit(
    job: Job,
    schedule: ScheduleSettings,
    *,
    tracker: Tracker,
    place: Place,
    console: Console,
    resume: bool = False,
    observe: Observe | None = None,
) -> History:
    """Train to the end of the schedule, from `<folder>/last.pt` when resuming, and return every evaluation.

    `observe` receives each evaluation in the main process once it is saved, and may raise Pruned to end the run.
    Raises TrainingError at a non-finite loss, Stopped on SIGINT or SIGTERM; `last.pt` then holds the start of the
    epoch, and the same call with resume=True continues with the same results as an uninterrupted run.
    """
    history = History()
    first = _start(job, history, place, resume=resume)
    hint_shown = False
    with StopRequests() as stop, clear_worker_errors():
        for number in range(first, schedule.epochs):
            epoch = _train_epoch(number, job, schedule, history, place, console, stop)
            console.line(_epoch_line(epoch, schedule))
            if epoch.waiting and not hint_shown:
                console.line(WAIT_HINT)
                hint_shown = True
            if place.is_main:
                _record(epoch, job, history, tracker)
            wait_for_all()
            if epoch.scores is not None:
                _call_observer(observe, number, epoch.scores, place)
            stop.check()
    if place.is_main:
        _save_weights(job, "last")
        tracker.log_metrics(history.summary(job.scores), step=0)  # MLflow draws a bar for a single step 0
    return history


def _start(job: Job, history: History, place: Place, *, resume: bool) -> int:
    """Return the epoch to begin with; when resuming, restore the job and its history as they were before it."""
    state_file = job.folder / STATE
    if place.is_main:
        for folder in (job.folder, job.folder / "best", job.folder / "last"):
            remove_partial(folder)  # the run's own lock keeps other processes away
    first = _restore(job, history, state_file) if resume and state_file.exists() else 0
    if first == 0 and place.is_main:
        _save(job, history, state_file, 0)
    return first


def _train_epoch(
    number: int,
    job: Job,
    schedule: ScheduleSettings,
    history: History,
    place: Place,
    console: Console,
    stop: StopRequests,
) -> Epoch:
    """Run all passes of an epoch, then the evaluation if it is due."""
    started = time.monotonic()
    metrics = job.set_rates(number)
    for part in job.passes:
        meter = LossMeter(part.name, number, every=job.check_every or _usual_check(place))
        metrics |= _run_pass(part, meter, place, console, stop, schedule.max_steps)
    waiting = _waiting_share(metrics, time.monotonic() - started)
    scores, is_best = None, False
    if (number + 1) % schedule.evaluate_every == 0 or number + 1 == schedule.epochs:
        scores = job.evaluate()
        is_best = history.add(number, scores, schedule.select, job.scores)
        metrics |= {name: value for name, value in scores.items() if value is not None}
    return Epoch(number, metrics, scores, is_best, waiting, time.monotonic() - started)


def _record(epoch: Epoch, job: Job, history: History, tracker: Tracker) -> None:
    """Log an epoch's metrics and save its state, and its weights if they are the best ones so far."""
    tracker.log_metrics(epoch.metrics, step=epoch.number)
    if epoch.is_best:
        _save_weights(job, "best")
    _save(job, history, job.folder / STATE, epoch.number + 1)


def _save_weights(job: Job, name: str) -> None:
    checkpoint.save_weights(job.folder / name / "model.safetensors", job.modules["network"])
    job.describe(job.folder / name)


def check_selection(select: str, measured: Sequence[str]) -> None:
    """Raise SettingsError unless `select` is one of the metrics that evaluation gives."""
    if select not in measured:
        raise SettingsError(
            f"schedule.select = {select} is not measured on this data; measured are {', '.join(measured)}"
        )


def _call_observer(observe: Observe | None, epoch: int, scores: dict[str, float | None], place: Place) -> None:
    """Call the observer in the main process, if there is one. If it prunes the run, all processes raise Pruned."""
    reason = None
    if observe is not None and place.is_main:
        try:
            observe(epoch, scores)
        except Pruned as error:
            reason = str(error)
    reason = share_from_main(reason)
    if reason is not None:
        raise Pruned(reason)


def _usual_check(place: Place) -> int:
    """Return the steps between two checks of the losses; on a CPU a check costs nothing and finds errors at once."""
    return 1 if place.device.type == "cpu" else GPU_CHECK_INTERVAL


def _run_pass(
    part: Pass, meter: LossMeter, place: Place, console: Console, stop: StopRequests, max_steps: int | None
) -> Metrics:
    """Train on every batch of one pass, or on the first `max_steps`.

    Return the mean of each loss term over its rows, the images per second and the share of time spent waiting for data.
    """
    part.begin(meter.epoch)
    pictures, started = 0, time.monotonic()
    batches = console.progress(part.loader, f"epoch {meter.epoch + 1} {part.name}")
    waits = WaitClock(place.device)
    for batch in islice(batches, max_steps):
        waits.busy()
        stop.check()
        meter.add(part.step(batch), batch.paths)
        pictures += len(batch.paths)
        waits.idle()
    local_means = meter.means()  # waits for the device, so the clock is read afterwards
    seconds = time.monotonic() - started
    means = mean_over_processes(torch.tensor(list(local_means.values()), device=place.device)).tolist()
    metrics = {_metric(part.name, term): mean for term, mean in zip(local_means, means, strict=True)}
    metrics[f"speed/{part.name}_images_per_s"] = pictures * place.world / seconds
    metrics[f"speed/{part.name}_data_wait"] = waits.seconds() / seconds
    return metrics


def _metric(part: str, name: str) -> str:
    """Return the name of a term's metric; a name with a slash is a metric's name already, not a loss."""
    return name if "/" in name else f"loss/{part}/{name}"


def _save(job: Job, history: History, path: Path, epoch: int) -> None:
    """Save everything that an exact resume from the start of `epoch` needs."""
    state = {
        "epoch": epoch,
        "modules": {name: module.state_dict() for name, module in job.modules.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in job.optimisers.items()},
        "evaluations": history.evaluations,
        "best_epoch": history.best_epoch,
        "random": checkpoint.random_state(),
    }
    checkpoint.save_state(path, state)


def _restore(job: Job, history: History, path: Path) -> int:
    """Restore what `_save` saved and return its epoch."""
    state = checkpoint.load_state(path)
    for name, module in job.modules.items():
        module.load_state_dict(state["modules"][name])
    for name, optimiser in job.optimisers.items():
        optimiser.load_state_dict(state["optimisers"][name])
    history.evaluations, history.best_epoch = state["evaluations"], state["best_epoch"]
    checkpoint.restore_random_state(state["random"])
    return state["epoch"]


def _waiting_share(metrics: Metrics, seconds: float) -> float:
    """Return the largest share of a pass that was spent waiting for data; 0 if it is too small to matter."""
    share = max((value for name, value in metrics.items() if name.endswith("_data_wait")), default=0.0)
    return share if share > WAIT_SHARE and share * seconds > WAIT_SECONDS else 0.0


def _epoch_line(epoch: Epoch, schedule: ScheduleSettings) -> str:
    epochs, select = schedule.epochs, schedule.select
    parts = [f"epoch {epoch.number + 1:>{len(str(epochs))}}/{epochs}", f"{epoch.seconds:6.1f} s"]
    parts += [f"{n.split('/')[1]} loss {v:.3f}" for n, v in epoch.metrics.items() if n.endswith("/total")]
    if epoch.waiting:
        parts.append(f"waiting for data {100 * epoch.waiting:.0f} %")
    if select in epoch.metrics:
        parts.append(f"{select} {100 * epoch.metrics[select]:.1f} %" + (" (best)" if epoch.is_best else ""))
    return "  ".join(parts)
