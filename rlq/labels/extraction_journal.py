"""A detector's results so far, on disk, so that a stopped extraction can be continued."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rlq.core.errors import DataError
from rlq.core.files import parsed_json

Entry = dict[str, Any]  # a person in AlphaPose's form


class Finding(NamedTuple):
    """The result for one picture."""

    picture: str  # its name
    people: list[Entry]  # by descending score
    reason: str | None = None  # why it cannot be read


class Journal:
    """The people in the pictures processed so far: a line with the run's settings, then one line per picture."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        """Read an existing journal. Raises DataError if it was begun with other settings (`run`), or is broken."""
        self.path, self.run = path, run
        self.people: dict[str, list[Entry]] = {}
        if path.is_file():
            self._resume()

    def add(self, findings: Sequence[Finding]) -> None:
        """Save the results of pictures that could be read; the first result creates the file."""
        readable = [finding for finding in findings if finding.reason is None]
        rows = [{"picture": finding.picture, "people": finding.people} for finding in readable]
        if rows:
            self._append(rows if self.path.is_file() else [self.run, *rows])
        self.people.update((finding.picture, finding.people) for finding in readable)

    def _resume(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1  # an incomplete last line is processed again
        if whole < len(content):
            with self.path.open("rb+") as file:
                file.truncate(whole)
        begun: dict[str, Any] = {}
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                row = parsed_json(line)
                if number == 1:
                    begun = dict(row)
                else:
                    self.people[row["picture"]] = list(row["people"])
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{self.path}: line {number}: is broken ({error}); delete the file to start again"
                ) from error
        if not self.people:
            self.path.unlink()  # it holds no results, so starting again with any settings loses nothing
        elif begun != self.run:
            differing = ", ".join(f"{key} {begun.get(key)}" for key in self.run if begun.get(key) != self.run[key])
            raise DataError(
                f"{self.path} was begun with {differing or 'other settings'}; continue with the same, or delete it to "
                "start again"
            )

    def _append(self, rows: list[dict[str, Any]]) -> None:
        lines = [json.dumps(row, allow_nan=False) + "\n" for row in rows]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror or error}") from error


def pending(names: Sequence[str], done: dict[str, list[Entry]], batch: int) -> Iterator[list[int]]:
    """Yield the batches, as indices, that hold a picture which is not done.

    Batches are cut from all names and repeated as a whole. Pictures of a batch are padded to one size, which changes
    the last digits, so this makes a continued run give the same results as an uninterrupted one.
    """
    for start in range(0, len(names), batch):
        indices = list(range(start, min(start + batch, len(names))))
        if any(names[index] not in done for index in indices):
            yield indices
