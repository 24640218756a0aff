"""Choose the people to label, and the pictures of each that the page shows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlq.core.seeding import generator
from rlq.data.records import Record
from rlq.labels.gender import part_of, people_of, person_of

CATEGORIES = ("train", "query", "gallery")


@dataclass(frozen=True)
class Subject:
    """One person to label."""

    pid: str  # as the data set spells it
    part: str  # train or test
    categories: tuple[str, ...]  # the authors' files have a row for the person in each
    pictures: tuple[Path, ...]


def subjects_of(records: Iterable[Record], pictures: int) -> list[Subject]:
    """Return the people in these records, sorted by id, each with at most `pictures` pictures."""
    records = list(records)
    records_of: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        records_of.setdefault(person_of(record), []).append(record)
    return [
        Subject(
            pid,
            person[0],
            tuple(split for split in CATEGORIES if any(record.split == split for record in records_of[person])),
            tuple(record.path for record in spread(records_of[person], pictures)),
        )
        for person, pid in people_of(records).items()
    ]


def spread(records: Sequence[Record], count: int) -> list[Record]:
    """Choose at most `count` of one person's records, spread over clothes and cameras.

    The next record is always of the pair of clothes and camera that was chosen least. The result is sorted by clothes,
    camera and name.
    """
    rng = generator("pictures of a person", part_of(records[0].split), records[0].pid)
    piles: dict[tuple[str, str], list[Record]] = {}
    for index in rng.permutation(len(records)):  # consecutive pictures look alike
        piles.setdefault((records[index].clothes, records[index].camera), []).append(records[index])
    pairs: Counter[tuple[str, str]] = Counter()
    clothes: Counter[str] = Counter()
    cameras: Counter[str] = Counter()
    chosen: list[Record] = []
    while len(chosen) < min(count, len(records)):
        pair = min(
            (pair for pair in sorted(piles) if piles[pair]),
            key=lambda pair: (pairs[pair], clothes[pair[0]], cameras[pair[1]]),
        )
        chosen.append(piles[pair].pop())
        pairs[pair] += 1
        clothes[pair[0]] += 1
        cameras[pair[1]] += 1
    return sorted(chosen, key=lambda record: (record.clothes, record.camera, record.path))
