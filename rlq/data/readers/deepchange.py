"""DeepChange: people on 17 street cameras over twelve months.

Xu, Zhu: "DeepChange: A Long-Term Person Re-Identification Benchmark with Clothes Change", ICCV 2023.
Layout    {train-set,val-set-query,val-set-gallery,test-set-query,test-set-gallery}/ with pictures
          p<pid>_c<camera>_<date>_<time>_<frame>_bbox.jpg, and beside each folder <folder>-bbox.txt with a line
          <picture>,<tracklet> for each. The lists, not the folders, decide what belongs to the set; val is not used.
Clothes   not labelled: one outfit per person and day is assumed.
Counts    train 450 people, 75,083 pictures; test 521 other people: query 17,527, gallery 62,956. RLQ's paper counts
          1,219 and 1,336 outfits, which may differ from the pairs of person and day.
Protocol  General, where only pictures of the query's own tracklet are junk, not those of its camera. Other papers
          leave out its camera or its day, and get other numbers.
"""

import re
from pathlib import Path
from sys import intern

from rlq.core.errors import DataError
from rlq.data.readers.listing import absent, foreign_links, missing_parts
from rlq.data.readers.tables import read_lines, refuse_lines
from rlq.data.records import Protocol, Published, Record, ReidData

PUBLISHED = Published(
    {
        "train": {"pictures": 75_083, "identities": 450, "clothes": 1_219},
        "query": {"pictures": 17_527},
        "gallery": {"pictures": 62_956},
        "test": {"pictures": 80_483, "identities": 521, "clothes": 1_336},
    }
)
LONGEST = 18  # digits of a tracklet
FOLDERS = {"train": "train-set", "query": "test-set-query", "gallery": "test-set-gallery"}
PARTS = tuple(part for folder in FOLDERS.values() for part in (folder, f"{folder}-bbox.txt"))
LAYOUT = "train-set, test-set-query and test-set-gallery, each with a list such as train-set-bbox.txt beside it"
EXAMPLE = "p0003_c05_20200813_101500_000017_bbox.jpg"
NAME = re.compile(r"(?P<pid>p\d{4})_c(?P<camera>\d{2})_(?P<date>\d{8})_(?P<time>\d{6})_(?P<frame>\d{6})_bbox\.jpg")

PROTOCOLS = (Protocol("General", "GENERAL", junk_by="tracklet"),)
GUESSED = "outfits are guessed from the day, and no paper ranks by them"


def holds_deepchange(folder: Path) -> bool:
    """Return whether this folder has DeepChange's layout."""
    return not missing_parts(folder, PARTS)


def read_deepchange(root: Path, name: str = "deepchange") -> ReidData:
    """Read all pictures in the lists of training and test."""
    root = root.resolve()
    train, query, gallery = (_read_split(root, split) for split in FOLDERS)
    return ReidData(
        name,
        root,
        train,
        query,
        gallery,
        PROTOCOLS,
        refused={"CC": GUESSED, "SC": GUESSED},
        lists=tuple(root / f"{folder}-bbox.txt" for folder in FOLDERS.values()),
    )


def _read_split(root: Path, split: str) -> list[Record]:
    folder = root / FOLDERS[split]
    source = root / f"{FOLDERS[split]}-bbox.txt"
    entries: dict[str, tuple[int, str]] = {}  # picture -> (line, tracklet)
    wrong = []
    for number, text in read_lines(source, "list of pictures"):
        picture, _, tracklet = (part.strip() for part in text.partition(","))
        if reason := _complaint(picture, tracklet):
            wrong.append((number, f"{text!r} {reason}"))
        elif len(tracklet) > LONGEST:
            wrong.append((number, f"{picture} has a tracklet number of {len(tracklet)} digits"))
        elif picture in entries:
            wrong.append((number, f"{picture} is in line {entries[picture][0]} already"))
        else:
            entries[picture] = number, intern(str(int(tracklet)))
    refuse_lines(source, wrong, f"a line is a picture's name and the number of its tracklet, as in {EXAMPLE},12")
    _check_files(folder, source, entries)
    return [_record(folder, picture, tracklet, split) for picture, (_, tracklet) in sorted(entries.items())]


def _complaint(picture: str, tracklet: str) -> str:
    """Return what is wrong with a line, "" for a correct one."""
    if "/" in picture or "\\" in picture:
        return "names a path, not a picture of the folder"
    if not NAME.fullmatch(picture):
        return f"is not a picture's name such as {EXAMPLE}"
    if not (tracklet.isascii() and tracklet.isdigit()):
        return "has no tracklet number after a comma"
    return ""


def _check_files(folder: Path, source: Path, entries: dict[str, tuple[int, str]]) -> None:
    if not entries:
        raise DataError(f"{source}: lists no picture; is the archive unpacked whole?")
    pictures = list(entries)
    missing = [pictures[place] for place in absent(folder, pictures)]
    if missing:
        raise DataError(
            f"{source}: {len(missing)} of {len(entries)} listed pictures are not in {folder}, such as {missing[0]} "
            f"in line {entries[missing[0]][0]}; is the archive half-unpacked?"
        )
    links = [pictures[place] for place in foreign_links(folder, pictures)]
    if links:
        raise DataError(
            f"{source}: line {entries[links[0]][0]}: {links[0]} is a link that leads out of {folder}; put the picture "
            "there"
        )


def _record(folder: Path, picture: str, tracklet: str, split: str) -> Record:
    match = NAME.fullmatch(picture)
    assert match is not None  # other names were refused before
    pid = match["pid"]
    return Record(
        path=folder / picture,
        pid=intern(pid),
        camera=intern(match["camera"]),
        clothes=intern(f"{pid}_{match['date']}"),
        split=split,
        key=picture.removesuffix(".jpg"),
        tracklet=tracklet,
    )
