"""The parent run of a table in the tracker; the runs of its rows are its children."""

import time
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from rlq.ablation.table import Table
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.scores import ScoreTable
from rlq.runs.family import ParentRun
from rlq.runs.folder import ABOUT, About, read_about, write_about
from rlq.runs.record import status_after
from rlq.tracking import Status, Tracker, local_run_id

PATIENCE = 60.0  # seconds to wait for the process that opens the parent run to write its id


class Family:
    """The parent run, as a context. One process at a time has it open; others only read its id."""

    def __init__(self, table: Table, bases: list[Path], runs: Path, experiment: str, console: Console) -> None:
        self.table, self.console = table, console
        name = " ".join([table.name, *(base.stem for base in bases)])
        self.parent = ParentRun(name, runs / name.replace(" ", "-"), runs, experiment)
        self.run_id = ""
        self._tracker: Tracker | None = None
        self._lock = FileLock(runs / f".{self.folder.name}.lock")

    @property
    def folder(self) -> Path:
        """The parent run's own folder."""
        return self.parent.folder

    @property
    def left_open(self) -> bool:
        """Whether an earlier start ended before it could finish the parent run."""
        return (self.folder / ABOUT).is_file() and read_about(self.folder).status != "FINISHED"

    def __enter__(self) -> "Family":
        self.parent.runs.mkdir(parents=True, exist_ok=True)
        if not self._try_open():
            self.run_id = self._id_from_other_process()
        return self

    def _try_open(self) -> bool:
        """Open the parent run and return true, unless another process has it open."""
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        self._open()
        return True

    def _open(self) -> None:
        about = read_about(self.folder) if (self.folder / ABOUT).is_file() else None
        self._tracker = self.parent.open(
            {"rlq.kind": "ablation", "rlq.table": self.table.name, "rlq.title": self.table.title},
            resume=about.run_id if about else local_run_id(self.folder),
        )
        self._write_about("RUNNING")
        self._tracker.log_file(self.table.file)

    def _id_from_other_process(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while not (self.folder / ABOUT).is_file():
            if time.monotonic() > deadline:
                raise RlqError(
                    f"another process holds {self._lock.lock_file}, but has opened no run in {self.folder} for "
                    f"{PATIENCE:.0f} s; end that process and start again"
                )
            time.sleep(0.2)
        return read_about(self.folder).run_id

    def finish(self, text: str, *, whole: bool, metric: str, scores: ScoreTable) -> None:
        """Write the table into the parent run, end it, and print the addresses of its runs, the best by `metric` first.

        `whole` says whether every row is finished. Each of several processes does this when it has no more rows,
        because the one that opened the parent run may end before the others.
        """
        if self._tracker is None and not self._try_open():
            return
        assert self._tracker is not None
        self._tracker.log_text(text + "\n", "table.txt")
        self._end("FINISHED" if whole else "FAILED")
        for name, address in self.parent.links(self.run_id, scores=scores, metric=metric).items():
            self.console.line(f"{name:<8} {address}")

    def _end(self, status: Status) -> None:
        if self._tracker is None:
            return
        self._tracker.end(status)
        self._write_about(status)
        self._tracker = None

    def _write_about(self, status: Status | Literal["RUNNING"]) -> None:
        assert self._tracker is not None  # called while it is open
        self.run_id = self._tracker.run_id  # after an outage of the server, another one than before
        write_about(self.folder, About(self.run_id, self.parent.name, "ablation", str(self.table.file), status))

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            self._end(status_after(error))
        self._lock.release()
