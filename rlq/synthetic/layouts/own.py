"""A user's own pictures, described by a table, pictures.csv."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rlq.core.seeding import generator
from rlq.synthetic.layouts.albums import Album, Facts, Picture, Spec
from rlq.synthetic.layouts.oddities import PICTURE_ODDITIES

CAMERAS = {"A": "gate", "B": "hall", "C": "yard"}
COLUMNS = ("path", "pid", "camera", "split", "clothes", "tracklet", "gender", "pose")


@dataclass(frozen=True)
class OwnSpec(Spec):
    """Sizes of a set with a table; half of the people change clothes before camera C."""

    LAYOUT: ClassVar[str] = "csv"
    ODDITIES: ClassVar[Mapping[str, str]] = PICTURE_ODDITIES | {
        "byte_order_mark": "the table begins with a byte order mark, as spreadsheets write it",
        "without_cameras": "the column camera is empty",
        "without_clothes": "there is no column clothes",
        "listed_but_missing": "the first picture of the table is not on disk",
    }

    pictures: int = 4  # per person and camera, two of each walk; in the test, those of camera A are the gallery
    artefacts: float = 0.3


def own_albums(spec: OwnSpec) -> list[Album]:
    """Return all people, in order."""
    made = []
    for number in range(1, spec.train_people + spec.test_people + 1):
        rng = generator(spec.seed, "own layout", number)
        training = number <= spec.train_people
        pid = f"guest {number}"
        pictures = []
        for camera, place in CAMERAS.items():
            start = 0.0  # of a walk of two pictures
            for index in range(spec.pictures):
                if index % 2 == 0:
                    start = float(rng.random())
                tracklet = f"{number}-{place}-{index // 2 + 1}"
                split = "train" if training else "gallery" if camera == "A" else "query"
                path = f"pictures/{place}/{pid} ({index + 1}).jpg"
                outfit, phase = int(camera == "C" and number % 2 == 1), start + 0.2 * (index % 2)
                pictures.append(Picture(path, path, camera, outfit, split, training, tracklet, phase))
        made.append(Album("own", pid, ("train",) if training else ("query", "gallery"), tuple(pictures)))
    return made


def write_own_table(root: Path, spec: OwnSpec, facts: list[Facts]) -> None:
    """Write pictures.csv, a row per picture."""
    columns = [column for column in COLUMNS if column != "clothes" or "without_clothes" not in spec.oddities]
    encoding = "utf-8-sig" if "byte_order_mark" in spec.oddities else "utf-8"
    with (root / "pictures.csv").open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for of_person in facts:
            writer.writerows(_row(spec, of_person, picture) for picture in of_person.album.pictures)
    if "listed_but_missing" in spec.oddities:
        (root / facts[0].album.pictures[0].path).unlink()


def _row(spec: OwnSpec, of_person: Facts, picture: Picture) -> dict[str, str]:
    pose = of_person.poses[picture.path]
    return {
        "path": picture.path,
        "pid": of_person.album.pid,
        "camera": "" if "without_cameras" in spec.oddities else CAMERAS[picture.camera],
        "split": picture.split,
        "clothes": ("weekday", "sunday")[picture.outfit],
        "tracklet": picture.tracklet,
        "gender": of_person.person.gender[0],
        "pose": f"{pose}.0" if "float_labels" in spec.oddities else str(pose),
    }
