"""What a run folder keeps of its run: two journals of JSON lines, and how much of them each store has received."""

import json
from pathlib import Path
from typing import Any

from rlq.tracking.interface import TrackingError

METRICS, EVENTS, PROGRESS = "metrics.jsonl", "tracking.jsonl", "tracking.json"


class Journal:
    """A file of JSON lines that only grows. Every line is on disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self._read()

    def append(self, *rows: dict[str, Any]) -> None:
        """Write rows at the end, in one go."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(lines)
        self.rows += rows

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
            try:
                self.rows.append(json.loads(line))
            except ValueError as error:
                raise TrackingError(
                    f"{self.path}, line {number} is not JSON; mend or remove that line, the others are kept"
                ) from error
        if len(whole) < len(content):  # the last line of a process killed while writing: the next must not join it
            with self.path.open("r+b") as file:
                file.truncate(len(whole))


class Progress:
    """How far each store is: `tracking.json`, replaced as a whole at every change.

    Losing it loses nothing: sending everything again is harmless.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / PROGRESS
        self.uri = ""  # the store that the run was opened for, without credentials
        self.stores: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            try:
                tree = json.loads(self.path.read_bytes())
                self.uri, self.stores = tree["uri"], tree["stores"]
            except (ValueError, KeyError, TypeError) as error:
                raise TrackingError(f"{self.path} is broken; remove it and run `rlq track sync {folder}`") from error

    def store(self, uri: str) -> dict[str, Any]:
        """This store's entry: run and experiment id, number of metric rows and list of events that it has."""
        blank = {"run_id": "", "experiment_id": "", "metrics": 0, "events": []}
        return self.stores.setdefault(uri, blank)

    def save(self) -> None:
        """Write it, so that a reader sees the old or the new one and never half of it."""
        scratch = self.path.with_suffix(".json.tmp")
        scratch.write_text(json.dumps({"uri": self.uri, "stores": self.stores}, indent=1), encoding="utf-8")
        scratch.replace(self.path)


def logged_metrics(folder: Path) -> list[dict[str, Any]]:
    """Every metric that a run folder has logged, in that order: name, value, step and time (ms since 1970)."""
    return Journal(folder / METRICS).rows
