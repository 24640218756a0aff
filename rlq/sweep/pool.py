"""Several workers on this machine: processes that join the same study, each with a log file of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.sweep.plan import Plan
from rlq.sweep.study import SURPLUS, tally
from rlq.sweep.summary import one_line
from rlq.training.signals import Stopped

if TYPE_CHECKING:
    from optuna import Study

POLL = 1.0  # seconds between two looks at the study
STOPPING = 120  # seconds that workers have to save their state after Ctrl-C


def run_workers(plan: Plan, study: "Study", number: int, words: Sequence[str], *, console: Console) -> None:
    """Start `number` processes of `rlq sweep` with these words, and wait for them; a line per trial that ends.

    Raises Stopped after Ctrl-C or SIGTERM, which all workers get too, and RlqError when one of them failed.
    """
    known = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
    logs = [plan.folder / f"worker-{n + 1}.log" for n in range(number)]
    console.line(f"workers  {number}, their lines are in {plan.folder}/worker-*.log")
    with _signals() as received:
        processes = [_start(words, log, _environment(plan, number)) for log in logs]
        try:
            while any(process.poll() is None for process in processes) and not received:
                time.sleep(POLL)
                known |= _tell(plan, study, known, console)
        finally:
            _end(processes, received, console)
    _tell(plan, study, known, console)
    if received:
        raise Stopped(received[0])
    _check(processes, logs, tally(study).over, console)


def _start(words: Sequence[str], log: Path, environment: dict[str, str]) -> subprocess.Popen:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "rlq", "sweep", *words],
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches them by us alone, once
        )


def _environment(plan: Plan, number: int) -> dict[str, str]:
    """The cores are shared: more threads than cores slow every worker down."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    own = {} if plan.base.settings.compute.threads else {"OMP_NUM_THREADS": str(max(1, cores // number))}
    return own | os.environ | {"RLQ_STORAGE": plan.storage}  # not among the words, as it may hold a password


def _tell(plan: Plan, study: "Study", known: set[int], console: Console) -> set[int]:
    """A line for each trial that has ended since."""
    ended = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and t.number not in known]
    for trial in ended:
        if SURPLUS not in trial.user_attrs:
            console.line(one_line(plan, trial))
    return {trial.number for trial in ended}


def _end(processes: list[subprocess.Popen], received: list[int], console: Console) -> None:
    """Ask those that still run to stop, then insist."""
    running = [process for process in processes if process.poll() is None]
    if not running:
        return
    console.line(f"stopping {len(running)} workers; they save their state first")
    asked = len(received)
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOPPING
    while any(process.poll() is None for process in running):
        if time.monotonic() > deadline or len(received) > asked:  # too long, or a second Ctrl-C
            for process in running:
                process.kill()
        time.sleep(0.1)


def _check(processes: list[subprocess.Popen], logs: list[Path], over: bool, console: Console) -> None:
    """Say which workers failed; an error only where they have left something undone."""
    told = []
    for process, log in zip(processes, logs, strict=True):
        if process.returncode:
            how = f"status {process.returncode}"
            if process.returncode < 0:
                how = f"killed by {signal.Signals(-process.returncode).name}"
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            told.append(f"{log.name} ({how}): {last[:300]}")
    if not told:
        return
    text = f"{len(told)} of {len(processes)} workers failed: {'; '.join(told)}"
    if not over:
        raise RlqError(text)
    console.line(f"warning  {text}")


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them."""
    received: list[int] = []

    def note(number: int, _frame: Any) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
