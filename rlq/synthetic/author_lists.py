"""The lists that authors publish beside pictures: unusable masks, clusters of poses."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlq.synthetic.capture import Taken
from rlq.synthetic.layouts.albums import Picture, Spec

CLUSTERS = 5
COLUMN = f"R_LA_{CLUSTERS}"  # lengths and angles, of resized pictures


def write_bad_masks(folder: Path, spec: Spec, taken: Sequence[Taken]) -> None:
    """bad_upper.txt and bad_lower.txt: a key per line, in order of the people, those of other splits at the end."""
    for name, pictures in (
        ("bad_upper", [picture for one in taken for picture in one.bad_upper]),
        ("bad_lower", [picture for one in taken for picture in one.bad_lower]),
    ):
        lines = [picture.key for picture in pictures if picture.split == "train"]
        if "names_of_other_splits" in spec.oddities:
            lines += [_without_split(picture) for picture in pictures if picture.split != "train"]
        end = "" if "no_newline_at_end" in spec.oddities or not lines else "\n"
        (folder / f"{name}.txt").write_text("\n".join(lines) + end, encoding="utf-8")


def _without_split(picture: Picture) -> str:
    """These lists know no splits: 002_1_c9_015833, though lists of poses have query/002_1_c9_015833."""
    return picture.key if picture.key == picture.path else picture.key.rpartition("/")[2]


def cluster(pictures: Iterable[Picture], entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Path -> the nearest of five detected poses, from 1; 0 where nobody was detected."""
    best: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        known = best.get(entry["image_id"])
        if known is None or entry["score"] > known["score"]:
            best[entry["image_id"]] = entry
    paths = [picture.path for picture in pictures]
    seen = [path for path in paths if path in best]
    if not seen:
        return dict.fromkeys(paths, 0)
    joints = np.array([best[path]["keypoints"] for path in seen]).reshape(-1, 17, 3)[..., :2]  # [N, 17, 2]
    joints = joints - joints.mean(axis=1, keepdims=True)
    joints = (joints / joints.std(axis=(1, 2), keepdims=True)).reshape(len(seen), -1)  # [N, 34]
    centres = joints[np.linspace(0, len(seen) - 1, CLUSTERS).astype(int)]  # [5, 34]
    labels = ((joints[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1) + 1
    return dict.fromkeys(paths, 0) | {path: int(label) for path, label in zip(seen, labels, strict=True)}


def write_pose_clusters(path: Path, category: str, labels: Mapping[str, int], *, floats: bool) -> None:
    """Category, Image, R_LA_5: a row per key."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Category", "Image", COLUMN])
        writer.writerows([category, key, f"{label}.0" if floats else label] for key, label in labels.items())
