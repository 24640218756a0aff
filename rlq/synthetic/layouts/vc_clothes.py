"""VC-Clothes' layout: four cameras; clothes change between the third and the fourth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Picture, Spec, look_of_camera


@dataclass(frozen=True)
class VcClothesSpec(Spec):
    """Sizes of a set in VC-Clothes' layout."""

    LAYOUT: ClassVar[str] = "vc_clothes"
    MOST: ClassVar[Mapping[str, int]] = {"train_pictures": 99, "query_pictures": 49, "gallery_pictures": 50}
    MOST_PEOPLE: ClassVar[int] = 9999

    train_pictures: int = 3  # per person and camera
    query_pictures: int = 1  # per person and camera
    gallery_pictures: int = 2  # per person and camera
    artefacts: float = 0.0  # the real data set is rendered by a game engine


def vc_clothes_albums(spec: VcClothesSpec) -> list[Album]:
    """Return all people; test people are numbered after training people."""
    made = []
    for number in range(1, spec.train_people + spec.test_people + 1):
        rng = generator(spec.seed, "vc_clothes layout", number)
        training = number <= spec.train_people
        pid = f"{number:04d}"
        # Cameras 2 and 3 see the first outfit, 4 the second, 1 either of them or a third.
        worn = {1: int(rng.integers(3)), 2: 0, 3: 0, 4: 1}
        amounts = {"train": spec.train_pictures}
        if not training:
            amounts = {"query": spec.query_pictures, "gallery": spec.gallery_pictures}
        pictures = []
        for camera, outfit in worn.items():
            splits = [split for split, amount in amounts.items() for _ in range(amount)]
            for place, split in enumerate(splits, start=1):
                name = f"{pid}-{camera:02d}-{outfit + 1:02d}-{place:02d}"
                pictures.append(Picture(f"{split}/{name}.jpg", name, look_of_camera(camera), outfit, split, training))
        made.append(Album("vc_clothes", pid, tuple(amounts), tuple(pictures)))
    return made
