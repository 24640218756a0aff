"""NTU RGB+D 120: people who perform actions in front of a camera; single frames are used as an external set.

Liu, Shahroudy, Perez, Wang, Duan, Kot: "NTU RGB+D 120: A Large-Scale Benchmark for 3D Human Activity Understanding",
TPAMI 2020.
Layout    <subject>/<clip>.jpg with clips named S<setup>C<camera>P<subject>R<repetition>A<action>_rgb: frames that
          `rlq.data.ntu_frames` takes out of the videos.
Clothes   one outfit per subject and setup.
Counts    RLQ's authors use 13,242 clips of camera 3, of 106 subjects.
Protocol  the first 61 subjects in sorted order are for training. No paper ranks the others. Here the first picture of
          each subject and setup is a query and the rest are the gallery, without cameras.
"""

import re
from pathlib import Path

from rlq.data.readers.listing import pictures_of_people
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published({"train": {"identities": 61}, "test": {"identities": 45}})
LAYOUT = "folders of people with frames such as P001/S001C003P001R001A001_rgb.jpg"
EXAMPLE = "S001C003P001R001A001_rgb.jpg"
PERSON = re.compile(r"P\d{3}")
CLIP = re.compile(r"(?P<setup>S\d{3})(?P<camera>C\d{3})(?P<pid>P\d{3})(?P<repetition>R\d{3})(?P<action>A\d{3})_rgb")
NAME = re.compile(CLIP.pattern + r"\.jpg")
TRAIN_SUBJECTS = 61

PROTOCOLS = (Protocol("General", "GENERAL", note="not in the paper"),)


def holds_ntu(folder: Path) -> bool:
    """Return whether this folder has the layout of extracted frames."""
    return any(PERSON.fullmatch(path.parent.name) for path in folder.glob("P*/*_rgb.jpg"))


def read_ntu(root: Path, name: str = "ntu120") -> ReidData:
    """Read all frames: the first 61 subjects are training, the others query and gallery."""
    root = root.resolve()
    pictures = pictures_of_people(
        root, PERSON, NAME, title="NTU RGB+D 120", example=EXAMPLE, layout=LAYOUT, beside=frozenset({"rlq"})
    )
    training = frozenset(sorted({person for person, _, _ in pictures})[:TRAIN_SUBJECTS])
    splits: dict[str, list[Record]] = {"train": [], "query": [], "gallery": []}
    queried = set()
    for person, path, match in pictures:
        clothes = f"{person}{match['setup']}"
        split = "train" if person in training else "gallery" if clothes in queried else "query"
        queried.add(clothes)
        # a camera per picture, so that no two agree
        splits[split].append(Record(path, person, path.stem, clothes, split, path.stem))
    return ReidData(name, root, splits["train"], splits["query"], splits["gallery"], PROTOCOLS)
