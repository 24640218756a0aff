"""Read the authors' gender files: Category (the split), ID, Gender (1 male, 0 female or in doubt), a row per person."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rlq.data.records import Record, sorted_pids
from rlq.data.tables import read_table
from rlq.errors import DataError

COLUMNS = ("Category", "ID", "Gender")


def read_genders(path: Path) -> dict[tuple[str, str], int]:
    """(part, plain id) -> 1 or 0; the part is train or test, because equal ids in both may be two people."""
    genders: dict[tuple[str, str], int] = {}
    for row in read_table(path, COLUMNS, "gender file"):
        gender = {"1": 1, "1.0": 1, "0": 0, "0.0": 0}.get(row["Gender"])
        if gender is None:
            raise DataError(f"{row.place}: gender {row['Gender']!r} is neither 1 (male) nor 0 (female)")
        key = (part_of(row["Category"].lower()), plain_id(row["ID"]))
        if genders.setdefault(key, gender) != gender:
            raise DataError(f"{row.place}: person {row['ID']} is {gender} here and {genders[key]} before")
    if not genders:
        raise DataError(f"{path}: holds no person")
    return genders


def genders_of(records: Sequence[Record], genders: Mapping[tuple[str, str], int], source: Path) -> np.ndarray:
    """Each record's gender: int64 [N]."""
    keys = [(part_of(record.split), plain_id(record.pid)) for record in records]
    missing = sorted_pids({record.pid for record, key in zip(records, keys) if key not in genders})
    if missing:
        more = ", ..." if len(missing) > 10 else ""
        raise DataError(
            f"{source}: has no row for {len(missing)} of {len(set(keys))} people: {', '.join(missing[:10])}{more}"
        )
    return np.array([genders[key] for key in keys], np.int64)


def part_of(split: str) -> str:
    """Query, gallery and test show the same people; training shows others."""
    return "train" if split == "train" else "test"


def plain_id(pid: str) -> str:
    """An id without the letters before its number and without leading zeros: p0003, 003 and 3 are one person."""
    number = re.fullmatch(r"[A-Za-z]*0*(\d+)(?:\.0)?", pid)
    return number[1] if number else pid
