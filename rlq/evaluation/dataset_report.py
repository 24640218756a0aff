"""Check a data set before training: counts, unreadable pictures, duplicates, and a ranking by colours alone."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlq.core.console import Console
from rlq.core.text import lines_of, listed, percent, table
from rlq.data.catalogue import data_set
from rlq.data.image_check import inspect, unreadable
from rlq.data.readers.celeb_reid import CameraReading
from rlq.data.records import Published, Record, ReidData
from rlq.evaluation.baselines import QueryCounts, chance, count_queries, histogram_features
from rlq.evaluation.metrics import Ranking
from rlq.evaluation.protocols import evaluate
from rlq.synthetic.provide import read_set

SPLITS = ("train", "query", "gallery")
# Test pictures up to which a set is ranked by colours by default; every picture is read once more and kept.
RANKED_BY_DEFAULT = 50_000
SHOWN = 10  # duplicates in the text; --json lists all
SIDE_FILES = ("keypoints.json", "pose_clusters.csv", "gender.csv", "masks", "bad_upper.txt", "bad_lower.txt")


@dataclass(frozen=True)
class Duplicate:
    """A picture that is in several splits, or under several people."""

    paths: tuple[str, ...]  # relative to the set
    reason: str  # the splits or people that share it


@dataclass(frozen=True)
class Report:
    """The results of the check of a data set."""

    data: ReidData
    published: Published | None
    splits: dict[str, dict[str, int]]  # train, query, gallery, test (query and gallery together)
    clothes_per_person: dict[str, dict[str, float]]
    query_counts: dict[str, QueryCounts]
    unreadable: list[tuple[Path, str]]
    duplicates: list[Duplicate]
    files: int
    seconds: float  # for reading all files
    rankings: Mapping[str, Ranking]  # by colour histograms; empty when not ranked
    chances: Mapping[str, Mapping[str, float | None]]

    @property
    def side_files(self) -> list[str]:
        """The names of the usual attribute files that exist."""
        return [name for name in SIDE_FILES if (self.data.side_files / name).exists()]

    def to_json(self) -> str:
        """Return JSON with the counts of each split and protocol, and everything else that was found."""
        protocols: dict[str, dict[str, Any]] = {name: count._asdict() for name, count in self.query_counts.items()}
        for name, ranking in self.rankings.items():
            protocols[name] |= ranking.summary()
        published = self.published
        tree: dict[str, Any] = {
            "dataset": self.data.name,
            "root": str(self.data.root),
            "fingerprint": self.data.fingerprint,
            "splits": self.splits,
            "clothes_per_person": self.clothes_per_person,
            "protocols": {name.upper(): values for name, values in protocols.items()},
            "refused": {name.upper(): reason for name, reason in self.data.refused.items()},
            "chance": {name.upper(): rates for name, rates in self.chances.items()},
            "published": {"splits": published.splits, "valid_queries": _upper(published.valid_queries)}
            if published
            else None,
            "side_files": self.side_files,
            "shared_pids": self.data.shared_pids,
            "unreadable": [[str(path), reason] for path, reason in self.unreadable],
            "duplicates": [{"paths": list(duplicate.paths), "why": duplicate.reason} for duplicate in self.duplicates],
            "files": self.files,
            "files_per_second": round(self.files / self.seconds, 1) if self.seconds else None,
        }
        return json.dumps(tree)

    def to_text(self) -> str:
        """Return the report as text."""
        parts = [
            [f"{self.data.name} in {self.data.root}, fingerprint {self.data.fingerprint}"],
            [self._split_table(), *self._clothes_lines()],
            [self._protocol_table(), *self._protocol_notes()],
            [*self._picture_lines(), *self._duplicate_lines(), self._people_line(), self._side_line()],
        ]
        return "\n\n".join("\n".join(lines) for lines in parts)

    def _split_table(self) -> str:
        published = self.published.splits if self.published else {}
        columns = list(self.splits["train"])
        rows = []
        for split, counts in self.splits.items():
            expected = published.get(split, {})
            cells = [_verdict(counts[column], expected.get(column), bool(self.published)) for column in columns]
            rows.append([split, *cells])
        note = "" if self.published else "\ncounts: none published"
        return table(rows, header=["split", *columns]) + note

    def _clothes_lines(self) -> list[str]:
        lines = [] if self.data.clothes_known or not self.data.train else ["clothes: not labelled in training"]
        for part, clothes in self.clothes_per_person.items():
            lines.append(
                f"clothes per person ({part}): {clothes['fewest']:g} to {clothes['most']:g}, median "
                f"{clothes['median']:g}; {clothes['with_several']:g} of {clothes['people']:g} people have several"
            )
        return lines

    def _protocol_table(self) -> str:
        published = self.published.valid_queries if self.published else {}
        rows = []
        for name, count in self.query_counts.items():
            valid = _verdict(count.valid_queries, published.get(name), bool(self.published))
            row = [name, str(count.queries), valid, str(count.gallery)]
            if self.rankings:
                by_chance = self.chances[name]
                rates = (self.rankings[name].rank1, self.rankings[name].mAP, by_chance["rank1"], by_chance["mAP"])
                row += map(percent, rates)
            rows.append(row)
        colours = ["R-1", "mAP", "chance R-1", "chance mAP"] if self.rankings else []
        return table(rows, header=["protocol", "queries", "valid queries", "gallery", *colours])

    def _protocol_notes(self) -> list[str]:
        lines = [f"{protocol.name}: {protocol.note}" for protocol in self.data.protocols if protocol.note]
        lines += [f"{name}: not available, {reason}" for name, reason in self.data.refused.items()]
        if self.data.single_shot:
            lines.append(
                "multi-shot: the whole gallery is ranked; data.prcc_shots=single ranks 10 draws of one per person"
            )
        if self.rankings:
            lines.append("R-1 and mAP: ranked by colour histograms (8 stripes, 4 x 4 x 4 bins), percent")
        elif not self.unreadable and self.query_counts:
            lines.append("not ranked by colour histograms; --colours does it")
        return lines

    def _picture_lines(self) -> list[str]:
        rate = f"{self.files / self.seconds:,.0f} files/s" if self.seconds else "no time"
        if not self.unreadable:
            return [f"pictures: all {self.files:,} can be read ({rate})"]
        broken = [f"  {path}: {reason}" for path, reason in self.unreadable]
        return [f"pictures: {len(self.unreadable)} of {self.files:,} cannot be read ({rate}):", *broken]

    def _duplicate_lines(self) -> list[str]:
        if not self.duplicates:
            return ["duplicates: no picture is in two splits or under two people"]
        count = len(self.duplicates)
        lines = lines_of((f"{one.reason}: {', '.join(one.paths)}" for one in self.duplicates), SHOWN)
        if count > SHOWN:
            lines[-1] += " (--json lists all)"
        return [f"duplicates: {count} pictures are in two splits or under two people:", *lines]

    def _people_line(self) -> str:
        if self.data.pids_restart:
            return "people: the test has its own numbering, so equal pids are different people"
        shared = self.data.shared_pids
        if not shared:
            return "people: no pid of the test is in training"
        pids = listed(shared, SHOWN)
        return f"people: {len(shared)} pids of the test are in training too ({pids}); are they the same people?"

    def _side_line(self) -> str:
        present = self.side_files
        absent = [name for name in SIDE_FILES if name not in present]
        text = f"side files: {', '.join(present) or 'none'} in {self.data.side_files}"
        return text + (f" (absent: {', '.join(absent)})" if absent and present else "")


def check(
    name: str,
    root: Path,
    *,
    colours: bool | None = None,
    celeb_camera: CameraReading = "first_digit",
    console: Console | None = None,
) -> Report:
    """Read all names and pictures of a data set, and rank it by colours. Raise DataError if it cannot be read.

    If `colours` is None, sets of up to 50,000 test pictures are ranked.
    """
    console = console or Console(quiet=True)
    data = read_set(name, root, console, celeb_camera=celeb_camera)
    files = [path for record in data.records for path in record.pictures]
    started = time.monotonic()
    findings = list(console.progress(inspect(files, os.cpu_count() or 1), "pictures", len(files)))
    seconds = time.monotonic() - started
    broken = unreadable(files, findings)
    if colours is None:
        colours = len(data.query) + len(data.gallery) <= RANKED_BY_DEFAULT
    parts = _parts(data)
    labelled = {split: data.clothes_known if split == "train" else _has_clothes(parts["test"]) for split in parts}
    ranked = colours and not broken and bool(data.query)
    return Report(
        data=data,
        published=data_set(name).published,
        splits={split: _counts(records, labelled[split]) for split, records in parts.items()},
        clothes_per_person={p: _clothes(parts[p]) for p in ("train", "test") if labelled[p] and parts[p]},
        query_counts={protocol.name: count_queries(data.query, data.gallery, protocol) for protocol in data.protocols},
        unreadable=broken,
        duplicates=find_duplicates(data, [finding.digest for finding in findings]),
        files=len(files),
        seconds=seconds,
        rankings=histogram_rankings(data) if ranked else {},
        chances={protocol.name: chance(data.query, data.gallery, protocol) for protocol in data.protocols}
        if ranked
        else {},
    )


def histogram_rankings(data: ReidData) -> dict[str, Ranking]:
    """Return every protocol's ranking with colour histograms as features."""
    features = histogram_features(data.query), histogram_features(data.gallery)
    return evaluate(data.query, data.gallery, data.protocols, *features)


