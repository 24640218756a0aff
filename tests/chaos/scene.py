"""The place where one fault happens: a folder with small data sets and files, and real commands of rlq in it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from chaos.processes import PATIENCE, QUIET, Forked, Process, command, fork, kill_group
from chaos.settings import EXPERIMENTS, FILES
from filelock import FileLock

from rlq.core.seeding import generator

POLL = 0.005  # seconds between two looks at what is waited for


@dataclass
class Scene:
    """A folder with data/, teacher/ (weights) and the experiment files in FILES. All of it may be destroyed."""

    folder: Path
    seed: int
    python: str
    base: Path  # what all scenes of one whole run share: stage.prepare made it
    _outputs: dict[int, Path] = field(default_factory=dict)
    _processes: list[Process] = field(default_factory=list)

    def start(
        self,
        *words: object,
        env: Mapping[str, str] | None = None,
        plain: bool = False,
        before: Callable[[], object] | None = None,
        **popen: Any,
    ) -> Process:
        """Begin `rlq <words>` in this folder as the head of its own process group, its output in a file.

        `plain`, and any option of subprocess.Popen, start a Python of its own; else it is forked, and `before` happens
        first in the new process: a slow disk, say.
        """
        file = self.folder / f".output-{len(self._processes)}"
        file.touch()
        words = tuple(map(str, words))
        process: Process
        if plain or popen:
            with file.open("wb") as output:
                process = subprocess.Popen(
                    [self.python, "-m", "rlq", *words],
                    cwd=self.folder,
                    env=os.environ | QUIET | dict(env or {}),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    **popen,
                )
        else:
            process = Forked(fork(lambda: command(words, before), self.folder, file, env or {}))
        self._outputs[process.pid] = file
        self._processes.append(process)
        return process

    def finish(self, process: Process, timeout: float = PATIENCE) -> int:
        """Its exit status. One that takes longer than this is killed and said to hang."""
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise AssertionError(f"a command hung for {timeout:.0f} s: {self.output(process)[-2000:]}") from None

    def run(self, *words: object, status: int = 0, timeout: float = PATIENCE, **options: Any) -> str:
        """A whole command, which has to end with this status; its output."""
        process = self.start(*words, **options)
        found = self.finish(process, timeout)
        shown = self.output(process)
        assert found == status, f"rlq {' '.join(map(str, words))} ended with {found}, not {status}: {shown[-2000:]}"
        return shown

    def output(self, process: Process) -> str:
        """What it has written so far, errors among it."""
        return self._outputs[process.pid].read_text(errors="replace")

    def wait_for(self, what: Callable[[], Any], process: Process | None = None, timeout: float = PATIENCE) -> bool:
        """Until `what` is true; false if the process ended before. Too long a wait kills the process and fails."""
        end = time.monotonic() + timeout
        while not what():
            if process is not None and process.poll() is not None:
                return bool(what())
            if time.monotonic() > end:
                if process is not None:
                    kill_group(process)
                shown = "" if process is None else f": {self.output(process)[-2000:]}"
                raise AssertionError(f"waited {timeout:.0f} s in vain{shown}")
            time.sleep(POLL)
        return True

    def kill_at(
        self, process: Process, moment: float | Callable[[], Any], *, group: bool = True, timeout: float = PATIENCE
    ) -> bool:
        """SIGKILL it (and its children, with `group`) after some seconds, or once something is so; false if it had
        ended by itself before."""
        if callable(moment):
            self.wait_for(moment, process, timeout)
        else:
            end = time.monotonic() + moment
            while process.poll() is None and time.monotonic() < end:
                time.sleep(min(0.01, moment))
        if process.poll() is not None:
            return False
        if group:
            kill_group(process)
        else:
            process.kill()
        process.wait(30)
        return True

    def random(self, *parts: object) -> np.random.Generator:
        """Chance of this scene's seed."""
        return generator("chaos", *parts, self.seed)

    def exists(self, pattern: str) -> Callable[[], bool]:
        """Whether a file in this folder matches a pattern: something to wait for."""
        return lambda: any(True for _ in self.folder.glob(pattern))

    def one(self, pattern: str) -> Path:
        """The only path that matches."""
        found = sorted(self.folder.glob(pattern))
        assert len(found) == 1, f"{pattern} matches {[str(path.relative_to(self.folder)) for path in found]}"
        return found[0]

    def undisturbed(self, name: str, act: "Callable[[Scene], None]") -> "Scene":
        """The scene of this name in which `act` has happened in peace: once for all faults and seeds."""
        folder = self.base / "undisturbed" / name
        peace = Scene(folder, 0, self.python, self.base)
        with FileLock(self.base / f".{name}.lock"):
            if not (folder / ".seconds").is_file():
                shutil.rmtree(folder, ignore_errors=True)
                peace.furnish()
                began = time.monotonic()
                act(peace)
                (folder / ".seconds").write_text(json.dumps(time.monotonic() - began))
        return peace

    @property
    def seconds(self) -> float:
        """How long the act of an undisturbed scene took."""
        return json.loads((self.folder / ".seconds").read_text())

    def furnish(self) -> None:
        """Put data sets, weights of a teacher, an empty store of runs and the files there."""
        self.folder.mkdir(parents=True)
        for name in ("data", "runs", "teacher"):
            if (self.base / name).is_dir():
                shutil.copytree(self.base / name, self.folder / name)
        for name, text in FILES.items():
            (self.folder / name).write_text(text.format(experiments=EXPERIMENTS))

    def close(self) -> None:
        """End everything that still runs here."""
        for process in self._processes:
            kill_group(process)
            process.wait(30)
