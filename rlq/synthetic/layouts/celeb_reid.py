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
    """Sizes of the external set: clean pictures, with a new outfit in nearly every one."""

    LAYOUT: ClassVar[str] = "celeb_reid"
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES | {
        "masks": "parsing masks of the training pictures; every variant of masks includes this",
        "names_shared_by_splits": "names of training pictures are repeated in gallery and query, for other people",
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
    """Return all people; the test numbers its people from 1 again."""
    made = []
    has_masks = bool(spec.oddities & {"masks", *MASK_ODDITIES})
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
                    masked = split == "train" and has_masks
                    pictures.append(Picture(f"{split}/{name}.jpg", name, "photo", outfit, split, masked))
            made.append(Album(stream, str(number), tuple(amounts), tuple(pictures)))
    if "repeated_y" in spec.oddities:
        made = [_with_repeated_y(album) for album in made]
    if "names_shared_by_splits" in spec.oddities:
        made = _with_shared_names(made)
    return made


def _with_repeated_y(album: Album) -> Album:
    places = [place for place, picture in enumerate(album.pictures) if picture.split == "gallery"][:2]
    if not places:  # a training album
        return album
    pid, y, z = album.pictures[places[0]].key.split("_")
    return _renamed(album, {places[1]: f"{pid}_{y}_{(int(z) + 1) % 10}"})


def _with_shared_names(albums: list[Album]) -> list[Album]:
    """Give the first query picture and the first gallery picture of each pid the names of its training pictures."""
    train = {album.pid: [stem(picture.path) for picture in album.pictures] for album in albums if _is_training(album)}
    changed = []
    for album in albums:
        names, new_names = train.get(album.pid, []), {}
        for split, name in zip(("gallery", "query"), () if _is_training(album) else names, strict=False):
            places = [place for place, picture in enumerate(album.pictures) if picture.split == split]
            if places and name not in {album.pictures[place].key for place in places}:
                new_names[places[0]] = name
        changed.append(_renamed(album, new_names))
    return changed


def _is_training(album: Album) -> bool:
    return album.categories == ("train",)


def _renamed(album: Album, names: dict[int, str]) -> Album:
    """Return the album with new names for the pictures at these places."""
    pictures = list(album.pictures)
    for place, name in names.items():
        pictures[place] = replace(pictures[place], path=f"{pictures[place].split}/{name}.jpg", key=name)
    return replace(album, pictures=tuple(pictures))
