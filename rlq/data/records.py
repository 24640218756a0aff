"""The output of every reader: records of pictures, protocols that rank them, and class labels for training."""

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

    path: Path  # absolute; for a tracklet, its folder
    pid: str  # as the data set spells it: "092"; the same pid in train and test can be two people
    camera: str  # "A"
    clothes: str  # unique across people: "092C"
    split: str  # train, query or gallery
    key: str  # how the authors' side files name the picture
    tracklet: str = ""
    frames: tuple[str, ...] = ()  # for a tracklet, its pictures' names below `path`, in order

    @property
    def pictures(self) -> list[Path]:
        """Return the record's files."""
        return [self.path / name for name in self.frames] if self.frames else [self.path]

    @property
    def cover(self) -> Path:
        """The file that stands for it in figures: of a tracklet, its middle frame."""
        return self.path / self.frames[len(self.frames) // 2] if self.frames else self.path


@dataclass(frozen=True, slots=True)
class Protocol:
    """The queries and gallery pictures to rank, and the rule."""

    name: str  # CC, SC or General: the prefix of its metrics
    rule: str  # GENERAL, CC or SC: what counts as a match and what is junk
    query_cameras: frozenset[str] | None = None  # None: all
    gallery_cameras: frozenset[str] | None = None
    junk_by: str = "camera"  # the record field whose equality makes a match junk: camera or tracklet
    note: str = ""  # printed beside the numbers


@dataclass(frozen=True)
class ReidData:
    """A data set as it was read from its folder."""

    name: str
    root: Path
    train: list[Record]
    query: list[Record]
    gallery: list[Record]
    protocols: tuple[Protocol, ...]
    single_shot: bool = False  # whether its paper ranks one gallery picture per person (data.prcc_shots)
    pids_restart: bool = False  # whether the test numbers people from 1 again, so equal pids differ (Celeb-reID)
    clothes_known: bool = True  # whether training clothes are labelled; if not, each person has one placeholder
    refused: Mapping[str, str] = field(default_factory=dict)  # protocol that people may expect -> why it is not offered
    lists: tuple[Path, ...] = ()  # files that labels were read from, besides the names of pictures
    attributes: Mapping[str, Mapping[Path, int]] = field(default_factory=dict)  # gender, pose: from the set's own table

    @property
    def records(self) -> list[Record]:
        """Return every picture or tracklet: train, query, gallery."""
        return [*self.train, *self.query, *self.gallery]

    @property
    def side_files(self) -> Path:
        """Return the folder of this data set's attribute files."""
        return self.root / "rlq"

    @property
    def holds_tracklets(self) -> bool:
        """Return whether the records are tracklets, on which not every method can train."""
        return any(record.frames for record in (*self.train[:1], *self.query[:1], *self.gallery[:1]))

    def only_pictures(self, purpose: str) -> "ReidData":
        """Return the same data set. Raises DataError for one of tracklets; `purpose` says what needs pictures."""
        if self.holds_tracklets:
            raise DataError(f"{self.name} holds tracklets; {purpose} needs a data set of single pictures")
        return self

    @property
    def shared_pids(self) -> list[str]:
        """Return the pids that are in both training and test, unless the test numbers its people from 1 again."""
        test_pids = {record.pid for record in (*self.query, *self.gallery)}
        return [] if self.pids_restart else sorted_pids({record.pid for record in self.train} & test_pids)

    @cached_property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that depend on every picture's name, split and size in bytes, and on the content
        of the list files."""
        try:
            lines = sorted(
                f"{record.split} {path.relative_to(self.root).as_posix()} {path.stat().st_size}"
                for record in self.records
                for path in record.pictures
            )
        except OSError as error:  # such as a broken link
            raise DataError(f"{error.filename}: {error.strerror or error}") from error
        lines += [file_digest(path) for path in self.lists]
        return short_digest("\n".join(lines))


@dataclass(frozen=True)
class Published:
    """The numbers that the authors of a data set report; numbers that they do not report are absent."""

    # train, query, gallery, or test (query and gallery together) -> pictures, tracklets, identities, clothes, cameras
    splits: Mapping[str, Mapping[str, int]]
    valid_queries: Mapping[str, int] = field(default_factory=dict)  # protocol -> queries that have a match


class TrainLabels(NamedTuple):
    """Class indices of training records, numbered by sorted original key."""

    pids: np.ndarray  # [N] int64
    clothes: np.ndarray  # [N] int64
    owner: np.ndarray  # [clothes classes] int64: the identity that each belongs to
    pid_names: list[str]
    clothes_names: list[str]


def class_indices(records: Sequence[Record]) -> TrainLabels:
    """Number identities and clothes from 0: identities by number if all pids are numbers, clothes as text."""
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
    """Sort pids by number if all are numbers, otherwise as text."""
    if all(pid.isdecimal() for pid in pids):
        return sorted(pids, key=lambda pid: (int(pid), pid))
    return sorted(pids)
