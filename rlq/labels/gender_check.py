"""Count which people of a data set have a gender label (`rlq gender check`)."""

from dataclasses import dataclass
from pathlib import Path

from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.text import listed, table
from rlq.data.records import ReidData
from rlq.labels.gender import Answer, Person, people_of, person_of, read_answers
from rlq.labels.gender_annotate import Part, PartCounts
from rlq.synthetic.provide import read_picture_set

PARTS: tuple[Part, ...] = ("train", "test")
SHOWN = 10


@dataclass(frozen=True)
class GenderReport:
    """What a gender file says about a data set."""

    source: str  # the file, or the data set's own table
    parts: tuple[PartCounts, ...]
    strangers: int  # people in the file who are not in the data set

    @property
    def stops_training(self) -> bool:
        """Return whether a training person has no label; the labels of test people are used for metrics only."""
        return bool(self.parts[0].missing)

    def to_text(self) -> str:
        header = ["people", "in all", "labelled", "male", "female", "in doubt", "missing"]
        lines = [f"{self.source}:", table([part.to_row() for part in self.parts], header=header)]
        lines += [f"missing of {part.part}: {listed(part.missing, SHOWN)}" for part in self.parts if part.missing]
        if self.strangers:
            lines.append(f"{self.strangers} people of the file are not in the set")
        return "\n".join(lines)


def check_genders(name: str, root: Path, *, file: Path | None = None, console: Console | None = None) -> GenderReport:
    """Count the answers about a data set's people. Raises DataError if the file is missing or broken."""
    data = read_picture_set(name, root, console or Console())
    path = file or data.side_files / "gender.csv"
    people = people_of(data.records)
    if path.is_file():
        source, answers = str(path), read_answers(path)
    elif "gender" in data.attributes:
        source, answers = f"the table of {name} in {data.root}", _answers_of_table(data)
    else:
        raise DataError(f"there is no {path}; rlq gender annotate --data {name} makes it, the authors' file goes there")
    parts = tuple(
        PartCounts(part, {pid: answers.get(person) for person, pid in people.items() if person[0] == part})
        for part in PARTS
    )
    return GenderReport(source, parts, len(answers.keys() - people.keys()))


def _answers_of_table(data: ReidData) -> dict[Person, Answer]:
    """Return the genders in the data set's own table, which has no word for doubt."""
    genders = data.attributes["gender"]
    of_people = {person_of(record): genders[record.path] for record in data.records if record.path in genders}
    return {person: "m" if gender else "f" for person, gender in of_people.items()}
