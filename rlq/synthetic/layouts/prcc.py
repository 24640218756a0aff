"""PRCC's layout: three cameras, with other clothes at the third. The default is the built-in target set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Picture, Spec
from rlq.synthetic.layouts.oddities import PICTURE_ODDITIES

CAMERAS = ("A", "B", "C")


@dataclass(frozen=True)
class PrccSpec(Spec):
    """Sizes of the target set. Training on the default takes minutes on a CPU."""

    LAYOUT: ClassVar[str] = "prcc"
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES | {
        "person_without_b": "the first training person was never seen by camera B",
        "name_in_train_and_val": "a file name of the first person is in both train and val",
    }
    LEAST: ClassVar[Mapping[str, int]] = {"val_pictures": 0}

    train_people: int = 160
    test_people: int = 64
    train_pictures: int = 8  # per person and camera
    val_pictures: int = 1  # per person and camera, of the training people
    test_pictures: int = 6  # per person and camera
    artefacts: float = 0.3  # share of pictures that are pixelated, out of focus or motion-blurred

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        if "name_in_train_and_val" in self.oddities and not self.val_pictures:
            raise SettingsError(f"{self.LAYOUT}: the oddity name_in_train_and_val needs val_pictures of 1 or more")


def prcc_albums(spec: PrccSpec) -> list[Album]:
    """Return all people; test people are numbered after training people."""
    made = []
    for number in range(1, spec.train_people + spec.test_people + 1):
        rng = generator(spec.seed, "prcc layout", number)
        training = number <= spec.train_people
        changes = int(rng.integers(1, 4))  # outfits at camera C, where two people in three change again
        amounts = {"train": spec.train_pictures, "val": spec.val_pictures} if training else {"test": spec.test_pictures}
        pid = f"{number:03d}"
        pictures = []
        for camera in CAMERAS:
            # Frames of one walk at a fixed distance; a few numbers have four digits, as in the real data set.
            frames = 1 + int(rng.integers(1, 150)) * np.arange(sum(amounts.values()))
            if "name_in_train_and_val" in spec.oddities and number == 1 and camera == "C":
                frames[spec.train_pictures] = frames[0]
            taken = 0
            for split, amount in amounts.items():
                for _ in range(amount):
                    outfit = 0 if camera != "C" else 1 + changes * taken // sum(amounts.values())
                    pictures.append(_picture(split, camera, pid, int(frames[taken]), outfit))
                    taken += 1
        if "person_without_b" in spec.oddities and number == 1:
            pictures = [picture for picture in pictures if picture.camera != "B"]
        categories = ("train",) if training else ("query", "gallery")
        made.append(Album("target", pid, categories, tuple(pictures)))
    return made


def _picture(folder: str, camera: str, pid: str, number: int, outfit: int) -> Picture:
    frame = f"cropped_rgb{number:03d}"
    if folder == "test":  # its cameras share file names
        split = "gallery" if camera == "A" else "query"
        return Picture(f"rgb/test/{camera}/{pid}/{frame}.jpg", f"{camera}/{pid}_{frame}", camera, outfit, split, False)
    path, key = f"rgb/{folder}/{pid}/{camera}_{frame}.jpg", f"{pid}_{camera}_{frame}"
    return Picture(path, key, camera, outfit, folder, folder == "train")
