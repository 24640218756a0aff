"""Import masks of a human parser such as SCHP into a data set (`rlq parsing import`)."""

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
from rlq.labels.parsing import NAMES, SUFFIXES, LabelSet, Source, check_source, convert, likelier_set
from rlq.synthetic.provide import read_picture_set

SPLITS = ("train", "query", "gallery")
MANY = 500  # masks from which several processes pay off
SHOWN = 10
TITLES = {"lip": "LIP", "atr": "ATR", "pascal": "Pascal-Person-Part"}


@dataclass(frozen=True)
class Imported:
    """The masks that were imported."""

    output: Path
    covered: dict[str, tuple[int, int]]  # split -> (pictures with a new mask, pictures)
    strangers: tuple[str, ...]  # files of the source that match no picture of the data set
    labels: LabelSet
    seen: dict[str, int]  # name of a label in that label set -> masks that show it
    likely: LabelSet | None  # the label set that the masks look like, if it is another one

    def to_text(self) -> str:
        by_split = ", ".join(f"{split} {masks} of {count}" for split, (masks, count) in self.covered.items())
        lines = [f"{sum(masks for masks, _ in self.covered.values())} masks written to {self.output}: {by_split}"]
        if self.strangers:
            names = listed(self.strangers, 3)
            lines.append(f"{len(self.strangers)} files of the source match no picture of the set: {names}")
        lines.append(labels_seen(self.seen))
        if self.likely is not None:
            lines.append(
                f"are these masks of {TITLES[self.labels]}'s labels? they look like {TITLES[self.likely]}'s: "
                f"--labels {self.likely}"
            )
        return "\n".join(lines)


def labels_seen(seen: Mapping[str, int]) -> str:
    """Return a line for people that says how many masks show each label."""
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
    """Write the masks of a parser as LIP palette PNGs to the folder that training reads.

    All masks are read and compared with the sizes of their pictures before the first is written. Raises DataError with
    the masks that cannot be imported.
    """
    console = console or Console()
    data = read_picture_set(name, root, console)
    target = output or data.side_files / "masks"
    _keep_apart(source, target)
    files = mask_files(source, SUFFIXES)
    records = [record for record in data.records if split in ("all", record.split)]
    matched = match_masks(files, source, records, data.root)
    if not matched:
        examples = listed((file.relative_to(source).as_posix() for file in files), 3)
        raise DataError(
            f"none of the {len(files)} masks (.png, .npy) in {source} is named like one of the {len(records)} pictures "
            f"of {name} in {data.root}, such as {_example(data)}" + (f"; it holds {examples}" if files else "")
        )
    sources = [
        Source(file, record.path, mask_path(target, record.path, data.root), labels) for file, record in matched.items()
    ]
    workers = processes or (os.cpu_count() or 1 if len(sources) >= MANY else 1)
    problems: list[str] = []
    counts: Counter[int] = Counter()
    for reading in console.progress(parallel_map(check_source, sources, workers), "reading masks", len(sources)):
        counts.update(reading.labels)
        problems += [reading.problem] if reading.problem else []
    if problems:
        lines = "\n".join(lines_of(problems, SHOWN))
        raise DataError(f"{len(problems)} of {len(sources)} masks cannot be imported, so none was written:\n{lines}")
    for _ in console.progress(parallel_map(convert, sources, workers), "writing masks", len(sources)):
        pass
    covered = {
        part: (sum(record.split == part for record in matched.values()), len(getattr(data, part))) for part in SPLITS
    }
    strangers = tuple(file.relative_to(source).as_posix() for file in files if file not in matched)
    seen = {NAMES[labels][label]: counts[label] for label in sorted(counts)}
    return Imported(target, covered, strangers, labels, seen, likelier_set(labels, counts, len(sources)))


def _keep_apart(source: Path, target: Path) -> None:
    """Refuse nested folders, because masks that are converted in place would be converted again the next time."""
    origin, destination = source.resolve(), target.resolve()
    if origin == destination or origin in destination.parents or destination in origin.parents:
        raise DataError(f"the masks of {source} would be written to {target}, one within the other; give --output")


def _example(data: ReidData) -> str:
    return data.records[0].path.relative_to(data.root).with_suffix(".png").as_posix()
