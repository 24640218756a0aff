"""Answers on disk: each is saved at once, in the authors' format with one more column."""

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
    """The answers about some people, in a file that may hold rows of other people, which stay as they are.

    Raises DataError if an existing file cannot be read.
    """

    def __init__(self, path: Path, people: Sequence[Subject]) -> None:
        self.path = path
        self.people = tuple(people)
        self._columns = [*COLUMNS, EXTRA]
        self._rows: list[list[Row]] = [[] for _ in people]  # each person's rows
        self._others: list[Row] = []
        self._undo: list[tuple[int, list[Row]]] = []
        self._lock = threading.Lock()  # requests are handled in several threads
        self._saved = self._read()

    @property
    def answers(self) -> list[Answer | None]:
        """Return each person's answer, None for a person without one."""
        return [answer_in(rows[0]) if rows else None for rows in self._rows]

    def answer(self, number: int, answer: Answer) -> None:
        """Save the answer about person `number`. Raises DataError, with nothing changed, if it cannot be saved."""
        subject = self.people[number]
        with self._lock:
            before = self._rows[number]
            rows = before or [_row({"Category": name, "ID": subject.pid}) for name in subject.categories]
            self._save(number, [_row({**row, "Gender": str(gender_of(answer)), EXTRA: answer}) for row in rows])
            self._undo.append((number, before))

    def undo(self) -> int | None:
        """Take back the last answer since the start and save; return the person's number, None if none is left."""
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
            read_answers(self.path)  # refuses contradictory rows
            self._columns = [*rows[0], *(() if EXTRA in rows[0] else (EXTRA,))]
        number_of = {(subject.part, plain_id(subject.pid)): number for number, subject in enumerate(self.people)}
        for row in rows:
            number = number_of.get(person_in(row))
            (self._others if number is None else self._rows[number]).append(row)
        return content

    def _save(self, number: int, rows: list[Row]) -> None:
        """Write the file with new rows of one person, training first, and remember them."""
        if self._content() != self._saved:
            raise DataError(
                f"{self.path} was changed by somebody else since this page was opened, so it is not overwritten; stop "
                "rlq (Ctrl-C) and start it again"
            )
        rows_of_all = [*self._rows[:number], rows, *self._rows[number + 1 :]]
        lines = [*(row for rows_of_one in rows_of_all for row in rows_of_one), *self._others]
        lines.sort(key=lambda row: person_in(row)[0] != "train")
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        content = text.getvalue().encode()
        write_file(self.path, content)
        self._rows[number], self._saved = rows, content

    def _content(self) -> bytes | None:
        """Return the file's content, None if it does not exist."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{self.path}: the gender file cannot be read ({error})") from error


def _row(values: dict[str, str]) -> Row:
    row = Row(values)
    row.place = f"answer about {row['ID']}"
    return row
