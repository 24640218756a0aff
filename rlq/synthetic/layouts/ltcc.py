"""LTCC's layout: many cameras, several outfits for most people and a single one for the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Facts, Picture, Spec, look_of_camera
from rlq.synthetic.layouts.oddities import PICTURE_ODDITIES

CAMERAS = 12
FOLDERS = {"train": "train", "query": "query", "gallery": "test"}  # its gallery is called test


@dataclass(frozen=True)
class LtccSpec(Spec):
    """Sizes of a set in LTCC's layout; one person in three has a single outfit."""

    LAYOUT: ClassVar[str] = "ltcc"
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES | {
        "sizes_vary": "pictures of many sizes, some under 32 pixels wide",
    }
    LEAST: ClassVar[Mapping[str, int]] = {"cameras": 2, "pictures": 2}
    MOST: ClassVar[Mapping[str, int]] = {"cameras": CAMERAS, "pictures": 2000}

    cameras: int = 3  # that see each outfit
    pictures: int = 3  # per outfit and camera; of the test's, the first one is a query
    artefacts: float = 0.3


def ltcc_albums(spec: LtccSpec) -> list[Album]:
    """Return all people, numbered from 000; test people come after training people."""
    made = []
    for number in range(spec.train_people + spec.test_people):
        rng = generator(spec.seed, "ltcc layout", number)
        training = number < spec.train_people
        pid = f"{number:03d}"
        outfits = 1 if number % 3 == 2 else int(rng.integers(2, 4))
        pictures = []
        for outfit in range(outfits):
            for camera in sorted(rng.permutation(CAMERAS)[: spec.cameras] + 1):
                frame = int(rng.integers(1000, 900_000))
                for place in range(spec.pictures):
                    frame += int(rng.integers(1, 40))
                    split = "train" if training else "query" if place == 0 else "gallery"
                    name = f"{pid}_{outfit + 1}_c{camera}_{frame:06d}"
                    path = f"{FOLDERS[split]}/{name}.png"
                    key = name if training else f"{FOLDERS[split]}/{name}"
                    pictures.append(Picture(path, key, look_of_camera(int(camera)), outfit, split, training))
        made.append(Album("ltcc", pid, ("train",) if training else ("query", "test"), tuple(pictures)))
    return made


def write_ltcc_lists(root: Path, spec: LtccSpec, facts: list[Facts]) -> None:
    """Write info/: the people with several outfits, and those with one."""
    (root / "info").mkdir()
    for split in ("train", "test"):
        ids: dict[str, list[str]] = {"cloth-change": [], "cloth-unchange": []}
        for album in (of_person.album for of_person in facts):
            if (album.categories == ("train",)) == (split == "train"):
                several = len({picture.outfit for picture in album.pictures}) > 1
                ids["cloth-change" if several else "cloth-unchange"].append(album.pid)
        for kind, pids in ids.items():
            (root / f"info/{kind}_id_{split}.txt").write_text("".join(f"{pid}\n" for pid in pids), encoding="utf-8")
