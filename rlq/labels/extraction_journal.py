"""What a detector found so far, on disk: a run that was stopped goes on where it was."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rlq.core.errors import DataError
from rlq.core.files import parsed_json

Entry = dict[str, Any]  # a person in AlphaPose's form


class Finding(NamedTuple):
    """What there is to say of one picture."""

    picture: str  # its name
    people: list[Entry]  # by falling score
    reason: str | None = None  # why it cannot be read


class Journal:
    """The people of the pictures that were looked at so far: a line about the run, then one line per picture."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        """Open it, if it is there. Raises DataError when it was begun with other settings (`run`), or is broken."""
        self.path, self.run = path, run
        self.people: dict[str, list[Entry]] = {}
        if path.is_file():
            self._resume()

    def add(self, findings: Sequence[Finding]) -> None:
        """Keep the pictures that could be read; the file begins with the first of them."""
        readable = [finding for finding in findings if finding.reason is None]
        rows = [{"picture": finding.picture, "people": finding.people} for finding in readable]
        if rows:
            self._append(rows if self.path.is_file() else [self.run, *rows])
        self.people.update((finding.picture, finding.people) for finding in readable)

    def _resume(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1  # a line that was torn off is done again
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
                raise DataError(f"{self.path}: line {number}: is broken ({error}); delete the file to begin") from error
        if not self.people:
            self.path.unlink()  # nothing is lost by beginning anew, with whatever settings
        elif begun != self.run:
            differing = ", ".join(f"{key} {begun.get(key)}" for key in self.run if begun.get(key) != self.run[key])
            raise DataError(
                f"{self.path} was begun with {differing or 'other settings'}; go on with the same, or delete it to "
                "begin anew"
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
    """The batches, as indices, that hold a picture which is not done.

    Batches are cut from all the names, and done again whole, because pictures of one batch are padded to one size,
    which shows in the last digits: a run that was stopped finds what one at a stretch finds.
    """
    for start in range(0, len(names), batch):
        indices = list(range(start, min(start + batch, len(names))))
        if any(names[index] not in done for index in indices):
            yield indices
