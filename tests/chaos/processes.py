"""Commands of rlq as processes that may be killed.

They are forked from a process that has loaded the libraries already, which saves seconds each.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

PATIENCE = 300.0  # seconds until a command is said to hang
QUIET = {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "NO_ALBUMENTATIONS_UPDATE": "1"}


class Forked:
    """A command that was forked from this process; as much of subprocess.Popen as is needed."""

    def __init__(self, pid: int) -> None:
        self.pid, self.returncode = pid, None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = time.monotonic() + (PATIENCE if timeout is None else timeout)
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or PATIENCE)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = Forked | subprocess.Popen


def kill_group(process: Process) -> None:
    """SIGKILL a command and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def members(process: Process) -> list[int]:
    """The processes of a command that live, itself among them: those of its session that are no zombies."""
    found = []
    for entry in sorted(Path("/proc").glob("[0-9]*")):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == process.pid and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def fork(act: Callable[[], int], folder: Path, file: Path, env: Mapping[str, str]) -> int:
    """Do something in a copy of this process, and return its number; what `act` returns is its exit status."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.update(QUIET | dict(env))
        output = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        status = act()
    finally:
        if sys.exc_info()[0] is not None:  # as Python would tell it; nothing of the parent must go on here
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def command(words: tuple[str, ...], before: Callable[[], object] | None) -> int:
    """What `python -m rlq <words>` does, to the end of the interpreter."""
    from rlq.cli import main

    if before is not None:
        before()
    sys.argv = ["rlq", *words]
    sys.modules["__main__"] = ModuleType("__main__")  # what processes that it spawns begin with
    sys.modules["__main__"].__spec__ = find_spec("rlq.__main__")
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    return status
