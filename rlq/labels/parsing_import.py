"""Take masks of a human parser (SCHP) into a data set."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.text import lines_of, listed
from rlq.data.clothes import mask_path
from rlq.data.parallel import parallel_map
from rlq.data.records import ReidData
from rlq.labels.mask_names import mask_files, match_masks
from rlq.labels.parsing import NAMES, SUFFIXES, LabelSet, Source, convert, look_at_source, other_set
from rlq.synthetic.provide import read_pictures

SPLITS = ("train", "query", "gallery")
MANY = 500  # from here on several processes pay
SHOWN = 10
TITLES = {"lip": "LIP", "atr": "ATR", "pascal": "Pascal-Person-Part"}


@dataclass(frozen=True)
class Imported:
    """What was taken."""

    output: Path
    covered: dict[str, tuple[int, int]]  # split -> (pictures with a new mask, pictures)
    strangers: tuple[str, ...]  # files of the source that show no picture of the set
    labels: LabelSet
    seen: dict[str, int]  # label, by its name in that set -> masks that show it
    likely: LabelSet | None  # the set that the masks look like, where it is another one

    def to_text(self) -> str:
        taken = ", ".join(f"{split} {have} of {count}" for split, (have, count) in self.covered.items())
        lines = [f"{sum(have for have, _ in self.covered.values())} masks written to {self.output}: {taken}"]
        if self.strangers:
            names = listed(self.strangers, 3)
            lines.append(f"{len(self.strangers)} files of the source show no picture of the set: {names}")
        lines.append(labels_seen(self.seen))
        if self.likely is not None:
            lines.append(
                f"are these masks of {TITLES[self.labels]}'s labels? they look like {TITLES[self.likely]}'s: "
                f"--labels {self.likely}"
            )
        return "\n".join(lines)


def labels_seen(seen: Mapping[str, int]) -> str:
    """A line for people: how many masks show each label."""
    return "labels seen: " + ", ".join(f"{name} {count}" for name, count in seen.items())


def import_masks(
    source: Path,
    name: str,
    root: Path,
    *,
    labels: LabelSet = "lip",
    output: Path | None = None,
    split: str = "all",
    processes: int | None = None,
    console: Console | None = None,
) -> Imported:
    """Write the masks of a parser as LIP palette PNGs where training looks for them.

    Every mask is read, and its size compared with its picture's, before the first is written. Raises DataError that
    lists the masks which cannot be taken.
    """
    console = console or Console()
    data = read_pictures(name, root, console)
    target = output or data.side_files / "masks"
    _keep_apart(source, target)
    files = mask_files(source, SUFFIXES)
    records = [record for record in data.records if split in ("all", record.split)]
    matched = match_masks(files, source, records, data.root)
    if not matched:
        shown = listed((file.relative_to(source).as_posix() for file in files), 3)
        raise DataError(
            f"none of the {len(files)} masks (.png, .npy) in {source} is named like one of the {len(records)} pictures "
            f"of {name} in {data.root}, such as {_example(data)}" + (f"; found are {shown}" if files else "")
        )
    sources = [
        Source(file, record.path, mask_path(target, record.path, data.root), labels) for file, record in matched.items()
    ]
    workers = processes or (os.cpu_count() or 1 if len(sources) >= MANY else 1)
    problems: list[str] = []
    counts: Counter[int] = Counter()
    for read in console.progress(parallel_map(look_at_source, sources, workers), "reading masks", len(sources)):
        counts.update(read.labels)
        problems += [read.problem] if read.problem else []
    if problems:
        lines = "\n".join(lines_of(problems, SHOWN))
        raise DataError(f"{len(problems)} of {len(sources)} masks cannot be taken, so none is:\n{lines}")
    for _ in console.progress(parallel_map(convert, sources, workers), "writing masks", len(sources)):
        pass
    covered = {
        part: (sum(record.split == part for record in matched.values()), len(getattr(data, part))) for part in SPLITS
    }
    strangers = tuple(file.relative_to(source).as_posix() for file in files if file not in matched)
    seen = {NAMES[labels][label]: counts[label] for label in sorted(counts)}
    return Imported(target, covered, strangers, labels, seen, other_set(labels, counts, len(sources)))


def _keep_apart(source: Path, target: Path) -> None:
    """Masks that are converted in place would be converted again the next time."""
    here, there = source.resolve(), target.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise DataError(f"the masks of {source} would be written to {target}, one within the other; give --output")


def _example(data: ReidData) -> str:
    return data.records[0].path.relative_to(data.root).with_suffix(".png").as_posix()
