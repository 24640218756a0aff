"""Import keypoints of another tool into the file that training reads (`rlq pose import`)."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlq.core.console import Console
from rlq.core.text import listed, table
from rlq.data.pictures import picture_sizes
from rlq.labels.alphapose import write_alphapose
from rlq.labels.keypoints import KEYPOINTS, KeypointSummary, read_keypoints
from rlq.labels.pose import match_names, picture_name
from rlq.synthetic.provide import read_picture_set

EXAMPLES = 3  # names in a message


@dataclass(frozen=True)
class Imported:
    """What an import read and wrote."""

    output: Path
    source: KeypointSummary
    splits: dict[str, tuple[int, int]]  # split -> (pictures, pictures with a pose)
    outside: int  # joints outside of their pictures
    unused: tuple[str, ...]  # names in the source that match no picture of the data set

    def to_text(self) -> str:
        """Return a summary for people."""
        source, names = self.source, listed(self.unused, EXAMPLES)
        rows = [
            [split, str(pictures), str(posed), str(pictures - posed)]
            for split, (pictures, posed) in self.splits.items()
        ]
        lines = [
            (
                f"{source.format}: {source.people} people of {source.joints} joints in {source.pictures} pictures, "
                f"{source.several} pictures with several (the best score counts)"
            ),
            (
                f"left out: {source.left_out} people with numbers that are not finite, {source.without_joints} without "
                "any joint"
            ),
            (
                f"kept as they are: {source.above_one} joints with a confidence above 1, {self.outside} outside of "
                "their pictures"
            ),
            f"in no picture of the set: {len(self.unused)} names" + (f": {names}" if names else ""),
            table(rows, header=["split", "pictures", "with a pose", "without"]),
            f"written: {self.output}",
        ]
        return "\n".join(lines)


def import_keypoints(
    source: Path, dataset: str, root: Path, *, output: Path | None = None, below: str = "", console: Console
) -> Imported:
    """Write keypoints of another tool in AlphaPose's form, named by the pictures' paths relative to the data set.

    `below` is the folder of the data set in which the source's names begin. Raises DataError, with nothing written, if
    the source cannot be read, matches no picture of the data set, or has names that match several pictures.
    """
    data = read_picture_set(dataset, root, console)
    keypoints = read_keypoints(source)
    source_names = {f"{below.strip('/')}/{name}" if below else name: name for name in keypoints.people}
    names = match_names(source_names, data.records, data.root)
    matched = [
        (record, source_names[name]) for record, name in zip(data.records, names, strict=True) if name is not None
    ]
    sizes = picture_sizes(console.progress([record.path for record, _ in matched], "sizes of pictures"))
    points = np.array([keypoints.people[name][:, :2] for _, name in matched])  # [N, 17, 2]
    outside = ((points < 0) | (points >= sizes[:, None])).any(axis=2)
    output = output or data.side_files / KEYPOINTS
    write_alphapose(
        output,
        [
            _entry(picture_name(record, data.root), keypoints.people[name], keypoints.scores[name])
            for record, name in matched
        ],
    )
    posed = Counter(record.split for record, _ in matched)
    pictures = Counter(record.split for record in data.records)
    return Imported(
        output=output,
        source=keypoints.summary,
        splits={split: (count, posed[split]) for split, count in pictures.items()},
        outside=int(outside.sum()),
        unused=tuple(sorted(set(keypoints.people) - {name for _, name in matched})),
    )


def _entry(name: str, joints: np.ndarray, score: float | None) -> dict[str, Any]:
    """Return one person in AlphaPose's form: joints [17, 3]."""
    entry = {"image_id": name, "category_id": 1, "keypoints": joints.ravel().tolist()}
    return entry if score is None else {**entry, "score": score}
