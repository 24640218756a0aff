"""What every reader gives: records of pictures, the protocols that rank them, and class labels for training."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.errors import DataError
from rlq.seeding import generator

QUERY_SHARE = (
    0.2  # of a held-out person's pictures, where no cameras tell queries from gallery (Celeb-reID's own share)
)


@dataclass(frozen=True, slots=True)
class Record:
    """One picture."""

    path: Path  # absolute
    pid: str  # as the data set spells it: "092"; the same pid in train and test may be two people
    camera: str  # "A"
    clothes: str  # unique across people: "092C"
    split: str  # train, query or gallery
    key: str  # how the authors' side files name the picture
    tracklet: str = ""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which queries and gallery pictures are ranked, and by which rule."""

    name: str  # CC, SC or General: the prefix of its metrics
    rule: str  # GENERAL, CC or SC: what counts as a match and what is left out
    query_cameras: frozenset[str] | None = None  # None: all
    gallery_cameras: frozenset[str] | None = None
    barrier: str = "camera"  # the record field whose equality bars a match: camera or tracklet
    note: str = ""  # printed beside the numbers


@dataclass(frozen=True)
class ReidData:
    """A data set as read from its folder."""

    name: str
    root: Path
    train: list[Record]
    query: list[Record]
    gallery: list[Record]
    protocols: tuple[Protocol, ...]
    single_shot: bool = False  # whether its paper ranks one gallery picture per person (data.prcc_shots)

    @property
    def records(self) -> list[Record]:
        """Every picture: train, query, gallery."""
        return [*self.train, *self.query, *self.gallery]

    @property
    def side_files(self) -> Path:
        """Where attribute files of this set are looked for."""
        return self.root / "rlq"


class Counts(NamedTuple):
    """Sizes to compare with what a data set's authors report; None where they report nothing."""

    train: int
    train_pids: int
    train_clothes: int | None
    query: int
    gallery: int
    test_pids: int


class TrainLabels(NamedTuple):
    """Class indices of training records, numbered by sorted original key."""

    pids: np.ndarray  # [N] int64
    clothes: np.ndarray  # [N] int64
    owner: np.ndarray  # [clothes classes] int64: the identity that wears each
    pid_names: list[str]
    clothes_names: list[str]


def class_indices(records: Sequence[Record]) -> TrainLabels:
    """Number identities (by their number where all have one) and clothes (as text) from 0."""
    if not records:
        raise DataError("there are no training pictures to number")
    pid_names = sorted_pids({record.pid for record in records})
    clothes_names = sorted({record.clothes for record in records})
    pid_of = {name: index for index, name in enumerate(pid_names)}
    clothes_of = {name: index for index, name in enumerate(clothes_names)}
    pids = np.array([pid_of[record.pid] for record in records])
    clothes = np.array([clothes_of[record.clothes] for record in records])
    owner = np.empty(len(clothes_names), np.int64)
    owner[clothes] = pids
    shared = np.flatnonzero(owner[clothes] != pids)
    if len(shared):
        raise DataError(
            f"clothes {records[shared[0]].clothes!r} belong to several people; their keys should hold the pid"
        )
    return TrainLabels(pids, clothes, owner, pid_names, clothes_names)


def sorted_pids(pids: set[str]) -> list[str]:
    """By number if all are numbers, else as text."""
    if all(pid.isdecimal() for pid in pids):
        return sorted(pids, key=lambda pid: (int(pid), pid))
    return sorted(pids)


def counts(data: ReidData) -> Counts:
    """What was found."""
    return Counts(
        train=len(data.train),
        train_pids=len({record.pid for record in data.train}),
        train_clothes=len({record.clothes for record in data.train}),
        query=len(data.query),
        gallery=len(data.gallery),
        test_pids=len({record.pid for record in (*data.query, *data.gallery)}),
    )


def fingerprint(data: ReidData) -> str:
    """16 hex digits that change with any picture's name or size in bytes, and with the split it belongs to."""
    lines = sorted(
        f"{record.split} {record.path.relative_to(data.root).as_posix()} {record.path.stat().st_size}"
        for record in data.records
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def split_holdout(data: ReidData, share: float, seed: int) -> ReidData:
    """Keep a share of the training identities out of training and make them query and gallery.

    The test pictures are gone from the result, so that nothing chosen by it has seen them. Where the protocols name
    cameras, these tell queries from gallery (PRCC: A is the gallery); else a fifth of each person's pictures, at least
    one, become queries. People with a single picture stay in training.
    """
    pids = sorted_pids({record.pid for record in data.train})
    held_count = round(share * len(pids))
    if held_count < 2 or len(pids) - held_count < 2:
        raise DataError(
            f"data.holdout = {share:g} of the {len(pids)} training identities of {data.name} is {held_count}; "
            "at least two are needed on either side"
        )
    held = set(generator(seed, "holdout").permutation(pids)[:held_count].tolist())
    held_records = [record for record in data.train if record.pid in held]
    query, gallery = _by_cameras(held_records, data) or _by_chance(held_records, seed)
    if not query or not gallery:
        raise DataError(
            f"the held-out identities of {data.name} give {len(query)} queries and {len(gallery)} gallery pictures; "
            "raise data.holdout or use data.selection=test"
        )
    moved = {record.path for record in (*query, *gallery)}
    return replace(
        data,
        train=[record for record in data.train if record.path not in moved],
        query=[replace(record, split="query") for record in query],
        gallery=[replace(record, split="gallery") for record in gallery],
    )


def _by_cameras(records: list[Record], data: ReidData) -> tuple[list[Record], list[Record]] | None:
    if any(protocol.gallery_cameras is None or protocol.query_cameras is None for protocol in data.protocols):
        return None
    gallery_cameras = frozenset().union(*(protocol.gallery_cameras or () for protocol in data.protocols))
    return (
        [record for record in records if record.camera not in gallery_cameras],
        [record for record in records if record.camera in gallery_cameras],
    )


def _by_chance(records: list[Record], seed: int) -> tuple[list[Record], list[Record]]:
    by_pid: dict[str, list[Record]] = {}
    for record in records:
        by_pid.setdefault(record.pid, []).append(record)
    chosen = set()
    for pid, own in by_pid.items():
        if len(own) > 1:
            order = generator(seed, "holdout queries", pid).permutation(len(own))
            chosen.update(own[index].path for index in order[: max(1, round(QUERY_SHARE * len(own)))])
    alone = {pid for pid, own in by_pid.items() if len(own) == 1}
    return (
        [record for record in records if record.path in chosen],
        [record for record in records if record.path not in chosen and record.pid not in alone],
    )
