"""CCVID: clips of people walking towards a camera in several outfits; its records are tracklets.

Gu, Chang, Ma, Bai, Shan, Chen: "Clothes-Changing Person Re-identification with RGB Modality Only", CVPR 2022.
Layout    session{1,2,3}/<person>_<walk>/<frame>.jpg; train.txt, query.txt and gallery.txt have a line per tracklet:
          its folder, the person and a code for the clothes, such as `session1/001_01 001 u0_l0_s0_c0_a0`.
Clothes   the code numbers garments within one person.
Counts    226 people, 2,856 tracklets, 347,833 frames; train 75 people, 948 tracklets, 159 outfits; test 151 others,
          321 outfits: query 834, gallery 1,074.
Protocol  General and CC; SC is ours. There are no camera labels: the number of the walk is used instead, plus 12 in
          session 3. Walks of sessions 1 and 2 share labels, although the places differ.
"""

import re
from pathlib import Path
from sys import intern

from rlq.core.errors import DataError
from rlq.core.files import leads_out
from rlq.data.readers.listing import PICTURES, is_hidden, missing_parts
from rlq.data.readers.tables import read_lines, refuse_lines
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published(
    {
        "train": {"tracklets": 948, "identities": 75, "clothes": 159},
        "query": {"tracklets": 834, "identities": 151},
        "gallery": {"tracklets": 1_074, "identities": 151},
        "test": {"tracklets": 1_908, "identities": 151, "clothes": 321},
    }
)
LAYOUT = "session1, session2, session3, train.txt, query.txt and gallery.txt"
LISTS = {"train": "train.txt", "query": "query.txt", "gallery": "gallery.txt"}
PARTS = (*LISTS.values(), "session1", "session2", "session3")
WANTED = "a line has a tracklet's folder, its person and clothes, as in session1/001_01 001 u0_l0_s0_c0_a0"
# A listed path consists of a session and a walk only, so it cannot lead out of the data set.
LINE = re.compile(r"(?P<path>session(?P<session>[123])/\d+_(?P<walk>\d+))\s+(?P<pid>\w+)\s+(?P<clothes>\S+)", re.ASCII)
FRAME = re.compile(r"\d+\.jpg", re.ASCII)
LONGEST = 9  # digits of a walk
SESSION_3 = 12  # added to the walks of session 3

PROTOCOLS = (
    Protocol("CC", "CC"),
    Protocol("General", "GENERAL"),
    Protocol("SC", "SC", note="not in the paper"),
)


def holds_ccvid(folder: Path) -> bool:
    """Return whether this folder has CCVID's layout."""
    return not missing_parts(folder, LISTS.values())


def read_ccvid(root: Path, name: str = "ccvid") -> ReidData:
    """Read all listed tracklets, each with the names of its frames."""
    root = root.resolve()
    listed: dict[str, str] = {}  # tracklet -> file and line that list it
    train, query, gallery = (_read_split(root, split, listed) for split in LISTS)
    return ReidData(
        name, root, train, query, gallery, PROTOCOLS, lists=tuple(root / source for source in LISTS.values())
    )


def _read_split(root: Path, split: str, listed: dict[str, str]) -> list[Record]:
    source = root / LISTS[split]
    records, wrong, missing = [], [], []
    for number, text in read_lines(source, "list of tracklets"):
        match = LINE.fullmatch(text)
        if match is None:
            wrong.append((number, f"{text!r} is not a tracklet"))
        elif match["path"] in listed:
            wrong.append((number, f"{match['path']} is in {listed[match['path']]} already"))
        elif len(match["walk"]) > LONGEST:
            wrong.append((number, f"the walk has {len(match['walk'])} digits"))
        elif leads_out(root / match["path"], root / f"session{match['session']}"):
            wrong.append((number, f"{match['path']} is a link that leads out of session{match['session']}"))
        else:
            listed[match["path"]] = f"{source.name}, line {number},"
            frames = _frames(root / match["path"])
            if not frames:
                missing.append((number, f"{match['path']} does not exist or has no frames"))
            records.append(_record(root, match, split, frames))
    refuse_lines(source, wrong, WANTED)
    refuse_lines(source, missing, f"of {len(records)} tracklets; is the archive half-unpacked?")
    if not records:
        raise DataError(f"{source}: lists no tracklet; {WANTED}")
    return sorted(records, key=lambda record: record.key)


def _frames(folder: Path) -> tuple[str, ...]:
    """Return the names of a tracklet's pictures in the order of their numbers; none for a missing folder."""
    paths = folder.iterdir() if folder.is_dir() else ()
    pictures = [path.name for path in paths if path.name.lower().endswith(PICTURES) and not is_hidden(path)]
    misnamed = sorted(name for name in pictures if not FRAME.fullmatch(name))
    if misnamed:
        raise DataError(
            f"CCVID: {folder} has {len(misnamed)} pictures not named by their number, as 00001.jpg: {misnamed[:3]}"
        )
    # Tracklets share the names of their frames, so each name is kept in memory once.
    return tuple(intern(name) for name in sorted(pictures, key=lambda name: (int(name[:-4]), name)))


def _record(root: Path, match: re.Match[str], split: str, frames: tuple[str, ...]) -> Record:
    walk = int(match["walk"]) + (SESSION_3 if match["session"] == "3" else 0)
    return Record(
        path=root / match["path"],
        pid=match["pid"],
        camera=str(walk),
        clothes=f"{match['pid']}_{match['clothes']}",
        split=split,
        key=match["path"],
        tracklet=match["path"],
        frames=frames,
    )
