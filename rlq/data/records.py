"""What every reader gives: records of pictures, the protocols that rank them, and class labels for training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.core.digest import file_digest, short_digest
from rlq.core.errors import DataError

Sample = Sequence[Path]  # the pictures that one feature is computed of: one picture, or the frames of a tracklet


@dataclass(frozen=True, slots=True)
class Record:
    """One picture, or one tracklet of pictures."""

    path: Path  # absolute; of a tracklet, its folder
    pid: str  # as the data set spells it: "092"; the same pid in train and test may be two people
    camera: str  # "A"
    clothes: str  # unique across people: "092C"
    split: str  # train, query or gallery
    key: str  # how the authors' side files name the picture
    tracklet: str = ""
    frames: tuple[str, ...] = ()  # of a tracklet: its pictures' names below `path`, in order

    @property
    def pictures(self) -> list[Path]:
        """The files behind it."""
        return [self.path / name for name in self.frames] if self.frames else [self.path]

    @property
    def cover(self) -> Path:
        """The file that stands for it in figures: of a tracklet, its middle frame."""
        return self.path / self.frames[len(self.frames) // 2] if self.frames else self.path


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
    pids_restart: bool = False  # whether numbers begin anew in the test, where equal ones are other people (Celeb-reID)
    clothes_known: bool = True  # whether training clothes are labelled; else a placeholder per person stands for them
    refused: Mapping[str, str] = field(default_factory=dict)  # protocol that people may expect here -> why it is not
    lists: tuple[Path, ...] = ()  # files that labels were read from, beside the names of pictures
    attributes: Mapping[str, Mapping[Path, int]] = field(default_factory=dict)  # gender, pose: of the set's own table

    @property
    def records(self) -> list[Record]:
        """Every picture or tracklet: train, query, gallery."""
        return [*self.train, *self.query, *self.gallery]

    @property
    def side_files(self) -> Path:
        """Where attribute files of this set are looked for."""
        return self.root / "rlq"

    @property
    def holds_tracklets(self) -> bool:
        """Whether its records are tracklets, which not every method trains on."""
        return any(record.frames for record in (*self.train[:1], *self.query[:1], *self.gallery[:1]))

    @property
    def shared_pids(self) -> list[str]:
        """Pids of training people that the test has too, though its numbers do not begin anew."""
        tested = {record.pid for record in (*self.query, *self.gallery)}
        return [] if self.pids_restart else sorted_pids({record.pid for record in self.train} & tested)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with any picture's name or size in bytes, with the split it belongs to, and with
        what the list files say."""
        try:
            lines = sorted(
                f"{record.split} {path.relative_to(self.root).as_posix()} {path.stat().st_size}"
                for record in self.records
                for path in record.pictures
            )
        except OSError as error:  # such as a link to nowhere
            raise DataError(f"{error.filename}: {error.strerror or error}") from error
        lines += [file_digest(path) for path in self.lists]
        return short_digest("\n".join(lines))


@dataclass(frozen=True)
class Published:
    """What the authors of a data set report about it; what is not in here they do not report."""

    # train, query, gallery, or test (query and gallery together) -> pictures, tracklets, identities, clothes, cameras
    splits: Mapping[str, Mapping[str, int]]
    valid_queries: Mapping[str, int] = field(default_factory=dict)  # protocol -> queries that have a match


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
