"""Label the people of a data set male or female on a local page (`rlq gender annotate`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.data.records import Record, ReidData
from rlq.labels.annotate.people import subjects_of
from rlq.labels.annotate.server import Page
from rlq.labels.annotate.store import AnswerFile
from rlq.labels.gender import Answer
from rlq.synthetic.provide import read_picture_set

Part = Literal["train", "test"]


@dataclass(frozen=True)
class PartCounts:
    """The answers about one part of a data set."""

    part: Part
    answers: dict[str, Answer | None]  # pid -> answer, None for a person without one

    @property
    def missing(self) -> list[str]:
        return [pid for pid, answer in self.answers.items() if answer is None]

    def count(self, answer: Answer) -> int:
        return sum(given == answer for given in self.answers.values())

    def to_row(self) -> list[str]:
        people, missing = len(self.answers), len(self.missing)
        numbers = (people, people - missing, self.count("m"), self.count("f"), self.count("u"), missing)
        return [self.part, *map(str, numbers)]


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

    Answers that the file holds already are kept, so that the work can be continued on another day.
    """
    console = console or Console()
    data = read_picture_set(name, root, console)
    subjects = subjects_of(_records(data, part), pictures)
    answers = AnswerFile(output or data.side_files / "gender.csv", subjects)
    page = Page(answers, data.name, data.root, port=port)
    answered = sum(answer is not None for answer in answers.answers)
    console.line(f"{data.name}: {answered} of {len(subjects)} people ({part}) are answered in {answers.path}")
    if "gender" in data.attributes:
        console.line(f"the table of {name} has a column gender; training reads this file instead once it exists")
    console.line(f"open {page.address}")
    console.line("keys m, f, u (in doubt); every answer is saved at once; Ctrl-C ends")
    page.serve()
    return PartCounts(part, {subject.pid: answer for subject, answer in zip(subjects, answers.answers, strict=True)})


def _records(data: ReidData, part: Part) -> list[Record]:
    records = data.train if part == "train" else [*data.query, *data.gallery]
    if not records:
        raise DataError(f"{data.name} has no people of {part}")
    return records
