"""Celeb-reID's layout: photographs, a new outfit in nearly every one. The default is the built-in external set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Picture, Spec, stem
from rlq.synthetic.layouts.oddities import MASK_ODDITIES, PICTURE_ODDITIES


@dataclass(frozen=True)
class CelebSpec(Spec):
    """Sizes of the external set: clean pictures, a new outfit in nearly every one."""

    LAYOUT: ClassVar[str] = "celeb_reid"
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES | {
        "masks": "parsing masks of the training pictures, which the plain set has not; every form of mask brings them",
        "names_shared_by_splits": "names of training pictures come again in gallery and query, for other people",
        "repeated_y": "two gallery pictures of each person share y and differ in z alone",
    }
    MOST_PEOPLE: ClassVar[int] = 99_999

    train_people: int = 160
    test_people: int = 40
    train_pictures: int = 20  # per person
    query_pictures: int = 3  # per person
    gallery_pictures: int = 6  # per person

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        most = max(self.train_pictures, self.query_pictures + self.gallery_pictures)
        if most > 99:
            raise SettingsError(f"{most} pictures per person: Celeb-reID numbers them from 1 to 99")
        if "repeated_y" in self.oddities and self.gallery_pictures < 2:
            raise SettingsError(f"{self.LAYOUT}: the oddity repeated_y needs gallery_pictures of 2 or more")


@dataclass(frozen=True)
class CelebLightSpec(CelebSpec):
    """Celeb-reID-light: fewer people and pictures."""

    LAYOUT: ClassVar[str] = "celeb_reid_light"

    train_people: int = 16
    test_people: int = 8
    train_pictures: int = 8
    query_pictures: int = 2
    gallery_pictures: int = 2


def celeb_albums(spec: CelebSpec) -> list[Album]:
    """All people, in order; numbers start again in the test, for other people."""
    found = []
    asks_masks = bool(spec.oddities & {"masks", *MASK_ODDITIES})
    for stream, people, amounts in (
        ("external train", spec.train_people, {"train": spec.train_pictures}),
        ("external test", spec.test_people, {"query": spec.query_pictures, "gallery": spec.gallery_pictures}),
    ):
        for number in range(1, people + 1):
            rng = generator(spec.seed, "celeb layout", stream, number)
            marks = np.sort(rng.permutation(99)[: sum(amounts.values())]) + 1
            rng.shuffle(marks)
            pictures: list[Picture] = []
            outfit = -1
            for split, amount in amounts.items():
                for _ in range(amount):
                    outfit += int(outfit < 0 or rng.random() < 0.85)
                    name = f"{number}_{marks[len(pictures)]}_{int(rng.integers(10))}"
                    masked = split == "train" and asks_masks
                    pictures.append(Picture(f"{split}/{name}.jpg", name, "photo", outfit, split, masked))
            found.append(Album(stream, str(number), tuple(amounts), tuple(pictures)))
    if "repeated_y" in spec.oddities:
        found = [_with_repeated_y(album) for album in found]
    if "names_shared_by_splits" in spec.oddities:
        found = _with_shared_names(found)
    return found


def _with_repeated_y(album: Album) -> Album:
    places = [place for place, picture in enumerate(album.pictures) if picture.split == "gallery"][:2]
    if not places:  # a training album
        return album
    pid, y, z = album.pictures[places[0]].key.split("_")
    return _renamed(album, {places[1]: f"{pid}_{y}_{(int(z) + 1) % 10}"})


def _with_shared_names(found: list[Album]) -> list[Album]:
    """The first query picture and the first of the gallery of each pid are called like training pictures of it."""
    train = {album.pid: [stem(picture.path) for picture in album.pictures] for album in found if _is_training(album)}
    changed = []
    for album in found:
        names, given = train.get(album.pid, []), {}
        for split, name in zip(("gallery", "query"), () if _is_training(album) else names, strict=False):
            mine = [place for place, picture in enumerate(album.pictures) if picture.split == split]
            if mine and name not in {album.pictures[place].key for place in mine}:
                given[mine[0]] = name
        changed.append(_renamed(album, given))
    return changed


def _is_training(album: Album) -> bool:
    return album.categories == ("train",)


def _renamed(album: Album, names: dict[int, str]) -> Album:
    """The album with other names for the pictures at these places."""
    pictures = list(album.pictures)
    for place, name in names.items():
        pictures[place] = replace(pictures[place], path=f"{pictures[place].split}/{name}.jpg", key=name)
    return replace(album, pictures=tuple(pictures))
