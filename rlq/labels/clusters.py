"""Group pose vectors into clusters, the pose classes of training, and read and write the authors' cluster files.

A file has the columns Category (the split), Image (a picture's key) and one per clustering, such as R_LA_15, which
names its vector and K. Labels run from 1 to K; 0 means that no pose was found. The authors clustered test pictures
separately, so the numbers in their test files are not related to those of training.
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
    """The labels of clustered poses, and the centres, which can label other poses."""

    labels: np.ndarray  # [N] int64, 1..K, 0: no pose
    centres: np.ndarray  # [K, D] float64

    def assign(self, vectors: np.ndarray, detected: np.ndarray) -> np.ndarray:
        """Return the nearest centre's label, 0 without a pose: vectors [M, D], detected [M] bool -> int64 [M]."""
        return nearest_centres(vectors, detected, self.centres)


def cluster_poses(vectors: np.ndarray, detected: np.ndarray, k: int, seed: int = 0) -> PoseClusters:
    """Cluster the detected poses by K-means: vectors [N, D], detected [N] bool."""
    from sklearn.cluster import KMeans  # takes a second to import, and most commands do not need it

    vectors, detected = np.asarray(vectors), np.asarray(detected, bool)
    poses = vectors[detected].astype(np.float32)  # twice as fast as float64, with the same optimum
    distinct = len(np.unique(poses, axis=0))
    if distinct < k:
        raise DataError(
            f"{detected.sum()} of {len(detected)} pictures have poses, {distinct} of them different; K = {k} clusters "
            "need as many: lower cap.pose.clusters (--k of rlq pose cluster), or give keypoints of more pictures"
        )
    means = KMeans(n_clusters=k, n_init=STARTS, max_iter=ITERATIONS, random_state=seed).fit(poses)
    centres = means.cluster_centers_.astype(np.float64)
    return PoseClusters(nearest_centres(vectors, detected, centres), centres)


def nearest_centres(vectors: np.ndarray, detected: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return labels 1..K by Euclidean distance, 0 without a pose: int64 [N]."""
    vectors, detected = np.asarray(vectors, np.float64), np.asarray(detected, bool)
    labels = np.zeros(len(vectors), np.int64)
    # |v - c|^2 without |v|^2, which is the same for every centre
    distances = (centres**2).sum(axis=1) - 2 * vectors[detected] @ centres.T  # [detected, K]
    labels[detected] = distances.argmin(axis=1) + 1
    return labels


def column_name(variant: Variant, k: int) -> str:
    """Return the authors' name of a clustering, such as R_LA_15."""
    return f"{ABBREVIATIONS[variant]}_{k}"


def write_clusters(path: Path, records: Sequence[Record], columns: Mapping[str, Sequence[object]]) -> None:
    """Write labels [N] per column in the authors' form, whole or not at all."""
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*LEADING, *columns])
        for record, *labels in zip(records, *columns.values(), strict=True):
            writer.writerow([record.split, record.key, *labels])


def read_clusters(path: Path, column: str) -> dict[tuple[str, str], int]:
    """Read one clustering of a file: (split, picture key) -> label."""
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
        raise DataError(f"{path}: holds no row")
    return labels


def read_columns(path: Path, records: Sequence[Record]) -> dict[str, list[str]]:
    """Read all clusterings of a file that holds exactly these pictures, in any order: column -> [N] as written.

    Raises DataError if it holds other pictures, whose clusters could not be kept beside new ones.
    """
    rows = list(read_table(path, LEADING, "file of pose clusters"))
    by_picture = {(row["Category"].lower(), row["Image"]): row for row in rows}
    pictures = [(record.split, record.key) for record in records]
    if set(by_picture) != set(pictures) or len(by_picture) != len(rows):
        raise DataError(
            f"{path}: holds {len(rows)} rows, {len(set(pictures) & set(by_picture))} of them of the {len(pictures)} "
            "pictures that are clustered now; move it away, or name another file with --output"
        )
    names = [name for name in rows[0] if name not in LEADING]
    return {name: [by_picture[picture][name] for picture in pictures] for name in names}


def labels_of(records: Sequence[Record], labels: Mapping[tuple[str, str], int], source: Path) -> np.ndarray:
    """Return each record's label: int64 [N]. Raises DataError for pictures without a row, which 0 would hide."""
    missing = [record.key for record in records if (record.split, record.key) not in labels]
    if missing:
        place = f"{source}: has no row for {len(missing)} of {len(records)} pictures ({records[0].split})"
        if len(missing) < len(records):
            raise DataError(f"{place}, such as {missing[:3]}; rlq pose cluster writes a row for every picture")
        split, key = next(iter(labels))
        raise DataError(f"{place}, such as {missing[0]}; it lists {key} ({split}): is it of another data set?")
    return np.array([labels[record.split, record.key] for record in records], np.int64)


def _splits(rows: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the splits that each category covers: "test" is the gallery if there are queries (LTCC), else both."""
    words = {row["Category"] for row in rows}
    test = ("gallery",) if "query" in {word.lower() for word in words} else ("query", "gallery")
    return {word: test if word.lower() == "test" else (word.lower(),) for word in words}


def _label(text: str, classes: int, place: str) -> int:
    """Return a label, which can be written as 10 or 10.0."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (value.is_integer() and 0 <= value <= classes):
        raise DataError(f"{place}: label {text!r} is not a whole number from 0 to {classes}")
    return int(value)
