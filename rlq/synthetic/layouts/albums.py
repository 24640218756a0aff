"""What all layouts share: the sizes to ask for, the pictures to take of one person, and how the pictures are named."""

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
    """Sizes of a set. Every layout adds its own, and may be asked for oddities of real files."""

    LAYOUT: ClassVar[str]  # the data set whose layout it is; messages name it
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES  # word -> what it does
    LEAST: ClassVar[Mapping[str, int]] = {}  # of sizes that need not, or must not, be 1
    MOST: ClassVar[Mapping[str, int]] = {}
    MOST_PEOPLE: ClassVar[int] = 999  # that its file names can number

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
    """One picture to take, or one clip."""

    path: str  # POSIX, relative to the set
    key: str  # how the authors' side files name it
    camera: str  # what it looks like: A, B, C, or "photo"
    outfit: int  # number of the outfit in the person's wardrobe
    split: str  # train, val, query or gallery
    masked: bool  # whether a parsing mask is written
    tracklet: str = ""  # pictures of one share place, view and light; the person walks on from one to the next
    phase: float | None = None  # of that walk, in turns


@dataclass(frozen=True, slots=True)
class Album:
    """Everything to be taken of one person."""

    stream: str  # with the seed, decides who it is: people of two streams differ
    pid: str
    categories: tuple[str, ...]  # under which the lists name the person: train, or query and gallery
    pictures: tuple[Picture, ...]
    listed: str = ""  # the pid as the authors' lists have it, where they write it otherwise

    @property
    def list_id(self) -> str:
        return self.listed or self.pid


@dataclass(frozen=True)
class Facts:
    """What is known of an album once its pictures are taken: list files are written from it."""

    album: Album
    person: Person
    poses: Mapping[str, int]  # path -> pose cluster from 1, 0 where nobody was detected


def look(camera: int) -> str:
    """Numbered cameras look like the three of the surveillance set, in turn."""
    return "ABC"[(camera - 1) % 3]


def stem(path: str) -> str:
    """The file name without folders and suffix."""
    return path.rpartition("/")[2].rpartition(".")[0]
