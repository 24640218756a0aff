"""The time that training waits for tracking, per step, and for the storages of sweeps, per trial."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rlq.bench.measurement import Options, in_fresh_process, take_turns
from rlq.bench.results import Goal, Results, Table
from rlq.sweep.spec import Heartbeat
from rlq.sweep.storage import open_storage, quiet
from rlq.tracking import MlflowTracker, open_run
from rlq.tracking.store import open_client

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

T = TypeVar("T")
METRICS = 40  # logged per epoch of the whole method
STEPS = 894  # of such an epoch on PRCC: 17,896 pictures in batches of 40, in two passes
STEP = 0.05  # seconds of a step, assumed for a fast accelerator; on a slower machine the share is smaller
REPORTS = 10  # per trial
LIGHT = ("rlq.tracking", "rlq.runs.experiment", "rlq.cli")
NEVER = ("mlflow", "optuna")


class Cost(NamedTuple):
    """Seconds of one tracked run."""

    opened: float  # opening the first run of a store, which creates its tables
    again: float  # opening another run
    params: float
    epoch: float  # log_metrics of an epoch
    one_by_one: float  # the same numbers with one call each
    ended: float


def bench(options: Options) -> Results:
    """Time a run in a new SQLite store and trials in SQLite and in a journal; check what is imported."""
    epochs, trials = (3, 3) if options.quick else (50, 20)
    cost = in_fresh_process(measure_run, epochs)
    run_table, run_goals = _run(cost)
    trial_table, trial_goals = _trials(trials, options.rounds)
    import_table, import_goals = _imports()
    return Results([run_table, trial_table, import_table], [*run_goals, *trial_goals, *import_goals])


def measure_run(epochs: int) -> Cost:
    """Time a run of so many epochs from its opening to its end."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        first, opened = _timed(lambda: _open(runs, "first"))
        first.end()
        tracker, again = _timed(lambda: _open(runs, "second"))
        settings = {f"part{number // 10}.setting{number}": number for number in range(100)}
        _, params = _timed(lambda: tracker.log_params(settings))
        steps = count()
        values = {f"loss/cap/term{number}": 0.1 * number for number in range(METRICS)}
        per_epoch = [_timed(lambda: tracker.log_metrics(values, next(steps)))[1] for _ in range(epochs)]
        client, run = open_client(tracker.delivery.uri), tracker.run_id
        plain = [
            _timed(lambda: [client.log_metric(run, f"plain/{name}", value, step=0) for name, value in values.items()])
            for _ in range(3)
        ]
        _, ended = _timed(tracker.end)
    return Cost(opened, again, params, median(per_epoch), median(seconds for _, seconds in plain), ended)


def _run(cost: Cost) -> tuple[Table, list[Goal]]:
    rows = [
        ("first run of a new store: opening it", 1000 * cost.opened),
        ("any other run: opening it", 1000 * cost.again),
        ("100 settings", 1000 * cost.params),
        (f"an epoch's {METRICS} metrics, as logged", 1000 * cost.epoch),
        (f"plain: the same {METRICS} metrics, a call each", 1000 * cost.one_by_one),
        (f"an epoch's metrics, per step of {STEPS}", 1000 * cost.epoch / STEPS),
        ("its end", 1000 * cost.ended),
    ]
    table = Table(
        "A tracked run (MLflow, SQLite): what training waits for",
        ("", "ms"),
        rows,
        "Terms are added up during an epoch and logged at its end in one call. An epoch of the whole method on PRCC "
        f"has {STEPS} steps. The share of training assumes a step of {1000 * STEP:.0f} ms.",
    )
    return table, [
        Goal("caller blocked per logged step, ms", "<=", 2.0, 1000 * cost.epoch / STEPS),
        Goal("share of an epoch", "<=", 0.01, cost.epoch / (STEPS * STEP)),
        Goal("plain / as logged", ">=", 5.0, cost.one_by_one / cost.epoch),
    ]


def _trials(trials: int, rounds: int) -> tuple[Table, list[Goal]]:
    """Time trials that only take three parameters and report, with two samplers."""
    times_of: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, quiet():
        fresh = count()
        addresses = {
            "SQLite": lambda: f"sqlite:///{folder}/{next(fresh)}.db",
            "journal": lambda: f"journal:{folder}/{next(fresh)}.log",
        }
        for sampler in ("random", "TPE"):
            with _studies(addresses, sampler) as studies:
                variants: dict[str, Callable[[], object]] = {
                    name: partial(study.optimize, _objective, n_trials=trials) for name, study in studies.items()
                }
                times = take_turns(variants, rounds=min(rounds, 3))
                times_of[sampler] = {name: 1000 * one.median / trials for name, one in times.items()}
                ratio = times["SQLite"].ratio_to(times["journal"])
                times_of[sampler]["SQLite / journal"] = ratio
    table = Table(
        f"A trial with 3 parameters and {REPORTS} reports, ms",
        ("sampler", "SQLite", "journal", "SQLite / journal"),
        [(name, *row.values()) for name, row in times_of.items()],
        "The storages as rlq sweep opens them, one worker: the time of a trial without its training.",
    )
    return table, [
        Goal("a trial in the journal, random search, ms", "<=", 20.0, times_of["random"]["journal"]),
        Goal("a trial in the journal, TPE, ms", "<=", 20.0, times_of["TPE"]["journal"]),
        Goal("a trial: SQLite / journal, random search", ">=", 5.0, times_of["random"]["SQLite / journal"]),
    ]


@contextmanager
def _studies(addresses: dict[str, Callable[[], str]], sampler: str) -> Iterator[dict[str, "Study"]]:
    """Open a new study in each storage."""
    import optuna

    kinds = {"random": optuna.samplers.RandomSampler, "TPE": optuna.samplers.TPESampler}
    yield {
        name: optuna.create_study(
            storage=open_storage(address(), Heartbeat(), lambda study, trial: None),
            sampler=kinds[sampler](seed=0),
            direction="maximize",
        )
        for name, address in addresses.items()
    }


def _objective(trial: "Trial") -> float:
    x = trial.suggest_float("x", 1e-5, 1e-3, log=True)
    y = trial.suggest_int("y", 2, 40)
    z = trial.suggest_categorical("z", ["mean", "max"])
    value = 1000 * x + y / 40 + (z == "max")
    for step in range(REPORTS):
        trial.report(value * step, step)
    return value


def _imports() -> tuple[Table, list[Goal]]:
    """Check that light modules do not import mlflow or optuna."""
    imported = {module: in_fresh_process(heavy_imports, module) for module in LIGHT}
    rows = [(module, ", ".join(names) or "neither") for module, names in imported.items()]
    table = Table("What is imported before anything is tracked or searched", ("module", "of mlflow and optuna"), rows)
    return table, [Goal("mlflow or optuna imported unasked", "<=", 0, sum(map(len, imported.values())))]


def heavy_imports(module: str) -> list[str]:
    """Return which of mlflow and optuna are imported after importing a module in a new process."""
    import importlib
    import sys

    importlib.import_module(module)
    return [name for name in NEVER if name in sys.modules]


def _open(runs: Path, name: str) -> MlflowTracker:
    uri = f"sqlite:///{runs}/mlflow.db"
    return open_run(folder=runs / name, uri=uri, experiment="bench", run_name=name, tags={"kind": "bench"})


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return the result and the seconds of a call."""
    started = perf_counter()
    result = work()
    return result, perf_counter() - started
