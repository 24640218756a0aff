"""CCVID's layout: walks as folders of frames, in three sessions, and list files that are the index."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import ClassVar

from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Facts, Picture, Spec, look_of_camera
from rlq.synthetic.layouts.oddities import FILE_ODDITIES

LISTS = ("train", "query", "gallery")
GAIT = 24  # frames per turn of the gait


@dataclass(frozen=True)
class CcvidSpec(Spec):
    """Sizes of a set in CCVID's layout. One outfit serves the first half of a session's walks, another the rest."""

    LAYOUT: ClassVar[str] = "ccvid"
    ODDITIES: ClassVar[Mapping[str, str]] = FILE_ODDITIES | {
        "listed_but_missing": "the folder of the first listed training tracklet is not on disk",
        "empty_tracklet": "the folder of the last listed training tracklet holds no picture",
    }
    LEAST: ClassVar[Mapping[str, int]] = {"walks": 2}
    MOST: ClassVar[Mapping[str, int]] = {"walks": 12}  # the walks of session 3 are numbered from 13

    walks: int = 4  # of each person in the first session; one person in four also walks twice in session 3
    frames: int = 10  # per walk
    artefacts: float = 0.3  # share of the walks


def ccvid_albums(spec: CcvidSpec) -> list[Album]:
    """Return all people; test people are numbered after training people, and walks of even number are queries."""
    made = []
    for number in range(1, spec.train_people + spec.test_people + 1):
        rng = generator(spec.seed, "ccvid layout", number)
        training = number <= spec.train_people
        pid = f"{number:03d}"
        first = "session2" if number % 3 == 2 else "session1"
        walks = [(first, walk, 2 * (walk - 1) // spec.walks) for walk in range(1, spec.walks + 1)]
        if number % 4 == 0:
            walks += [("session3", walk, 2) for walk in (1, 2)]
        pictures = []
        for session, walk, outfit in walks:
            split = "train" if training else "query" if walk % 2 == 0 else "gallery"
            tracklet, start = f"{session}/{pid}_{walk:02d}", float(rng.random())
            for frame in range(1, spec.frames + 1):
                path, phase = f"{tracklet}/{frame:05d}.jpg", start + frame / GAIT
                pictures.append(Picture(path, path, look_of_camera(walk), outfit, split, False, tracklet, phase))
        made.append(Album("ccvid", pid, ("train",) if training else ("query", "gallery"), tuple(pictures)))
    return made


def write_ccvid_lists(root: Path, spec: CcvidSpec, facts: list[Facts]) -> None:
    """Write train.txt, query.txt and gallery.txt: tracklet, pid, and clothes, which are numbered within a person."""
    tracklets: dict[str, dict[str, str]] = {name: {} for name in LISTS}
    for album in (of_person.album for of_person in facts):
        for picture in album.pictures:
            tracklets[picture.split][picture.tracklet] = f"{album.pid}\tu{picture.outfit}_l{picture.outfit}_s0_c0_a0"
    for name, listed in tracklets.items():
        lines = "".join(f"{tracklet}\t{labels}\n" for tracklet, labels in listed.items())
        (root / f"{name}.txt").write_text(lines, encoding="utf-8")
    training = list(tracklets["train"])
    if "listed_but_missing" in spec.oddities:
        rmtree(root / training[0])
    if "empty_tracklet" in spec.oddities:
        rmtree(root / training[-1])
        (root / training[-1]).mkdir()
