"""Write the lists that authors publish with their pictures: unusable masks, pose clusters."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlq.synthetic.capture import AlbumResult
from rlq.synthetic.layouts.albums import Picture, Spec

CLUSTERS = 5
COLUMN = f"R_LA_{CLUSTERS}"  # lengths and angles, of resized pictures


def write_bad_masks(folder: Path, spec: Spec, results: Sequence[AlbumResult]) -> None:
    """Write bad_upper.txt and bad_lower.txt: a key per line, in order of the people, other splits at the end."""
    for name, pictures in (
        ("bad_upper", [picture for result in results for picture in result.bad_upper]),
        ("bad_lower", [picture for result in results for picture in result.bad_lower]),
    ):
        lines = [picture.key for picture in pictures if picture.split == "train"]
        if "names_of_other_splits" in spec.oddities:
            lines += [_without_split(picture) for picture in pictures if picture.split != "train"]
        end = "" if "no_newline_at_end" in spec.oddities or not lines else "\n"
        (folder / f"{name}.txt").write_text("\n".join(lines) + end, encoding="utf-8")


def _without_split(picture: Picture) -> str:
    """Return a key as these lists have it, without a split: 002_1_c9_015833 (pose lists: query/002_1_c9_015833)."""
    return picture.key if picture.key == picture.path else picture.key.rpartition("/")[2]


def cluster_detections(pictures: Iterable[Picture], entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return each path's nearest of five detected poses, numbered from 1, or 0 without a detection."""
    best: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        best_so_far = best.get(entry["image_id"])
        if best_so_far is None or entry["score"] > best_so_far["score"]:
            best[entry["image_id"]] = entry
    paths = [picture.path for picture in pictures]
    detected = [path for path in paths if path in best]
    if not detected:
        return dict.fromkeys(paths, 0)
    joints = np.array([best[path]["keypoints"] for path in detected]).reshape(-1, 17, 3)[..., :2]  # [N, 17, 2]
    joints = joints - joints.mean(axis=1, keepdims=True)
    joints = (joints / joints.std(axis=(1, 2), keepdims=True)).reshape(len(detected), -1)  # [N, 34]
    centres = joints[np.linspace(0, len(detected) - 1, CLUSTERS).astype(int)]  # [5, 34]
    labels = ((joints[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1) + 1
    return dict.fromkeys(paths, 0) | {path: int(label) for path, label in zip(detected, labels, strict=True)}


def write_pose_clusters(path: Path, category: str, labels: Mapping[str, int], *, floats: bool) -> None:
    """Write the columns Category, Image and R_LA_5, a row per key."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Category", "Image", COLUMN])
        writer.writerows([category, key, f"{label}.0" if floats else label] for key, label in labels.items())
