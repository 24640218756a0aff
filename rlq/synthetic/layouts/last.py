"""LaST's layout: people from films, outfits labelled in training only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Picture, Spec
from rlq.synthetic.layouts.oddities import PICTURE_ODDITIES


@dataclass(frozen=True)
class LastSpec(Spec):
    """Sizes of a set in LaST's layout."""

    LAYOUT: ClassVar[str] = "last"
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES | {
        "folder_of_another_pid": "the first training folder has another pid than the pictures in it",
    }
    LEAST: ClassVar[Mapping[str, int]] = {"val_people": 0}
    MOST_PEOPLE: ClassVar[int] = 999_999

    val_people: int = 2
    outfits: int = 3  # per person
    train_pictures: int = 4  # per person and outfit
    query_pictures: int = 1  # per person, of val and test
    gallery_pictures: int = 5  # per person, of val and test
    artefacts: float = 0.3


def last_albums(spec: LastSpec) -> list[Album]:
    """Return all people: train, val, test."""
    made: list[Album] = []
    for part, people in (("train", spec.train_people), ("val", spec.val_people), ("test", spec.test_people)):
        for _ in range(people):
            number = len(made) + 1
            pictures = _training(spec, number) if part == "train" else _testing(spec, number, part)
            categories = {"train": ("train",), "val": ("val",), "test": ("query", "gallery")}[part]
            made.append(Album("last", f"{number:06d}", categories, tuple(pictures), str(number)))
    return made


def _training(spec: LastSpec, number: int) -> list[Picture]:
    pid = f"{number:06d}"
    folder = f"{number + 900_000:06d}" if "folder_of_another_pid" in spec.oddities and number == 1 else pid
    names = _names(spec, number, spec.outfits * spec.train_pictures)
    pictures = []
    for place, name in enumerate(names):
        outfit = place // spec.train_pictures
        labelled = f"{name}_{outfit + 1:03d}"
        path, key = f"train/{folder}/{labelled}.jpg", f"{folder}_{labelled}"
        pictures.append(Picture(path, key, "photo", outfit, "train", True))
    return pictures


def _testing(spec: LastSpec, number: int, part: str) -> list[Picture]:
    """Return test pictures; outfits change as in training, but the name's last field, the outfit, is always 000."""
    pictures = []
    for place, name in enumerate(_names(spec, number, spec.query_pictures + spec.gallery_pictures)):
        role = "query" if place < spec.query_pictures else "gallery"
        folder = f"{part}/query" if role == "query" else f"{part}/gallery/{number:06d}"
        split = part if part == "val" else role
        key = f"{number:06d}_{name}_000"
        pictures.append(Picture(f"{folder}/{name}_000.jpg", key, "photo", place % spec.outfits, split, False))
    return pictures


def _names(spec: LastSpec, number: int, count: int) -> list[str]:
    """Return names <pid>_<film>_<scene>_<frame of 4 or 5 digits>_<box>, in order."""
    rng = generator(spec.seed, "last layout", number)
    film, scene, frame = int(rng.integers(1, 1000)), int(rng.integers(1, 500)), int(rng.integers(8000, 9990))
    names = []
    for _ in range(count):
        frame += int(rng.integers(1, 60))
        names.append(f"{number:06d}_{film:03d}_{scene:05d}_{frame:04d}_{int(rng.integers(1, 9)):02d}")
    return names
