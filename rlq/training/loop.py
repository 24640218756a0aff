"""The loop owns time: epochs, passes, evaluation, the best epoch, checkpoints. It knows no method."""

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
WAIT_SHARE, WAIT_SECONDS = 0.05, 1.0  # waiting for data that is told: more than both, of a pass and in an epoch
WAIT_HINT = (
    "note     training waits for its pictures: more data.workers (up to the cores), or data.cache=true, which keeps "
    "them decoded, may help; speed/*_data_wait has the shares"
)


class Pass(NamedTuple):
    """One sweep over one loader within an epoch."""

    name: str  # as in the metrics: loss/<name>/<term>
    step: Callable[[Any], dict[str, Tensor]]  # forward, backward, update; each term's mean over its rows
    loader: DataLoader
    begin: Callable[[int], None]  # told the epoch before the first batch


@dataclass
class Job:
    """What is trained: a method fills this in, the loop drives it."""

    passes: list[Pass]
    modules: Mapping[str, nn.Module]  # all that learns; "network" is what evaluation uses
    optimisers: Mapping[str, torch.optim.Optimizer]
    set_rates: Callable[[int], Metrics]  # sets the learning rates of an epoch and names them
    evaluate: Callable[[], dict[str, float | None]]  # metrics such as CC/rank1, fractions; the same on every process
    folder: Path  # of the run: last.pt, best/
    describe: Callable[[Path], None] = lambda folder: None  # writes what weights need beside them
    scores: ScoreTable = RANKING  # what the metrics of `evaluate` are
    check_every: int | None = None  # steps between two checks of the terms; None: 1 on a CPU, more on a GPU


@dataclass
class History:
    """All evaluations so far, and the best."""

    evaluations: dict[int, dict[str, float | None]] = field(default_factory=dict)
    best_epoch: int | None = None

    def add(self, epoch: int, metrics: dict[str, float | None], select: str, scores: ScoreTable = RANKING) -> bool:
        """Note an evaluation; true if it is the best: by `select`, ties by the table's tie break, then earlier."""
        self.evaluations[epoch] = metrics
        tie_break = f"{select.rpartition('/')[0]}/{scores.tie_break}"

        def merit(at: int) -> list[float]:
            return [_merit(self.evaluations[at].get(name), scores.of(name)) for name in (select, tie_break)]

        if self.best_epoch is None or merit(epoch) > merit(self.best_epoch):
            self.best_epoch = epoch
            return True
        return False

    def summary(self, scores: ScoreTable = RANKING) -> Metrics:
        """best/ by `select`, last/ of the last epoch, paper/ each metric's own maximum (as the paper reports)."""
        if self.best_epoch is None:
            return {}
        found: Metrics = {"best/epoch": float(self.best_epoch)}
        last = max(self.evaluations)
        for prefix, epoch in (("best", self.best_epoch), ("last", last)):
            found |= {f"{prefix}/{n}": v for n, v in self.evaluations[epoch].items() if v is not None}
        for name in self.evaluations[last]:
            values = [value for e in self.evaluations.values() if (value := e.get(name)) is not None]
            if values:
                score = scores.of(name)
                found[f"paper/{name}"] = max(values, key=lambda value: _merit(value, score))
        return found


def _merit(value: float | None, score: Score | None) -> float:
    """Return a number that is larger for the better of two values of a score; a missing value is the worst."""
    if value is None:
        return -math.inf
    return value if score is None or score.higher else -value


def fit(
    job: Job,
    schedule: ScheduleSettings,
    *,
    tracker: Tracker,
    place: Place,
    console: Console,
    resume: bool = False,
    observe: Callable[[int, Mapping[str, float | None]], None] | None = None,
) -> History:
    """Train to the end of the schedule, from `<folder>/last.pt` when resuming, and return every evaluation.

    `observe` is told each evaluation in the main process once it is saved, and may raise Pruned to end the run.
    Raises TrainingError at a non-finite loss, Stopped on SIGINT or SIGTERM; `last.pt` then holds the start of the
    epoch, and the same call with resume=True goes on as if nothing had happened.
    """
    state_file = job.folder / "last.pt"
    history = History()
    if place.is_main:
        for kept in (job.folder, job.folder / "best", job.folder / "last"):
            remove_partial(kept)  # the run's own lock keeps others away
    epoch = _restore(job, history, state_file) if resume and state_file.exists() else 0
    if epoch == 0 and place.is_main:
        _save(job, history, state_file, 0)
    hinted = False
    with StopRequests() as stop, clear_worker_errors():
        while epoch < schedule.epochs:
            started = time.monotonic()
            metrics = job.set_rates(epoch)
            for part in job.passes:
                meter = LossMeter(part.name, epoch, every=job.check_every or _usual_check(place))
                metrics |= _run_pass(part, meter, place, console, stop, schedule.max_steps)
            slow = _waited(metrics, time.monotonic() - started)
            due = (epoch + 1) % schedule.evaluate_every == 0 or epoch + 1 == schedule.epochs
            best = False
            evaluated: dict[str, float | None] = {}
            if due:
                evaluated = job.evaluate()
                best = history.add(epoch, evaluated, schedule.select, job.scores)
                metrics |= {name: value for name, value in evaluated.items() if value is not None}
            seconds = time.monotonic() - started
            console.line(_epoch_line(epoch, schedule.epochs, metrics, schedule.select, seconds, slow, best))
            if slow and not hinted:
                console.line(WAIT_HINT)
                hinted = True
            if place.is_main:
                tracker.log_metrics(metrics, step=epoch)
                if best:
                    checkpoint.save_weights(job.folder / "best" / "model.safetensors", job.modules["network"])
                    job.describe(job.folder / "best")
                _save(job, history, state_file, epoch + 1)
            wait_for_all()
            if due:
                _ask(observe, epoch, evaluated, place)
            epoch += 1
            stop.check()
    if place.is_main:
        checkpoint.save_weights(job.folder / "last" / "model.safetensors", job.modules["network"])
        job.describe(job.folder / "last")
        tracker.log_metrics(history.summary(job.scores), step=0)  # MLflow draws a bar for a single step 0
    return history


