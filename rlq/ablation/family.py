"""The parent run of a table in the tracker; the runs of its rows are its children."""

import time
from pathlib import Path

from filelock import FileLock, Timeout

from rlq.ablation.table import Table
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.scores import ScoreTable
from rlq.runs.folder import ABOUT, About, read_about, write_about
from rlq.tracking import Status, Tracker, family_links, local_run_id, open_run, resolve_uri
from rlq.training.signals import Stopped

PATIENCE = 60.0  # seconds to wait for the process that opens the parent run to write its id


class Family:
    """The parent run, as a context. One process at a time has it open; others only read its id."""

    def __init__(self, table: Table, bases: list[Path], runs: Path, experiment: str, console: Console) -> None:
        self.table, self.runs, self.experiment, self.console = table, runs, experiment, console
        self.name = " ".join([table.name, *(base.stem for base in bases)])
        self.folder = runs / self.name.replace(" ", "-")
        self.run_id = ""
        self._tracker: Tracker | None = None
        self._lock = FileLock(runs / f".{self.folder.name}.lock")

    @property
    def left_open(self) -> bool:
        """Whether an earlier start ended before it could finish the parent run."""
        return (self.folder / ABOUT).is_file() and read_about(self.folder).status != "FINISHED"

    def __enter__(self) -> "Family":
        self.runs.mkdir(parents=True, exist_ok=True)
        if not self._opened():
            self.run_id = self._id_from_other_process()
        return self

    def _opened(self) -> bool:
        """Open the parent run, unless another process has it open."""
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        self._open()
        return True

    def _open(self) -> None:
        about = read_about(self.folder) if (self.folder / ABOUT).is_file() else None
        self._tracker = open_run(
            folder=self.folder,
            uri=resolve_uri(self.runs),
            experiment=self.experiment,
            run_name=self.name,
            tags={"rlq.kind": "ablation", "rlq.table": self.table.name, "rlq.title": self.table.title},
            resume_run_id=about.run_id if about else local_run_id(self.folder),
        )
        self.run_id = self._tracker.run_id
        write_about(self.folder, About(self.run_id, self.name, "ablation", str(self.table.file), "RUNNING"))
        self._tracker.log_file(self.table.file)

    def _id_from_other_process(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while not (self.folder / ABOUT).is_file():
            if time.monotonic() > deadline:
                raise RlqError(f"another process holds {self._lock.lock_file}, but has opened no run in {self.folder}")
            time.sleep(0.2)
        return read_about(self.folder).run_id

    def finish(self, text: str, *, whole: bool, metric: str, scores: ScoreTable) -> None:
        """Write the table into the parent run, end it, and print the addresses of its runs, the best by `metric` first.

        `whole` says whether every row is finished. Each of several processes does this when it has no more rows,
        because the one that opened the parent run may end before the others.
        """
        if self._tracker is None and not self._opened():
            return
        assert self._tracker is not None
        self._tracker.log_text(text + "\n", "table.txt")
        self._end("FINISHED" if whole else "FAILED")
        for name, address in family_links(resolve_uri(self.runs), self.run_id, metric=metric, scores=scores).items():
            self.console.line(f"{name:<8} {address}")

    def _end(self, status: Status) -> None:
        if self._tracker is None:
            return
        self._tracker.end(status)
        self.run_id = self._tracker.run_id
        write_about(self.folder, About(self.run_id, self.name, "ablation", str(self.table.file), status))
        self._tracker = None

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None:
            self._end("KILLED" if issubclass(kind, Stopped | KeyboardInterrupt) else "FAILED")
        self._lock.release()
