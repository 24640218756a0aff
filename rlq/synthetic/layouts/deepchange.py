"""DeepChange's layout: seventeen cameras over a year, one outfit a day, and list files that are the index."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import ClassVar

from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Facts, Picture, Spec, look_of_camera
from rlq.synthetic.layouts.oddities import PICTURE_ODDITIES

CAMERAS = 17
FIRST_DAY, DAYS = date(2020, 8, 13), 320
FOLDERS = ("train-set", "val-set-query", "val-set-gallery", "test-set-query", "test-set-gallery")


@dataclass(frozen=True)
class DeepChangeSpec(Spec):
    """Sizes of a set in DeepChange's layout."""

    LAYOUT: ClassVar[str] = "deepchange"
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES | {
        "listed_but_missing": "the first listed training picture is not on disk",
    }
    LEAST: ClassVar[Mapping[str, int]] = {"val_people": 0, "tracklets": 2, "pictures": 2}
    MOST: ClassVar[Mapping[str, int]] = {"days": DAYS, "cameras": CAMERAS, "pictures": 2000}
    MOST_PEOPLE: ClassVar[int] = 9999

    val_people: int = 2
    days: int = 2  # per person, each in another outfit
    cameras: int = 2  # per day
    tracklets: int = 2  # per day and camera, so that a camera holds matches of other tracklets
    pictures: int = 2  # per tracklet; of the test's, the first one is a query
    artefacts: float = 0.3


def deepchange_albums(spec: DeepChangeSpec) -> list[Album]:
    """Return all people: train, val, test. Tracklets are numbered over all of them; query and gallery share them."""
    made: list[Album] = []
    tracklets = count(1)
    for part, people in (("train", spec.train_people), ("val", spec.val_people), ("test", spec.test_people)):
        for _ in range(people):
            pid = f"p{len(made) + 1:04d}"
            categories = {"train": ("train",), "val": ("val",), "test": ("query", "gallery")}[part]
            pictures = tuple(_pictures(spec, part, pid, tracklets))
            made.append(Album("deepchange", pid, categories, pictures))
    return made


def _pictures(spec: DeepChangeSpec, part: str, pid: str, tracklets: Iterator[int]) -> Iterator[Picture]:
    rng = generator(spec.seed, "deepchange layout", pid)
    for outfit, day in enumerate(sorted(rng.permutation(DAYS)[: spec.days])):
        on = (FIRST_DAY + timedelta(days=int(day))).strftime("%Y%m%d")
        for camera in sorted(rng.permutation(CAMERAS)[: spec.cameras] + 1):
            for _ in range(spec.tracklets):
                hour, minute, second = int(rng.integers(6, 20)), *rng.integers(0, 60, 2)
                walk = f"{pid}_c{camera:02d}_{on}_{hour:02d}{minute:02d}{second:02d}"
                first, phase, tracklet = int(rng.integers(100, 90_000)), float(rng.random()), str(next(tracklets))
                for place in range(spec.pictures):
                    role = "query" if place == 0 else "gallery"
                    folder = "train-set" if part == "train" else f"{part}-set-{role}"
                    name = f"{walk}_{first + 6 * place:06d}_bbox"
                    path, split = f"{folder}/{name}.jpg", role if part == "test" else part
                    at = phase + 0.2 * place
                    yield Picture(path, name, look_of_camera(int(camera)), outfit, split, part == "train", tracklet, at)


def write_deepchange_lists(root: Path, spec: DeepChangeSpec, facts: list[Facts]) -> None:
    """Write a list beside each folder: its pictures, each with the number of its tracklet."""
    pictures = [picture for of_person in facts for picture in of_person.album.pictures]
    for folder in FOLDERS:
        in_folder = [picture for picture in pictures if picture.path.startswith(f"{folder}/")]
        lines = "".join(f"{picture.path.removeprefix(f'{folder}/')},{picture.tracklet}\n" for picture in in_folder)
        (root / folder).mkdir(exist_ok=True)
        (root / f"{folder}-bbox.txt").write_text(lines, encoding="utf-8")
    if "listed_but_missing" in spec.oddities:
        (root / pictures[0].path).unlink()
