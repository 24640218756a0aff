"""Keypoints and pose clusters of a data set: imported, extracted, clustered and looked at."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rlq.core.console import Console, percent, table
from rlq.core.errors import DataError, SettingsError
from rlq.core.files import alone_with, written_whole
from rlq.data.pictures import picture_sizes
from rlq.data.records import Record, ReidData
from rlq.labels.alphapose import write_alphapose
from rlq.labels.cluster_sheet import cluster_sheet
from rlq.labels.clusters import cluster_poses, column_name, read_columns, write_clusters
from rlq.labels.extraction import WEIGHTS, detect, load_detector
from rlq.labels.extraction_journal import Journal, pending
from rlq.labels.keypoints import KeypointSummary, read_keypoints
from rlq.labels.pose import Variant, match, match_names, pose_vector
from rlq.synthetic.provide import read_pictures

KEYPOINTS, CLUSTERS = "keypoints.json", "pose_clusters.csv"  # in the folder rlq/ of a set
SHOWN = 3  # examples in a message
JOURNAL_FORMAT = 1


@dataclass(frozen=True)
class Imported:
    """What an import found and wrote."""

    output: Path
    source: KeypointSummary
    splits: dict[str, tuple[int, int]]  # pictures, those with a pose
    outside: int  # joints outside of their pictures
    unused: tuple[str, ...]  # names of the source that mean no picture of the set

    def to_text(self) -> str:
        """For people."""
        found = self.source
        rows = [[split, str(all_), str(posed), str(all_ - posed)] for split, (all_, posed) in self.splits.items()]
        lines = [
            (
                f"{found.format}: {found.people} people of {found.joints} joints in {found.pictures} pictures, "
                f"{found.several} pictures with several (the best score counts)"
            ),
            (
                f"left out: {found.left_out} people with numbers that are not finite, {found.without_joints} without "
                "any joint"
            ),
            (
                f"kept as they are: {found.above_one} joints with a confidence above 1, {self.outside} outside of "
                "their pictures"
            ),
            f"in no picture of the set: {len(self.unused)} names{_examples(self.unused)}",
            table(rows, header=["split", "pictures", "with a pose", "without"]),
            f"written: {self.output}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Extracted:
    """What a detector found."""

    output: Path
    pictures: int
    with_people: int
    people: int
    unreadable: tuple[tuple[str, str], ...]  # picture, reason
    known: int  # pictures that an earlier run had done

    def to_text(self) -> str:
        """For people."""
        lines = [f"{self.people} people in {self.with_people} of {self.pictures} pictures"]
        if self.known:
            lines[0] += f" ({self.known} pictures done by an earlier run)"
        lines.append(f"written: {self.output}")
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} pictures cannot be read; mend them and run again, all else is kept:")
            lines += [f"  {name}: {reason}" for name, reason in self.unreadable]
        return "\n".join(lines)


class Clustering(NamedTuple):
    """One column of a cluster file."""

    column: str  # R_LA_15
    sizes: np.ndarray  # [K + 1] pictures in each cluster, those without a pose first


@dataclass(frozen=True)
class Clustered:
    """What was clustered and written."""

    output: Path
    pictures: int
    clusterings: tuple[Clustering, ...]
    sheets: tuple[Path, ...]

    def to_text(self) -> str:
        """For people."""
        rows = [
            [column, str(len(sizes) - 1), str(sizes[1:].min()), str(sizes[1:].max()), percent(sizes[0] / self.pictures)]
            for column, sizes in self.clusterings
        ]
        lines = [
            f"{self.pictures} training pictures",
            table(rows, header=["column", "K", "smallest", "largest", "no pose, %"]),
            f"written: {self.output}",
            *(f"sheet: {path}" for path in self.sheets),
        ]
        return "\n".join(lines)


def import_keypoints(
    source: Path, dataset: str, root: Path, *, output: Path | None = None, below: str = "", console: Console
) -> Imported:
    """Bring keypoints of another tool into AlphaPose's form, named by the pictures' paths relative to the set.

    `below` is the folder of the set at which the source's names begin. Raises DataError, with nothing written, when
    the source cannot be read, has no picture of the set, or names that fit several.
    """
    data = read_pictures(dataset, root, console)
    keypoints = read_keypoints(source)
    name_in_set = {f"{below.strip('/')}/{name}" if below else name: name for name in keypoints.people}
    meant = match_names(name_in_set, data.records, data.root)
    found = [(record, name_in_set[name]) for record, name in zip(data.records, meant, strict=True) if name is not None]
    sizes = picture_sizes(console.progress([record.path for record, _ in found], "sizes of pictures"))
    points = np.array([keypoints.people[name][:, :2] for _, name in found])  # [N, 17, 2]
    outside = ((points < 0) | (points >= sizes[:, None])).any(axis=2)
    output = output or data.side_files / KEYPOINTS
    write_alphapose(
        output, [_entry(_name(record, data), keypoints.people[name], keypoints.scores[name]) for record, name in found]
    )
    posed = Counter(record.split for record, _ in found)
    return Imported(
        output=output,
        source=keypoints.summary,
        splits={split: (count, posed[split]) for split, count in Counter(r.split for r in data.records).items()},
        outside=int(outside.sum()),
        unused=tuple(sorted(set(keypoints.people) - {name for _, name in found})),
    )


def extract_keypoints(
    dataset: str,
    root: Path,
    *,
    weights: Path | None = None,
    batch: int = 4,
    device: str = "auto",
    score: float = 0.5,
    output: Path | None = None,
    console: Console,
) -> Extracted:
    """Find the people above a score in every picture of a set, and go on where an earlier run was stopped.

    Pictures that cannot be read are told in the end; the journal then stays, so that only they are done next time.
    """
    place = _device(device)
    data = read_pictures(dataset, root, console)
    output = output or data.side_files / KEYPOINTS
    journal_file = output.with_name(f"{output.name}.journal")
    names = [_name(record, data) for record in data.records]
    journal = Journal(journal_file, {"format": JOURNAL_FORMAT, "weights": _identity(weights), "score": score})
    known = sum(name in journal.people for name in names)
    batches = list(pending(names, journal.people, batch))
    unreadable: list[tuple[str, str]] = []
    if batches:
        network = load_detector(weights, place, score=score)
        for indices in console.progress(batches, "batches of pictures"):
            findings = detect(network, [(names[i], data.records[i].path) for i in indices], place)
            journal.add(findings)
            unreadable += [(finding.picture, finding.reason) for finding in findings if finding.reason]
    people = [journal.people.get(name, []) for name in names]
    write_alphapose(output, [entry for entries in people for entry in entries])
    if not unreadable:
        journal_file.unlink(missing_ok=True)
    return Extracted(
        output=output,
        pictures=len(names),
        with_people=sum(map(bool, people)),
        people=sum(map(len, people)),
        unreadable=tuple(unreadable),
        known=known,
    )


def cluster_training(
    dataset: str,
    root: Path,
    *,
    keypoints: Path | None = None,
    counts: Sequence[int] = (15,),
    vectors: Sequence[Variant] = ("lengths_angles",),
    output: Path | None = None,
    sheets: Path | None = None,
    seed: int = 0,
    console: Console,
) -> Clustered:
    """Cluster the poses of the training pictures, a column per vector and K, and draw a sheet of each if asked.

    Columns of the output file stay when its rows are the same pictures; it is written anew after each clustering.
    """
    data = read_pictures(dataset, root, console)
    source, output = keypoints or data.side_files / KEYPOINTS, output or data.side_files / CLUSTERS
    if not source.exists():
        raise DataError(
            f"there is no {source}; rlq pose import and rlq pose extract make it, --keypoints names another"
        )
    _columns_of(output, data.train)  # a file of other pictures is refused before anything is computed
    joints, found = match(read_keypoints(source).people, data.records, data.root)
    joints, found = joints[: len(data.train)], found[: len(data.train)]
    sizes = np.ones((len(found), 2), np.int64)
    there = [record.path for record, known in zip(data.train, found, strict=True) if known]
    sizes[found] = picture_sizes(console.progress(there, "sizes of pictures"))
    wanted = [(vector, count) for vector in dict.fromkeys(vectors) for count in sorted(set(counts))]
    clusterings, drawn = [], []
    for vector, count in console.progress(wanted, "clusterings"):
        column = column_name(vector, count)
        labels = cluster_poses(pose_vector(joints, sizes, vector), found, count, seed).labels
        with alone_with(output):  # another process may add columns meanwhile
            write_clusters(output, data.train, _columns_of(output, data.train) | {column: labels.tolist()})
        clusterings.append(Clustering(column, np.bincount(labels, minlength=count + 1)))
        if sheets is not None:
            drawn.append(sheets / f"{column}.png")
            with written_whole(drawn[-1]) as temporary:
                figure = cluster_sheet(data.train, labels, joints, clusters=count, seed=seed)
                figure.savefig(temporary, format="png", dpi=100)
    return Clustered(output, len(data.train), tuple(clusterings), tuple(drawn))


def _columns_of(output: Path, records: Sequence[Record]) -> dict[str, Sequence[object]]:
    """What the file has so far."""
    return dict(read_columns(output, records)) if output.is_file() else {}


def _entry(name: str, joints: np.ndarray, score: float | None) -> dict:
    """One person as AlphaPose writes it: joints [17, 3]."""
    entry = {"image_id": name, "category_id": 1, "keypoints": joints.ravel().tolist()}
    return entry if score is None else {**entry, "score": score}


def _name(record: Record, data: ReidData) -> str:
    return record.path.relative_to(data.root).as_posix()


def _device(word: str) -> torch.device:
    if word == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda, but torch sees no GPU; use auto or cpu")
    on_gpu = word == "cuda" or (word == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if on_gpu else "cpu")


def _identity(weights: Path | None) -> str:
    """What tells weights from others: torchvision's name for its own, a digest of a file's content."""
    if weights is None:
        return WEIGHTS.name
    try:
        with weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{weights}: {error.strerror or error}") from error


def _examples(names: Sequence[str]) -> str:
    return f", such as {', '.join(names[:SHOWN])}" if names else ""
