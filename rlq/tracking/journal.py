"""The record of a run in its folder: two journals of JSON lines, and how much of them each store has received."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlq.core.files import parsed_json, write_file
from rlq.tracking.interface import TrackingError

METRICS, EVENTS, PROGRESS = "metrics.jsonl", "tracking.jsonl", "tracking.json"


class Journal:
    """A file of JSON lines to which lines are only appended. They are written when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self._read()

    def append(self, *rows: dict[str, Any]) -> None:
        """Append all rows or none. Raise TrackingError if the disk is full."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        before = None
        try:
            with self.path.open("ab", buffering=0) as file:
                before = file.tell()
                while lines:  # if only a part fits on the disk, writing the rest raises the reason
                    lines = lines[file.write(lines) :]
        except OSError as error:
            if before is not None:
                with suppress(OSError):  # the next line must not be appended to an incomplete one
                    os.truncate(self.path, before)
            raise TrackingError(f"{self.path} cannot be written: {error.strerror or error}") from error
        self.rows += rows

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
            try:
                row = parsed_json(line)
            except ValueError as error:
                raise TrackingError(
                    f"{self.path}, line {number} is not JSON; repair or remove that line, the others are kept"
                ) from error
            if not isinstance(row, dict):
                raise TrackingError(f"{self.path}, line {number} is not a JSON object; repair or remove that line")
            self.rows.append(row)
        if len(whole) < len(content):  # a killed process left an incomplete last line
            with self.path.open("r+b") as file:
                file.truncate(len(whole))


class Progress:
    """How much each store has received: `tracking.json`, replaced as a whole at every change.

    If it is lost, everything is sent again, which does no harm.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / PROGRESS
        self.uri = ""  # the store that the run was opened for, without credentials
        self.stores: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            try:
                tree = parsed_json(self.path.read_bytes())
                self.uri, self.stores = tree["uri"], tree["stores"]
                if not isinstance(self.uri, str) or not all(map(_is_entry, self.stores.values())):
                    raise ValueError("a value has the wrong type")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TrackingError(f"{self.path} is broken; remove it and run `rlq track sync {folder}`") from error

    def store(self, uri: str) -> dict[str, Any]:
        """Return a store's entry: run id, experiment id, number of metric rows and list of events that it has."""
        empty = {"run_id": "", "experiment_id": "", "metrics": 0, "events": []}
        return self.stores.setdefault(uri, empty)

    def save(self) -> None:
        """Write the file; readers see the old content or the new one."""
        text = json.dumps({"uri": self.uri, "stores": self.stores}, indent=1)
        write_file(self.path, text, durable=False, refusal=TrackingError)  # not durable, because every event saves


def logged_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return every metric that was logged in a run folder, in order: name, value, step and time (ms since 1970)."""
    journal = Journal(folder / METRICS)
    for number, row in enumerate(journal.rows, start=1):
        types = {name: type(row.get(name)) for name in ("name", "value", "step", "time")}
        if not (types["name"] is str and types["value"] in (int, float) and types["step"] is types["time"] is int):
            raise TrackingError(f"{journal.path}, line {number} is not a metric; repair or remove that line")
    return journal.rows


def _is_entry(entry: object) -> bool:
    """Return whether this is an entry as `Progress.store` returns it."""
    if not isinstance(entry, dict) or set(entry) != {"run_id", "experiment_id", "metrics", "events"}:
        return False
    texts, counts = (entry["run_id"], entry["experiment_id"]), (entry["metrics"], entry["events"])
    return (
        all(isinstance(text, str) for text in texts)
        and type(counts[0]) is int
        and counts[0] >= 0
        and isinstance(counts[1], list)
        and all(type(number) is int for number in counts[1])
    )
