"""Group pose vectors into clusters, which are the pose classes of training; and read and write the authors' files.

A file has the columns Category (the split), Image (the key of a picture) and one per clustering, such as R_LA_15: its
vector and K. Labels run from 1 to K; 0 says that no pose was found. The authors' files of test pictures are
clusterings of their own, whose numbers have nothing to do with those of training.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlq.core.errors import DataError
from rlq.core.files import written_whole
from rlq.data.readers.tables import read_table
from rlq.data.records import Record
from rlq.labels.pose import Variant

STARTS = 10
ITERATIONS = 1000
ABBREVIATIONS: dict[Variant, str] = {
    "lengths_angles": "R_LA",
    "lengths_angles_coordinates": "R_LAC",
    "angles": "R_A",
    "normalised_lengths_angles": "N_LA",
    "normalised_lengths_angles_coordinates": "N_LAC",
    "normalised_angles": "N_A",
}
LEADING = ("Category", "Image")  # columns


@dataclass(frozen=True)
class PoseClusters:
    """Labels of the poses that were clustered, and the centres that label others."""

    labels: np.ndarray  # [N] int64, 1..K, 0: no pose
    centres: np.ndarray  # [K, D] float64

    def assign(self, vectors: np.ndarray, found: np.ndarray) -> np.ndarray:
        """The nearest centre's label, 0 where no pose was found: vectors [M, D], found [M] bool -> int64 [M]."""
        return nearest(vectors, found, self.centres)


def cluster_poses(vectors: np.ndarray, found: np.ndarray, k: int, seed: int = 0) -> PoseClusters:
    """K-means of the poses that were found: vectors [N, D], found [N] bool."""
    from sklearn.cluster import KMeans  # a second of start-up that most commands do without

    vectors, found = np.asarray(vectors), np.asarray(found, bool)
    poses = vectors[found].astype(np.float32)  # twice as fast as in float64, to the same optimum
    distinct = len(np.unique(poses, axis=0))
    if distinct < k:
        raise DataError(
            f"{found.sum()} of {len(found)} pictures have poses, {distinct} of them different; K = {k} clusters need "
            "as many: lower cap.pose.clusters (--k of rlq pose cluster), or give keypoints of more pictures"
        )
    means = KMeans(n_clusters=k, n_init=STARTS, max_iter=ITERATIONS, random_state=seed).fit(poses)
    centres = means.cluster_centers_.astype(np.float64)
    return PoseClusters(nearest(vectors, found, centres), centres)


def nearest(vectors: np.ndarray, found: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Labels 1..K by Euclidean distance, 0 where not found: int64 [N]."""
    vectors, found = np.asarray(vectors, np.float64), np.asarray(found, bool)
    labels = np.zeros(len(vectors), np.int64)
    # |v - c|^2 without |v|^2, which is the same for every centre
    distances = (centres**2).sum(axis=1) - 2 * vectors[found] @ centres.T  # [found, K]
    labels[found] = distances.argmin(axis=1) + 1
    return labels


def column_name(variant: Variant, k: int) -> str:
    """How the authors call a clustering: R_LA_15."""
    return f"{ABBREVIATIONS[variant]}_{k}"


def write_clusters(path: Path, records: Sequence[Record], columns: Mapping[str, Sequence[object]]) -> None:
    """Write labels [N] per column name in the authors' form, at once or not at all."""
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*LEADING, *columns])
        for record, *labels in zip(records, *columns.values(), strict=True):
            writer.writerow([record.split, record.key, *labels])


def read_clusters(path: Path, column: str) -> dict[tuple[str, str], int]:
    """One clustering of a file: (split, picture key) -> label."""
    classes = int(column.rpartition("_")[2])
    rows = list(read_table(path, (*LEADING, column), "file of pose clusters"))
    splits = _splits(rows)
    labels: dict[tuple[str, str], int] = {}
    for row in rows:
        label, key = _label(row[column], classes, row.place), row["Image"]
        for split in splits[row["Category"]]:
            if labels.setdefault((split, key), label) != label:
                raise DataError(f"{row.place}: {key} has label {label} here and {labels[split, key]} before")
    if not labels:
        raise DataError(f"{path}: holds no picture")
    return labels


def read_columns(path: Path, records: Sequence[Record]) -> dict[str, list[str]]:
    """All clusterings of a file that has just these pictures, in any order: column -> [N] as written.

    Raises DataError when it has other pictures, because then its clusters would be of no use beside new ones.
    """
    rows = list(read_table(path, LEADING, "file of pose clusters"))
    by_picture = {(row["Category"].lower(), row["Image"]): row for row in rows}
    wanted = [(record.split, record.key) for record in records]
    if set(by_picture) != set(wanted) or len(by_picture) != len(rows):
        raise DataError(
            f"{path}: holds {len(rows)} rows, {len(set(wanted) & set(by_picture))} of them of the {len(wanted)} "
            "pictures that are clustered now; move it away, or name another file with --output"
        )
    names = [name for name in rows[0] if name not in LEADING]
    return {name: [by_picture[key][name] for key in wanted] for name in names}


def labels_of(records: Sequence[Record], labels: Mapping[tuple[str, str], int], source: Path) -> np.ndarray:
    """Each record's label: int64 [N]; a picture that the file does not have is an error, as 0 would hide it."""
    missing = [record.key for record in records if (record.split, record.key) not in labels]
    if missing:
        place = f"{source}: has no row for {len(missing)} of {len(records)} pictures ({records[0].split})"
        if len(missing) < len(records):
            raise DataError(f"{place}, such as {missing[:3]}; rlq pose cluster writes a row for every picture")
        split, key = next(iter(labels))
        raise DataError(f"{place}, which are named like {missing[0]}; it names {key} ({split}): is it of another set?")
    return np.array([labels[record.split, record.key] for record in records], np.int64)


def _splits(rows: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Category -> the splits that it speaks of: "test" is the gallery (LTCC) where there are queries, else both."""
    words = {row["Category"] for row in rows}
    test = ("gallery",) if "query" in {word.lower() for word in words} else ("query", "gallery")
    return {word: test if word.lower() == "test" else (word.lower(),) for word in words}


def _label(text: str, classes: int, place: str) -> int:
    """Labels are written as 10 or 10.0."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (value.is_integer() and 0 <= value <= classes):
        raise DataError(f"{place}: label {text!r} is no whole number from 0 to {classes}")
    return int(value)
