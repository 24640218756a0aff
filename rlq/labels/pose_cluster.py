"""Cluster the poses of a data set's training pictures (`rlq pose cluster`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.files import exclusive_access, written_whole
from rlq.core.text import percent, table
from rlq.data.pictures import picture_sizes
from rlq.data.records import Record
from rlq.labels.cluster_sheet import cluster_sheet
from rlq.labels.clusters import cluster_poses, column_name, read_columns, write_clusters
from rlq.labels.keypoints import KEYPOINTS, read_keypoints
from rlq.labels.pose import Variant, match, pose_vector
from rlq.synthetic.provide import read_picture_set

CLUSTERS = "pose_clusters.csv"  # in the folder rlq/ of a data set


class Clustering(NamedTuple):
    """One column of a cluster file."""

    column: str  # R_LA_15
    sizes: np.ndarray  # [K + 1] pictures in each cluster; the first number counts pictures without a pose


@dataclass(frozen=True)
class Clustered:
    """What was clustered and written."""

    output: Path
    pictures: int
    clusterings: tuple[Clustering, ...]
    sheets: tuple[Path, ...]

    def to_text(self) -> str:
        """Return a summary for people."""
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


def cluster_training_poses(
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
    """Cluster the poses of the training pictures, one column per vector and K, and draw a sheet of each in `sheets`.

    Other columns of the output file are kept if its rows are the same pictures. The file is rewritten after each
    clustering.
    """
    data = read_picture_set(dataset, root, console)
    source, output = keypoints or data.side_files / KEYPOINTS, output or data.side_files / CLUSTERS
    if not source.exists():
        raise DataError(
            f"there is no {source}; rlq pose import and rlq pose extract make it, --keypoints names another"
        )
    _columns_of(output, data.train)  # refuse a file of other pictures before anything is computed
    # All records are matched, so that a name that fits two pictures is refused; only training pictures are used.
    joints, detected = match(read_keypoints(source).people, data.records, data.root)
    joints, detected = joints[: len(data.train)], detected[: len(data.train)]
    sizes = np.ones((len(detected), 2), np.int64)
    posed = [record.path for record, is_posed in zip(data.train, detected, strict=True) if is_posed]
    sizes[detected] = picture_sizes(console.progress(posed, "sizes of pictures"))
    variants = [(vector, count) for vector in dict.fromkeys(vectors) for count in sorted(set(counts))]
    clusterings, drawn = [], []
    for vector, count in console.progress(variants, "clusterings"):
        column = column_name(vector, count)
        labels = cluster_poses(pose_vector(joints, sizes, vector), detected, count, seed).labels
        _add_column(output, data.train, column, labels)
        clusterings.append(Clustering(column, np.bincount(labels, minlength=count + 1)))
        if sheets is not None:
            drawn.append(sheets / f"{column}.png")
            with written_whole(drawn[-1]) as temporary:
                figure = cluster_sheet(data.train, labels, joints, clusters=count, seed=seed)
                figure.savefig(temporary, format="png", dpi=100)
    return Clustered(output, len(data.train), tuple(clusterings), tuple(drawn))


def _add_column(output: Path, records: Sequence[Record], column: str, labels: np.ndarray) -> None:
    with exclusive_access(output):  # another process may add columns at the same time
        write_clusters(output, records, _columns_of(output, records) | {column: labels.tolist()})


def _columns_of(output: Path, records: Sequence[Record]) -> dict[str, Sequence[object]]:
    """Return the columns that the file has so far."""
    return dict(read_columns(output, records)) if output.is_file() else {}
