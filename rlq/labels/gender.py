"""Files of gender labels: Category (the split), ID, Gender (1 male, 0 female or in doubt), a row per person.

The authors' files have these columns; ours add Answer (m, f or u), which records doubt.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from re import fullmatch
from typing import Literal, get_args

import numpy as np

from rlq.core.errors import DataError
from rlq.core.text import listed
from rlq.data.readers.tables import Row, read_table
from rlq.data.records import Record, sorted_pids

COLUMNS = ("Category", "ID", "Gender")
EXTRA = "Answer"
Answer = Literal["m", "f", "u"]  # male, female, in doubt
ANSWERS: tuple[Answer, ...] = get_args(Answer)
WORDS: dict[str, Answer] = {"m": "m", "male": "m", "f": "f", "female": "f", "u": "u"}
NUMBERS: dict[str, Answer] = {"1": "m", "1.0": "m", "0": "f", "0.0": "f"}

Person = tuple[str, str]  # part, plain id; the part is train or test, because equal ids in both can be two people


def read_genders(path: Path) -> dict[Person, int]:
    """Read a gender file: (part, plain id) -> 1 male, 0 female or in doubt."""
    return {person: gender_of(answer) for person, answer in read_answers(path).items()}


def read_answers(path: Path) -> dict[Person, Answer]:
    """Read a gender file: (part, plain id) -> m, f or u; 0 in a file without Answer is read as f."""
    answers: dict[Person, Answer] = {}
    for row in read_table(path, COLUMNS, "gender file"):
        answer, person = answer_in(row), person_in(row)
        if answers.setdefault(person, answer) != answer:
            raise DataError(f"{row.place}: person {row['ID']} is {answer} here and {answers[person]} before")
    if not answers:
        raise DataError(f"{path}: holds no person")
    return answers


def answer_in(row: Row) -> Answer:
    """Return a row's answer, from the column Answer if it is filled."""
    gender, answer = row["Gender"].lower(), row.get(EXTRA, "").lower()
    by_gender = NUMBERS.get(gender) or WORDS.get(gender)
    if by_gender is None:
        raise DataError(
            f"{row.place}: gender {row['Gender']!r} should be 1 (male), 0 (female) or one of {', '.join(WORDS)}"
        )
    if not answer:
        return by_gender
    if answer not in WORDS:
        raise DataError(f"{row.place}: answer {row[EXTRA]!r} should be one of {', '.join(WORDS)}")
    if gender_of(WORDS[answer]) != gender_of(by_gender):
        raise DataError(f"{row.place}: gender {row['Gender']} and answer {row[EXTRA]} contradict each other")
    return WORDS[answer]


def genders_of(records: Sequence[Record], genders: Mapping[Person, int], source: Path) -> np.ndarray:
    """Return each record's gender: int64 [N]. Raises DataError with the people who have none."""
    people = people_of(records)
    missing = [pid for person, pid in people.items() if person not in genders]
    if missing:
        raise DataError(f"{source}: {_explained(missing, people, genders)}")
    return np.array([genders[person_of(record)] for record in records], np.int64)


def person_of(record: Record) -> Person:
    """Return the person in a record, as gender files distinguish people."""
    return part_of(record.split), plain_id(record.pid)


def people_of(records: Iterable[Record]) -> dict[Person, str]:
    """Return (part, plain id) -> the id as the data set spells it, sorted by id, training first."""
    spelt: dict[str, set[str]] = {}
    for record in records:
        spelt.setdefault(part_of(record.split), set()).add(record.pid)
    people: dict[Person, str] = {}
    for part in sorted(spelt, reverse=True):
        for pid in sorted_pids(spelt[part]):
            if people.setdefault((part, plain_id(pid)), pid) != pid:
                raise DataError(
                    f"people {people[part, plain_id(pid)]!r} and {pid!r} are the same in a gender file, which ignores "
                    "letters before a number and leading zeros; rename one of them"
                )
    return people


def person_in(row: Row) -> Person:
    """Return the person whom a row labels."""
    return part_of(row["Category"].lower()), plain_id(row["ID"])


def gender_of(answer: Answer) -> int:
    """Return 1 for male, 0 for female or in doubt."""
    return int(answer == "m")


def part_of(split: str) -> str:
    """Return the part of a split: query, gallery and test show the same people, training shows others."""
    return "test" if split in ("query", "gallery") else split


def plain_id(pid: str) -> str:
    """Return an id without the letters before its number and leading zeros: p0003, 003 and 3 are one person."""
    number = fullmatch(r"[A-Za-z]*0*(\d+)(?:\.0)?", pid)
    return number[1] if number else pid


def _explained(missing: list[str], people: Mapping[Person, str], genders: Mapping[Person, int]) -> str:
    """Return a sentence about the people without a row and those whom the file lists instead."""
    parts = {part for part, _ in people}
    in_file = sorted_pids({pid for part, pid in genders if part in parts})
    others = sorted({part for part, _ in genders} - parts)
    text = (
        f"has no row for {len(missing)} of {len(people)} people ({', '.join(sorted(parts))}): {listed(missing, 10)}; "
    )
    text += f"it lists {len(in_file)}: {listed(in_file, 5)}" if in_file else f"all its rows are of {', '.join(others)}"
    return text + ("; is it the file of another data set?" if len(missing) == len(people) else "")
