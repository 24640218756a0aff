from pathlib import Path

import cv2
import numpy as np
import pytest

from rlq.data.records import Record
from rlq.labels.cluster_sheet import COLOUR, SHOWN, cluster_sheet, with_lines
from rlq.labels.pose import LINES


@pytest.fixture
def keypoints() -> np.ndarray:
    """Of a picture of 40 x 80, each joint in a place of its own."""
    joints = np.ones((17, 3))
    joints[:, 0], joints[:, 1] = 4 + 2 * np.arange(17), 76 - 4 * np.arange(17)
    return joints


def green(picture: np.ndarray, x: float, y: float) -> bool:
    """Whether a line goes through a point of a picture that was 40 x 80."""
    row, column = round(y * picture.shape[0] / 80), round(x * picture.shape[1] / 40)
    return bool((picture[row - 1 : row + 2, column - 1 : column + 2] == COLOUR).all(axis=2).any())


def test_the_13_lines_are_drawn_to_scale(keypoints):
    black = np.zeros((80, 40, 3), np.uint8)
    drawn = with_lines(black, keypoints)
    assert drawn.shape == (*SHOWN, 3) and not black.any()
    for first, second in LINES:
        assert green(drawn, *keypoints[[first, second], :2].mean(axis=0))
    drawn = with_lines(black, keypoints, (80, 40))
    assert drawn.any() and not black.any()  # at its own size the picture is not drawn upon


def test_lines_to_joints_that_were_not_found_are_left_out(keypoints):
    keypoints[9] = 0  # the left wrist, as OpenPose says that there is none
    drawn = with_lines(np.zeros((80, 40, 3), np.uint8), keypoints)
    assert not (drawn[:8, :8] == COLOUR).all(axis=2).any()
    keypoints[:, :2] = 1e8
    assert with_lines(np.zeros((80, 40, 3), np.uint8), keypoints).shape == (*SHOWN, 3)


def test_a_row_per_cluster_with_number_share_and_pictures(tmp_path, keypoints):
    records = []
    for n in range(10):
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.zeros((80, 40, 3), np.uint8))
        records.append(Record(tmp_path / f"{n}.png", "1", "A", "1", "train", str(n)))
    labels = np.array([0, 0, 1, 1, 1, 1, 1, 1, 1, 3])
    joints = np.repeat(keypoints[None], 10, axis=0)
    figure = cluster_sheet(records, labels, joints, clusters=4, seed=1)
    axes = figure.axes
    titles = [one.get_title() for one in axes if one.get_title()]
    assert titles == ["0: 20%", "1: 70%", "2: 0%", "3: 10%", "4: 0%"]
    shown = [[one.images[0].get_array() for one in axes[6 * row : 6 * row + 6] if one.images] for row in range(5)]
    assert [len(row) for row in shown] == [2, 6, 1, 1, 1]
    with_green = [any((one == COLOUR).all(axis=2).any() for one in row) for row in shown]
    assert with_green == [False, True, False, True, False]
    figure.savefig(tmp_path / "sheet.png")
    without = cluster_sheet(records, labels, None, seed=1)
    assert [one.get_title() for one in without.axes if one.get_title()] == titles[:4]
    assert not any((one.images[0].get_array() == COLOUR).all(axis=2).any() for one in without.axes if one.images)


def test_the_same_seed_shows_the_same_pictures(tmp_path):
    records = []
    for n in range(20):
        cv2.imwrite(str(Path(tmp_path) / f"{n}.png"), np.full((8, 4, 3), n, np.uint8))
        records.append(Record(tmp_path / f"{n}.png", "1", "A", "1", "train", str(n)))

    def shown(seed: int) -> list[int]:
        sheet = cluster_sheet(records, np.ones(20, int), None, seed=seed)
        return [int(one.images[0].get_array()[0, 0, 0]) for one in sheet.axes[6:]]

    assert shown(1) == shown(1) == sorted(shown(1)) and len(set(shown(1))) == 6 and shown(1) != shown(2)
