"""Draw some pictures of each pose cluster, with the lines that pose vectors measure."""

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

from rlq.core.seeding import generator
from rlq.data.picture_grid import Picture, picture_grid
from rlq.data.pictures import read_picture
from rlq.data.records import Record
from rlq.data.transforms import resize
from rlq.labels.pose import LINES

SAMPLES = 6  # pictures of a row
SHOWN = (192, 96)  # their height and width
COLOUR = (0, 255, 80)
FARTHEST = 10_000  # pixels from the corner; OpenCV fails on lines of any length
EMPTY = 230  # grey in place of a picture, where a cluster has none


def cluster_sheet(
    records: Sequence[Record],
    labels: np.ndarray,
    keypoints: np.ndarray | None,
    *,
    clusters: int | None = None,
    seed: int,
) -> Figure:
    """Draw a row per cluster from 0 (no pose) to K: its number, its share, and some of its pictures.

    labels [N]; keypoints [N, 17, 3] in pixels, None if only the clusters are known; `clusters` is K, by default the
    highest label.
    """
    rows, captions = [], []
    for cluster in range((int(labels.max()) if clusters is None else clusters) + 1):
        members = np.flatnonzero(labels == cluster)
        chosen = np.sort(generator(seed, "cluster sheet", cluster).permutation(members)[:SAMPLES])
        measured = keypoints if cluster else None  # nothing was measured in cluster 0
        row = [_drawn(records[i], None if measured is None else measured[i]) for i in chosen]
        rows.append(row or [np.full((*SHOWN, 3), EMPTY, np.uint8)])
        captions.append([f"{cluster}: {len(members) / len(labels):.0%}", *[""] * (len(rows[-1]) - 1)])
    return picture_grid(rows, captions)


def with_lines(picture: Picture, keypoints: np.ndarray, size: tuple[int, int] = SHOWN) -> Picture:
    """Return the picture at (height, width) `size` with those of the 13 measured lines whose two joints were found.

    keypoints [17, 3] in pixels of the picture before resizing.
    """
    height, width = picture.shape[:2]
    resized = np.array(resize(picture, size), order="C")  # a writable copy in the order that OpenCV needs
    points = (keypoints[:, :2] * (size[1] / width, size[0] / height)).clip(-FARTHEST, FARTHEST)  # [17, 2]
    for first, second in LINES:
        if keypoints[first].any() and keypoints[second].any():  # OpenPose writes 0, 0, 0 for an absent joint
            start, end = (tuple(int(v) for v in points[joint]) for joint in (first, second))
            cv2.line(resized, start, end, color=COLOUR, thickness=2, lineType=cv2.LINE_AA)
    return resized


def _drawn(record: Record, keypoints: np.ndarray | None) -> Picture:
    picture = read_picture(record.path)
    return resize(picture, SHOWN) if keypoints is None else with_lines(picture, keypoints)
