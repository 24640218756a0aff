"""Which pictures a synthetic data set consists of: names and folders as PRCC and Celeb-reID have them."""

from dataclasses import dataclass

import numpy as np

from rlq.errors import SettingsError
from rlq.seeding import generator

PRCC_CAMERAS = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class PrccSpec:
    """Sizes of the target set. The default is learnt in minutes on a CPU."""

    train_people: int = 160
    test_people: int = 64
    train_pictures: int = 8  # per person and camera
    val_pictures: int = 1  # per person and camera, of the training people
    test_pictures: int = 6  # per person and camera
    artefacts: float = 0.3  # share of pictures that are pixelated, out of focus or motion-blurred
    seed: int = 1

    def __post_init__(self) -> None:
        _check(self, ("train_people", "test_people", "train_pictures", "test_pictures"))


@dataclass(frozen=True, slots=True)
class CelebSpec:
    """Sizes of the external set: clean pictures, a new outfit in nearly every one."""

    train_people: int = 160
    test_people: int = 40
    train_pictures: int = 20  # per person
    query_pictures: int = 3  # per person
    gallery_pictures: int = 6  # per person
    seed: int = 1

    def __post_init__(self) -> None:
        _check(self, ("train_people", "test_people", "train_pictures", "query_pictures", "gallery_pictures"))
        most = max(self.train_pictures, self.query_pictures + self.gallery_pictures)
        if most > 99:
            raise SettingsError(f"{most} pictures per person: Celeb-reID numbers them from 1 to 99")


Spec = PrccSpec | CelebSpec


def _check(spec: Spec, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(spec, name) < 1:
            raise SettingsError(f"{type(spec).__name__}.{name} = {getattr(spec, name)} should be at least 1")
    if isinstance(spec, PrccSpec) and not 0 <= spec.artefacts <= 1:
        raise SettingsError(f"PrccSpec.artefacts = {spec.artefacts} should be a share between 0 and 1")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to take."""

    path: str  # POSIX, relative to the set
    camera: str  # A, B, C, or "photo"
    outfit: int  # number of the outfit in the person's wardrobe
    masked: bool  # whether a parsing mask is written


@dataclass(frozen=True, slots=True)
class Album:
    """Everything to be taken of one person."""

    stream: str  # with the seed, decides who it is: people of two streams differ
    pid: str
    categories: tuple[str, ...]  # under which the lists name the person: train, or query and gallery
    pictures: tuple[Picture, ...]


def albums(spec: Spec) -> list[Album]:
    """All people of a set, in order."""
    return _prcc(spec) if isinstance(spec, PrccSpec) else _celeb(spec)


def _prcc(spec: PrccSpec) -> list[Album]:
    found = []
    for number in range(1, spec.train_people + spec.test_people + 1):
        rng = generator(spec.seed, "prcc layout", number)
        training = number <= spec.train_people
        changes = int(rng.integers(1, 4))  # outfits before camera C, where two people in three change once more
        amounts = {"train": spec.train_pictures, "val": spec.val_pictures} if training else {"test": spec.test_pictures}
        pid = f"{number:03d}"
        pictures = []
        for camera in PRCC_CAMERAS:
            # Frames of one walk, some apart; a few numbers reach four digits as in the real set.
            frames = 1 + int(rng.integers(1, 150)) * np.arange(sum(amounts.values()))
            taken = 0
            for split, amount in amounts.items():
                for _ in range(amount):
                    outfit = 0 if camera != "C" else 1 + changes * taken // sum(amounts.values())
                    frame = f"cropped_rgb{frames[taken]:03d}.jpg"
                    name = f"test/{camera}/{pid}/{frame}" if split == "test" else f"{split}/{pid}/{camera}_{frame}"
                    pictures.append(Picture(f"rgb/{name}", camera, outfit, split == "train"))
                    taken += 1
        categories = ("train",) if training else ("query", "gallery")
        found.append(Album("target", pid, categories, tuple(pictures)))
    return found


def _celeb(spec: CelebSpec) -> list[Album]:
    found = []
    for stream, people, amounts in (
        ("external train", spec.train_people, {"train": spec.train_pictures}),
        ("external test", spec.test_people, {"query": spec.query_pictures, "gallery": spec.gallery_pictures}),
    ):
        for number in range(1, people + 1):
            rng = generator(spec.seed, "celeb layout", stream, number)
            marks = np.sort(rng.permutation(99)[: sum(amounts.values())]) + 1
            rng.shuffle(marks)
            pictures, outfit = [], -1
            for split, amount in amounts.items():
                for _ in range(amount):
                    outfit += int(outfit < 0 or rng.random() < 0.85)
                    name = f"{split}/{number}_{marks[len(pictures)]}_{int(rng.integers(10))}.jpg"
                    pictures.append(Picture(name, "photo", outfit, False))
            found.append(Album(stream, str(number), tuple(amounts), tuple(pictures)))
    return found
