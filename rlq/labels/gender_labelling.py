"""Say who is male and who is female on a local page, and count what has been said."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.text import listed, table
from rlq.data.records import Record, ReidData
from rlq.labels.annotate.people import subjects_of
from rlq.labels.annotate.server import Page
from rlq.labels.annotate.store import AnswerFile
from rlq.labels.gender import Answer, Person, people_of, person_of, read_answers
from rlq.synthetic.provide import read_pictures

Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = ("train", "test")
SHOWN = 10


@dataclass(frozen=True)
class PartCounts:
    """The answers about one part of a set."""

    part: Part
    answers: dict[str, Answer | None]  # id -> answer, None where there is none

    @property
    def missing(self) -> list[str]:
        return [pid for pid, answer in self.answers.items() if answer is None]

    def count(self, answer: Answer) -> int:
        return sum(given == answer for given in self.answers.values())

    def to_row(self) -> list[str]:
        people, missing = len(self.answers), len(self.missing)
        numbers = (people, people - missing, self.count("m"), self.count("f"), self.count("u"), missing)
        return [self.part, *map(str, numbers)]


@dataclass(frozen=True)
class GenderReport:
    """What a gender file says about a set."""

    source: str  # the file, or the set's own table
    parts: tuple[PartCounts, ...]
    strangers: int  # people in the file whom the set does not have

    @property
    def stops_training(self) -> bool:
        """Training needs every training person; the others are only measured on."""
        return bool(self.parts[0].missing)

    def to_text(self) -> str:
        header = ["people", "in all", "labelled", "male", "female", "in doubt", "missing"]
        lines = [f"{self.source}:", table([part.to_row() for part in self.parts], header=header)]
        lines += [f"missing of {one.part}: {listed(one.missing, SHOWN)}" for one in self.parts if one.missing]
        if self.strangers:
            lines.append(f"{self.strangers} people of the file are not in the set")
        return "\n".join(lines)


def annotate(
    name: str,
    root: Path,
    *,
    output: Path | None = None,
    port: int = 0,
    pictures: int = 8,
    part: Part = "train",
    console: Console | None = None,
) -> PartCounts:
    """Show one person after the other on a local page until Ctrl-C; every answer is saved at once.

    What the file has already is kept, so that another day goes on where this one ended.
    """
    console = console or Console()
    data = read_pictures(name, root, console)
    subjects = subjects_of(_records(data, part), pictures)
    answers = AnswerFile(output or data.side_files / "gender.csv", subjects)
    page = Page(answers, data.name, data.root, port=port)
    done = sum(answer is not None for answer in answers.answers)
    console.line(f"{data.name}: {done} of {len(subjects)} people ({part}) are answered in {answers.path}")
    if "gender" in data.attributes:
        console.line(f"the table of {name} has a column gender; training reads this file instead once it is there")
    console.line(f"open {page.address}")
    console.line("keys m, f, u (in doubt); every answer is saved at once; Ctrl-C ends")
    page.serve()
    return PartCounts(part, {one.pid: answer for one, answer in zip(subjects, answers.answers, strict=True)})


def check(name: str, root: Path, *, file: Path | None = None, console: Console | None = None) -> GenderReport:
    """Count the answers about a set's people. Raises DataError when there is no file, or when it is broken."""
    data = read_pictures(name, root, console or Console())
    path = file or data.side_files / "gender.csv"
    people: dict[Person, str] = people_of(data.records)
    if path.is_file() or "gender" not in data.attributes:
        if not path.is_file():
            raise DataError(
                f"there is no {path}; rlq gender annotate --data {name} makes it, the authors' file goes there"
            )
        source, answers = str(path), read_answers(path)
    else:
        source, answers = f"the table of {name} in {data.root}", _of_table(data)
    parts = tuple(
        PartCounts(part, {pid: answers.get(person) for person, pid in people.items() if person[0] == part})
        for part in PARTS
    )
    return GenderReport(source, parts, len(answers.keys() - people.keys()))


def _of_table(data: ReidData) -> dict[Person, Answer]:
    """What the set's own table says, where doubt is no word of its own."""
    known = data.attributes["gender"]
    of_records = {person_of(record): known[record.path] for record in data.records if record.path in known}
    return {person: "m" if gender else "f" for person, gender in of_records.items()}


def _records(data: ReidData, part: Part) -> list[Record]:
    records = data.train if part == "train" else [*data.query, *data.gallery]
    if not records:
        raise DataError(f"{data.name} has no people of {part}")
    return records
