"""The parent run of a whole table in the tracker; the runs of its rows are its children."""

import time
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from rlq.ablation.table import Table
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.runs.family import ParentRun
from rlq.runs.folder import ABOUT, About, read_about, write_about
from rlq.runs.record import status_after
from rlq.tracking import Status, Tracker, begun_run

PATIENCE = 60.0  # seconds that the process which opens the parent run may take to write its id


class Family:
    """The parent run, open while this is entered. One process opens it; others that run rows refer to its id."""

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
            self.run_id = self._id_of_open_run()
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
            resume=about.run_id if about else begun_run(self.folder),
        )
        self._write_about("RUNNING")
        self._tracker.log_file(self.table.file)

    def _id_of_open_run(self) -> str:
        """Wait for the process that opened the parent run to write its id, and return it."""
        until = time.monotonic() + PATIENCE
        while not (self.folder / ABOUT).is_file():
            if time.monotonic() > until:
                raise RlqError(
                    f"another process holds {self._lock.lock_file}, but has opened no run in {self.folder} for "
                    f"{PATIENCE:.0f} s; end that process and start again"
                )
            time.sleep(0.2)
        return read_about(self.folder).run_id

    def finish(self, text: str, *, whole: bool, metric: str) -> None:
        """Log the table, end the parent run, and print where to see its runs, the best by `metric` first.

        `whole`: every row is finished. The process that opened the parent run may end before others have run their
        rows, so the last one of them opens it again and finishes it once more.
        """
        if self._tracker is None and not self._try_open():
            return
        assert self._tracker is not None  # it was open, or is now
        self._tracker.log_text(text + "\n", "table.txt")
        self._end("FINISHED" if whole else "FAILED")
        for name, address in self.parent.links(self.run_id, metric=metric).items():
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
