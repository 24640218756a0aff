"""Check a data set's parsing masks before training (`rlq parsing check`) and draw what they show."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlq.core.console import Console
from rlq.core.errors import SettingsError
from rlq.core.files import written_whole
from rlq.core.seeding import generator
from rlq.core.text import lines_of, table
from rlq.data.clothes import PALETTES, mask_path, read_mask, read_unusable, recolour
from rlq.data.lip import LIP_NAMES
from rlq.data.masks import PALETTE
from rlq.data.parallel import parallel_map
from rlq.data.picture_grid import Picture, picture_grid
from rlq.data.pictures import read_picture
from rlq.data.records import Record
from rlq.labels.parsing import Finding, check_mask
from rlq.labels.parsing_import import MANY, labels_seen
from rlq.synthetic.provide import read_picture_set

SHOWN = 10  # pictures without a mask in a report; broken masks are all listed
ROWS, SAMPLES = 8, 3  # of the sheet: pictures, and recoloured copies of each
MASK_COLOURS = np.array(PALETTE, np.uint8).reshape(-1, 3)  # [256, 3]


@dataclass(frozen=True)
class Garment:
    """Numbers of training pictures on which a garment cannot be recoloured by itself."""

    listed: int | None  # by the authors' list, None without a list
    strangers: int  # names on the list that are not training pictures
    small: int  # masks that show less than 1% of it

    def to_row(self, name: str) -> list[str]:
        listed = "no list" if self.listed is None else str(self.listed)
        return [name, listed, "-" if self.listed is None else str(self.strangers), str(self.small)]


@dataclass(frozen=True)
class MaskReport:
    """The result of checking the masks of all training pictures."""

    folder: Path
    pictures: int
    missing: tuple[Path, ...]  # masks that do not exist
    other_size: tuple[str, ...]  # a line per mask
    unreadable: tuple[str, ...]
    upper: Garment
    lower: Garment
    one_colour: int  # masks with which training gives one colour to everything worn
    seen: dict[str, int]  # label -> masks that show it

    @property
    def good(self) -> int:
        return self.pictures - len(self.missing) - len(self.other_size) - len(self.unreadable)

    @property
    def stops_training(self) -> bool:
        return self.good < self.pictures

    def to_text(self) -> str:
        lines = [
            (
                f"{self.folder}: {self.pictures} training pictures, {self.good} with a mask, {len(self.missing)} "
                f"without, {len(self.other_size)} with one of another size, {len(self.unreadable)} with an "
                "unreadable one"
            )
        ]
        if self.missing:
            lines += ["without a mask:", *lines_of(self.missing, SHOWN)]
        for title, problems in (("of another size:", self.other_size), ("unreadable:", self.unreadable)):
            lines += [title, *(f"  {problem}" for problem in problems)] if problems else []
        if self.good:
            header = ["unusable", "listed", "listed, not training", "under 1% of the picture"]
            lines += ["", table([self.upper.to_row("upper"), self.lower.to_row("lower")], header=header)]
            lines.append(f"{self.one_colour} of {self.good} get one colour for everything worn")
            lines.append(labels_seen(self.seen))
        return "\n".join(lines)


def check_masks(
    name: str,
    root: Path,
    *,
    masks: Path | None = None,
    palette: int = 9,
    sheet: Path | None = None,
    seed: int = 0,
    processes: int | None = None,
    console: Console | None = None,
) -> MaskReport:
    """Read every training picture's mask as training does; draw some masks and recoloured copies to `sheet`.

    Without a good mask, no sheet is drawn.
    """
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise SettingsError(f"--sheet {sheet} should end in .png")
    console = console or Console()
    data = read_picture_set(name, root, console)
    folder = masks or data.side_files / "masks"
    pairs = [(record.path, mask_path(folder, record.path, data.root)) for record in data.train]
    workers = processes or (os.cpu_count() or 1 if len(pairs) >= MANY else 1)
    findings = list(console.progress(parallel_map(check_mask, pairs, workers), "reading masks", len(pairs)))
    upper, lower = (_listed(data.side_files / f"bad_{part}.txt") for part in ("upper", "lower"))
    unusable = (upper or frozenset()) | (lower or frozenset())
    good = [(record, finding) for record, finding in zip(data.train, findings, strict=True) if finding.state == "good"]
    if sheet is not None and good:
        _draw(sheet, [record for record, _ in good], folder, data.root, unusable, palette, seed)
    keys = {record.key for record in data.train}
    seen = Counter(label for _, finding in good for label in finding.labels)
    return MaskReport(
        folder=folder,
        pictures=len(pairs),
        missing=tuple(mask for (_, mask), finding in zip(pairs, findings, strict=True) if finding.state == "missing"),
        other_size=_problems(findings, "size"),
        unreadable=_problems(findings, "unreadable"),
        upper=_garment(upper, keys, [finding.upper for _, finding in good]),
        lower=_garment(lower, keys, [finding.lower for _, finding in good]),
        one_colour=sum(not (finding.upper and finding.lower) or record.key in unusable for record, finding in good),
        seen={LIP_NAMES[label]: seen[label] for label in sorted(seen)},
    )


def _listed(path: Path) -> frozenset[str] | None:
    return read_unusable(path) if path.is_file() else None


def _problems(findings: list[Finding], state: str) -> tuple[str, ...]:
    return tuple(finding.problem for finding in findings if finding.state == state)


def _garment(listed: frozenset[str] | None, keys: set[str], usable: list[bool]) -> Garment:
    if listed is None:
        return Garment(None, 0, usable.count(False))
    return Garment(len(listed & keys), len(listed - keys), usable.count(False))


def _draw(
    sheet: Path, records: list[Record], folder: Path, root: Path, unusable: frozenset[str], palette: int, seed: int
) -> None:
    """Draw rows of a picture, its mask in colours, and recoloured copies with the names of their colours."""
    rng = generator(seed, "masks to look at")
    rows: list[list[Picture]] = []
    captions: list[list[str]] = []
    for index in sorted(rng.choice(len(records), min(ROWS, len(records)), replace=False)):
        record = records[index]
        picture, mask = read_picture(record.path), read_mask(mask_path(folder, record.path, root))
        copies = [
            recolour(picture, mask, rng, colours=palette, unusable_upper=record.key in unusable) for _ in range(SAMPLES)
        ]
        rows.append([picture, MASK_COLOURS[mask], *(copy.picture for copy in copies)])
        captions.append([f"person {record.pid}", "mask", *(_colours(copy.pair, palette) for copy in copies)])
    figure = picture_grid(rows, captions)
    with written_whole(sheet) as partial:
        figure.savefig(partial, dpi=120)


def _colours(pair: int, palette: int) -> str:
    upper, lower = divmod(pair, palette)
    return f"{PALETTES[palette][upper]} / {PALETTES[palette][lower]}"