def find_duplicates(data: ReidData, digests: Sequence[bytes]) -> list[Duplicate]:
    """Return pictures with equal content in several splits or under several people, sorted by path.

    `digests` has one entry per file of `data.records`, in that order; it is empty for a file that does not exist.
    """
    first: dict[bytes, tuple[Record, Path]] = {}
    again: dict[bytes, list[tuple[Record, Path]]] = {}
    places = ((record, path) for record in data.records for path in record.pictures)
    for digest, place in zip(digests, places, strict=True):
        if digest and first.setdefault(digest, place) is not place:
            again.setdefault(digest, [first[digest]]).append(place)
    duplicates = []
    for same in again.values():
        splits = sorted({record.split for record, _ in same}, key=SPLITS.index)
        people = {record.pid for record, _ in same}
        reason = " and ".join(splits) if len(splits) > 1 else f"{len(people)} people" if len(people) > 1 else None
        if reason:
            paths = sorted(path.relative_to(data.root).as_posix() for _, path in same)
            duplicates.append(Duplicate(tuple(paths), reason))
    return sorted(duplicates, key=lambda duplicate: duplicate.paths)


def _parts(data: ReidData) -> dict[str, list[Record]]:
    return {**{split: getattr(data, split) for split in SPLITS}, "test": [*data.query, *data.gallery]}


