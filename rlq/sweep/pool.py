"""Several workers on this machine: processes that join the same study, each with its own log file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.sweep.plan import Plan
from rlq.sweep.study import SURPLUS, tally
from rlq.sweep.summary import trial_line
from rlq.training.signals import STOP_SIGNALS, Stopped, handling

if TYPE_CHECKING:
    from optuna import Study

POLL = 1.0  # seconds between two looks at the study
STOPPING = 120  # seconds that workers have to save their state after Ctrl-C


def run_workers(plan: Plan, study: "Study", number: int, words: Sequence[str], *, console: Console) -> None:
    """Start `number` processes of `rlq sweep` with these arguments and wait for them; print a line per ended trial.

    Raises Stopped after Ctrl-C or SIGTERM, which is passed on to all workers, and RlqError when one of them failed.
    """
    shown = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
    logs = [plan.folder / f"worker-{n + 1}.log" for n in range(number)]
    console.line(f"workers  {number}, their lines are in {plan.folder}/worker-*.log")
    received: list[int] = []  # signals
    with handling(STOP_SIGNALS, lambda number, _: received.append(number)):
        processes = [_start(words, log, _environment(plan, number)) for log in logs]
        try:
            while any(process.poll() is None for process in processes) and not received:
                time.sleep(POLL)
                shown |= _show_ended(plan, study, shown, console)
        finally:
            _stop(processes, received, console)
    _show_ended(plan, study, shown, console)
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
            start_new_session=True,  # so that they get Ctrl-C only once, from this process
        )


def _environment(plan: Plan, number: int) -> dict[str, str]:
    """Return the environment of a worker, with its share of the cores: too many threads slow all workers down."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = {} if plan.base.settings.compute.threads else {"OMP_NUM_THREADS": str(max(1, cores // number))}
    return threads | os.environ | {"RLQ_STORAGE": plan.storage}  # not an argument, as it may contain a password


def _show_ended(plan: Plan, study: "Study", shown: set[int], console: Console) -> set[int]:
    """Print a line for each trial that has ended since, and return their numbers."""
    ended = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and t.number not in shown]
    for trial in ended:
        if SURPLUS not in trial.user_attrs:
            console.line(trial_line(plan, trial))
    return {trial.number for trial in ended}


def _stop(processes: list[subprocess.Popen], received: list[int], console: Console) -> None:
    """Send SIGTERM to the workers that still run; kill them after STOPPING seconds or at a second Ctrl-C."""
    running = [process for process in processes if process.poll() is None]
    if not running:
        return
    console.line(f"stopping {len(running)} workers; they save their state first")
    signals_before = len(received)
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOPPING
    while any(process.poll() is None for process in running):
        if time.monotonic() > deadline or len(received) > signals_before:
            for process in running:
                process.kill()
        time.sleep(0.1)


def _check(processes: list[subprocess.Popen], logs: list[Path], over: bool, console: Console) -> None:
    """Report the workers that failed: as an error when trials are left, else as a warning."""
    failures = []
    for process, log in zip(processes, logs, strict=True):
        if process.returncode:
            how = f"status {process.returncode}"
            if process.returncode < 0:
                how = f"killed by {signal.Signals(-process.returncode).name}"
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            failures.append(f"{log.name} ({how}): {last[:300]}")
    if not failures:
        return
    text = f"{len(failures)} of {len(processes)} workers failed: {'; '.join(failures)}"
    if not over:
        raise RlqError(text)
    console.line(f"warning  {text}")
