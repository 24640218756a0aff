"""Answers on disk: every one is saved at once, in the authors' form with one column more."""

import csv
import io
import threading
from collections.abc import Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.files import write_file
from rlq.data.readers.tables import Row, read_table
from rlq.labels.annotate.people import Subject
from rlq.labels.gender import COLUMNS, EXTRA, Answer, answer_in, gender_of, person_in, plain_id, read_answers


class AnswerFile:
    """The answers about some people in a file that may hold others, whose rows stay as they are.

    Raises DataError when the file that is there cannot be read.
    """

    def __init__(self, path: Path, people: Sequence[Subject]) -> None:
        self.path = path
        self.people = tuple(people)
        self._columns = [*COLUMNS, EXTRA]
        self._own: list[list[Row]] = [[] for _ in people]  # each person's rows
        self._others: list[Row] = []
        self._undo: list[tuple[int, list[Row]]] = []
        self._lock = threading.Lock()  # the page's requests come in several threads
        self._known = self._read()

    @property
    def answers(self) -> list[Answer | None]:
        """What is known of each person."""
        return [answer_in(rows[0]) if rows else None for rows in self._own]

    def answer(self, number: int, answer: Answer) -> None:
        """Save what person `number` is; when it cannot be saved, nothing changes and DataError says why."""
        subject = self.people[number]
        with self._lock:
            before = self._own[number]
            rows = before or [_row({"Category": name, "ID": subject.pid}) for name in subject.categories]
            self._save(number, [_row({**row, "Gender": str(gender_of(answer)), EXTRA: answer}) for row in rows])
            self._undo.append((number, before))

    def undo(self) -> int | None:
        """Take back the last answer of this session and save; the person's number, None when there is none left."""
        with self._lock:
            if not self._undo:
                return None
            number, before = self._undo[-1]
            self._save(number, before)
            self._undo.pop()
            return number

    def _read(self) -> bytes | None:
        content = self._content()
        if content is None:
            return None
        rows = list(read_table(self.path, COLUMNS, "gender file"))
        if rows:
            read_answers(self.path)  # refuses what contradicts itself
            self._columns = [*rows[0], *(() if EXTRA in rows[0] else (EXTRA,))]
        number_of = {(subject.part, plain_id(subject.pid)): number for number, subject in enumerate(self.people)}
        for row in rows:
            number = number_of.get(person_in(row))
            (self._others if number is None else self._own[number]).append(row)
        return content

    def _save(self, number: int, rows: list[Row]) -> None:
        """Write the file with other rows of one person, training first, and keep them."""
        if self._content() != self._known:
            raise DataError(
                f"{self.path} was changed by somebody else since this page was opened, so nothing is written over it; "
                "stop rlq (Ctrl-C) and start it again"
            )
        own = [*self._own[:number], rows, *self._own[number + 1 :]]
        lines = [*(row for rows_of_one in own for row in rows_of_one), *self._others]
        lines.sort(key=lambda row: person_in(row)[0] != "train")
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        content = text.getvalue().encode()
        write_file(self.path, content)
        self._own[number], self._known = rows, content

    def _content(self) -> bytes | None:
        """What is on the disk, None when there is no file."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{self.path}: no readable gender file ({error})") from error


def _row(values: dict[str, str]) -> Row:
    row = Row(values)
    row.place = f"answer about {row['ID']}"
    return row