def check_selection(select: str, known: Sequence[str]) -> None:
    """Raise SettingsError unless `select` is one of the metrics that evaluation gives."""
    if select not in known:
        raise SettingsError(f"schedule.select = {select} is not measured on this data; measured are {', '.join(known)}")


def _ask(
    observe: Callable[[int, Mapping[str, float | None]], None] | None,
    epoch: int,
    evaluated: dict[str, float | None],
    place: Place,
) -> None:
    """Tell the main process's observer, if any; its verdict is that of all processes, or they would wait for ever."""
    verdict = None
    if observe is not None and place.is_main:
        try:
            observe(epoch, evaluated)
        except Pruned as error:
            verdict = str(error)
    verdict = share_from_main(verdict)
    if verdict is not None:
        raise Pruned(verdict)


def _usual_check(place: Place) -> int:
    """On a CPU a look costs nothing, and an error comes at once."""
    return 1 if place.device.type == "cpu" else GPU_CHECK_INTERVAL


def _run_pass(
    part: Pass, meter: LossMeter, place: Place, console: Console, stop: StopRequests, most: int | None
) -> Metrics:
    """Every batch of one pass, or the first `most`; the mean of each term over its rows, images per second and the
    share of waiting."""
    part.begin(meter.epoch)
    pictures, started = 0, time.monotonic()
    batches = console.progress(part.loader, f"epoch {meter.epoch + 1} {part.name}")
    waits = WaitClock(place.device)
    for batch in islice(batches, most):
        waits.busy()
        stop.check()
        meter.add(part.step(batch), batch.paths)
        pictures += len(batch.paths)
        waits.idle()
    own = meter.means()  # waits for the device, so the clock is read after it
    seconds = time.monotonic() - started
    means = mean_over_processes(torch.tensor(list(own.values()), device=place.device)).tolist()
    found = {_metric(part.name, name): mean for name, mean in zip(own, means, strict=True)}
    found[f"speed/{part.name}_images_per_s"] = pictures * place.world / seconds
    found[f"speed/{part.name}_data_wait"] = waits.seconds() / seconds
    return found


def _metric(part: str, name: str) -> str:
    """A term's name among the metrics; one with a slash is no loss and already has its own."""
    return name if "/" in name else f"loss/{part}/{name}"


def _save(job: Job, history: History, path: Path, epoch: int) -> None:
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
    state = checkpoint.load_state(path)
    for name, module in job.modules.items():
        module.load_state_dict(state["modules"][name])
    for name, optimiser in job.optimisers.items():
        optimiser.load_state_dict(state["optimisers"][name])
    history.evaluations, history.best_epoch = state["evaluations"], state["best_epoch"]
    checkpoint.restore_random_state(state["random"])
    return state["epoch"]


def _waited(metrics: Metrics, seconds: float) -> float:
    """The share of a pass that went by without data, the longest of an epoch's; 0 where it does not matter."""
    share = max((value for name, value in metrics.items() if name.endswith("_data_wait")), default=0.0)
    return share if share > WAIT_SHARE and share * seconds > WAIT_SECONDS else 0.0


def _epoch_line(epoch: int, epochs: int, metrics: Metrics, select: str, seconds: float, slow: float, best: bool) -> str:
    parts = [f"epoch {epoch + 1:>{len(str(epochs))}}/{epochs}", f"{seconds:6.1f} s"]
    parts += [f"{n.split('/')[1]} loss {v:.3f}" for n, v in metrics.items() if n.endswith("/total")]
    if slow:
        parts.append(f"waiting for data {100 * slow:.0f} %")
    if select in metrics:
        parts.append(f"{select} {100 * metrics[select]:.1f} %" + (" (best)" if best else ""))
    return "  ".join(parts)