def _has_clothes(records: list[Record]) -> bool:
    """Return whether clothes are labelled; if not, their label is the pid."""
    return any(record.clothes != record.pid for record in records)


def _counts(records: list[Record], has_clothes: bool) -> dict[str, int]:
    tracklets = {"tracklets": len(records)} if records and records[0].frames else {}
    return tracklets | {
        "pictures": sum(max(1, len(record.frames)) for record in records),
        "identities": len({record.pid for record in records}),
        "clothes": len({record.clothes for record in records}) if has_clothes else 0,
        "cameras": len({record.camera for record in records}),
    }


def _clothes(records: list[Record]) -> dict[str, float]:
    worn: dict[str, set[str]] = {}
    for record in records:
        worn.setdefault(record.pid, set()).add(record.clothes)
    numbers = [len(clothes) for clothes in worn.values()]
    return {
        "people": len(numbers),
        "with_several": sum(number > 1 for number in numbers),
        "fewest": min(numbers),
        "median": float(np.median(numbers)),
        "most": max(numbers),
    }


def _verdict(count: int, published: int | None, any_published: bool) -> str:
    """Return a count and whether it equals the published one."""
    if not any_published:
        return str(count)
    if published is None:
        return f"{count} (not published)"
    return f"{count} (equal)" if count == published else f"{count} (differs from {published})"


def _upper(names: Mapping[str, int]) -> dict[str, int]:
    return {name.upper(): value for name, value in names.items()}
