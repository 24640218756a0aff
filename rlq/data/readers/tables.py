"""Read tables and lists written by people or by other tools."""

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.text import listed

SHOWN = 3


class Row(dict[str, str]):
    """Column -> text without surrounding blanks, "" for an empty field."""

    place: str  # file and line, for messages


def read_table(path: Path, columns: Collection[str], what: str) -> Iterator[Row]:
    """Yield the rows of a file that has at least these columns; `what` names the kind of file in messages.

    Raises DataError if the file cannot be read, a column is missing or named twice, or a row has too many fields.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            names = [name.strip() for name in rows.fieldnames or ()]
            _check_header(path, names, columns, what)
            rows.fieldnames = names
            for values in rows:
                place = f"{path}: line {rows.line_num}"
                if None in values:
                    raise DataError(f"{place}: has more fields than the {len(names)} columns {names}")
                row = Row((name, (value or "").strip()) for name, value in values.items())
                row.place = place
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the {what} cannot be read ({error})") from error


def column_names(path: Path) -> list[str]:
    """Return the columns of a CSV file without reading its rows. Raises DataError if it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [name.strip() for name in next(csv.reader(file), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the table cannot be read ({error})") from error


def read_lines(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of every line of a list that is not empty, without surrounding blanks."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if text := line.strip():
                    yield number, text
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the {what} cannot be read ({error})") from error


def refuse_lines(path: Path, wrong: Sequence[tuple[int, str]], advice: str) -> None:
    """Raise DataError if there are wrong lines (number, what is wrong); it counts them and shows the first three."""
    if wrong:
        shown = listed((f"line {number}: {reason}" for number, reason in wrong), SHOWN, "; ")
        count = f"{len(wrong)} lines are wrong: " if len(wrong) > 1 else ""
        raise DataError(f"{path}: {count}{shown}; {advice}")


def _check_header(path: Path, names: list[str], columns: Collection[str], what: str) -> None:
    if not names:
        raise DataError(f"{path}: is empty; a {what} has the columns {', '.join(columns)}")
    missing = [name for name in columns if name not in names]
    if missing and len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise DataError(f"{path}: its fields are not separated by commas ({names[0]!r}); save it with commas")
    if missing:
        raise DataError(
            f"{path}: has no column {', '.join(missing)}; a {what} has {', '.join(columns)}; its columns are {names}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: names the column {', '.join(twice)} more than once")
