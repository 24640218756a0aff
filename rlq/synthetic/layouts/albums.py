"""The common part of all layouts: sizes, the pictures to take of one person, and the names of pictures."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

from rlq.core.errors import SettingsError
from rlq.synthetic.layouts.oddities import PICTURE_ODDITIES, check_oddities
from rlq.synthetic.people import Person

SMALLEST = 16  # pixels a side


@dataclass(frozen=True)
class Spec:
    """Sizes of a data set and the oddities of real files in it. Every layout adds its own sizes."""

    LAYOUT: ClassVar[str]  # name of the data set that has this layout
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES  # name -> effect
    LEAST: ClassVar[Mapping[str, int]] = {}  # smallest values of sizes, where it is not 1
    MOST: ClassVar[Mapping[str, int]] = {}  # largest values of sizes
    MOST_PEOPLE: ClassVar[int] = 999  # as many as its file names can number

    train_people: int = 16
    test_people: int = 8
    _: KW_ONLY
    seed: int = 1
    picture_size: tuple[int, int] | None = None  # height, width; None: as drawn, 256 x 128
    oddities: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        title = self.LAYOUT
        for name in (field.name for field in fields(self) if field.type is int and field.name != "seed"):
            value, least, most = getattr(self, name), self.LEAST.get(name, 1), self.MOST.get(name, math.inf)
            if value < least:
                raise SettingsError(f"{title}: {name} = {value} should be at least {least}")
            if value > most:
                raise SettingsError(f"{title}: {name} = {value} should be at most {most}")
        people = sum(getattr(self, field.name) for field in fields(self) if field.name.endswith("_people"))
        if people > self.MOST_PEOPLE:
            raise SettingsError(f"{title}: {people} people; the names of this layout number {self.MOST_PEOPLE} at most")
        share = getattr(self, "artefacts", 0.0)
        if not 0 <= share <= 1:
            raise SettingsError(f"{title}: artefacts = {share} should be a share between 0 and 1")
        if self.picture_size is not None and min(self.picture_size) < SMALLEST:
            raise SettingsError(f"{title}: picture_size = {self.picture_size} should be at least {SMALLEST} each way")
        check_oddities(self.oddities, self.ODDITIES, title)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture or clip to take."""

    path: str  # POSIX, relative to the data set
    key: str  # its name in the authors' side files
    camera: str  # whose look it has: A, B, C, or "photo"
    outfit: int  # number of the outfit in the person's wardrobe
    split: str  # train, val, query or gallery
    masked: bool  # whether a parsing mask is written
    tracklet: str = ""  # its pictures share place, view and light; the person walks on from each to the next
    phase: float | None = None  # of the walk, in turns of the gait


@dataclass(frozen=True, slots=True)
class Album:
    """All pictures to take of one person."""

    stream: str  # decides the person's properties, together with the seed and the pid
    pid: str
    categories: tuple[str, ...]  # of the person in the authors' lists: train, or query and gallery
    pictures: tuple[Picture, ...]
    listed: str = ""  # the pid in the authors' lists, if they write it differently

    @property
    def list_id(self) -> str:
        return self.listed or self.pid


@dataclass(frozen=True)
class Facts:
    """An album with the results of taking its pictures, from which list files are written."""

    album: Album
    person: Person
    poses: Mapping[str, int]  # path -> pose cluster from 1, 0 without a detection


def look_of_camera(camera: int) -> str:
    """Return which of the three cameras of the surveillance set a numbered camera looks like."""
    return "ABC"[(camera - 1) % 3]


def stem(path: str) -> str:
    """Return the file name without folders and suffix."""
    return path.rpartition("/")[2].rpartition(".")[0]
