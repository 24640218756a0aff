"""The clips of NTU RGB+D 120 from which frames are taken, each with the mask of the person in its middle frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Picture, Spec
from rlq.synthetic.layouts.oddities import FILE_ODDITIES

SETUPS, ACTIONS = 32, 120  # of the real data set
TRAINING_SUBJECTS = 61  # the official list's first subjects, in sorted order


@dataclass(frozen=True)
class NtuSpec(Spec):
    """Sizes of a set of clips. The reader uses the first 61 subjects for training, whatever their part here."""

    LAYOUT: ClassVar[str] = "ntu120"
    ODDITIES: ClassVar[Mapping[str, str]] = FILE_ODDITIES | {
        "other_cameras": "clips of camera C001 beside those of C003",
        "flat_folder": "all clips in one folder",
        "without_masks": "no masks of people",
        "small_people": "people so far away that their boxes are under 100 pixels",
    }
    MOST: ClassVar[Mapping[str, int]] = {"setups": SETUPS, "actions": ACTIONS}

    train_people: int = TRAINING_SUBJECTS
    test_people: int = 3
    setups: int = 2  # per subject, each in another outfit
    actions: int = 2  # per setup
    frames: int = 5  # per clip

    @property
    def figure(self) -> float:
        """Return the size of people relative to their size in a picture of 128 x 256."""
        return 0.3 if "small_people" in self.oddities else 1.75


def ntu_albums(spec: NtuSpec) -> list[Album]:
    """Return all subjects, in order."""
    cameras = (1, 3) if "other_cameras" in spec.oddities else (3,)
    made = []
    for number in range(1, spec.train_people + spec.test_people + 1):
        rng = generator(spec.seed, "ntu layout", number)
        training = number <= spec.train_people
        pictures = []
        for outfit, setup in enumerate(sorted(rng.permutation(SETUPS)[: spec.setups] + 1)):
            for action in sorted(rng.permutation(ACTIONS)[: spec.actions] + 1):
                for camera in cameras:
                    clip = f"S{setup:03d}C{camera:03d}P{number:03d}R001A{action:03d}_rgb"
                    folder = "" if "flat_folder" in spec.oddities else f"P{number:03d}/A{action:03d}/C{camera:03d}/"
                    masked = "without_masks" not in spec.oddities
                    split = "train" if training else "test"
                    phase = float(rng.random())
                    pictures.append(Picture(f"{folder}{clip}.mp4", clip, "A", outfit, split, masked, clip, phase))
        made.append(Album("ntu", f"P{number:03d}", ("train",) if training else ("test",), tuple(pictures)))
    return made
