from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.records import Record
from rlq.labels.pose import LINES, VARIANTS, match, match_names, mirrored, pose_vector, scaled


@pytest.fixture
def keypoints() -> np.ndarray:
    """Some of the joints lie outside of the picture, as detectors put them."""
    return np.random.default_rng(0).uniform(-20, 140, (5, 17, 3))


def test_golden_pose_vectors(golden_folder):
    golden = np.load(golden_folder / "pose_vectors.npz", allow_pickle=False)
    vectors = pose_vector(golden["keypoints_px"], golden["picture_w_h"])
    assert vectors.dtype == np.float64 and vectors.shape == golden["vector"].shape
    assert np.abs(vectors - golden["vector"]).max() < 1e-9


def slow_points(joints: np.ndarray, width: int, height: int) -> list[tuple[int, int]]:
    return [(int(int(x) * (192 / width)), int(int(y) * (384 / height))) for x, y, *_ in joints]


def test_a_vector_is_its_definition(keypoints):
    sizes = [(128, 256), (61, 140), (192, 384), (33, 77), (500, 900)]
    vectors = pose_vector(keypoints, np.array(sizes))
    for joints, (width, height), vector in zip(keypoints, sizes, vectors):
        points = slow_points(joints, width, height)
        lengths, angles = [], []
        for a, b in LINES:
            dx, dy = points[a][0] - points[b][0], points[a][1] - points[b][1]
            lengths.append((dx**2 + dy**2) ** 0.5)
            angles.append(np.degrees(np.arctan2(dy, dx)))
        assert vector == pytest.approx(lengths + angles, abs=1e-9)


def test_coordinates_are_cut_toward_zero_twice():
    joints = np.zeros((17, 2))
    joints[0] = (-0.9, 7.99)
    joints[1] = (-7.5, 100.2)
    points = scaled(joints, (100, 300))
    assert points[0].tolist() == [0, 8]  # 7 * 1.28 = 8.96
    assert points[1].tolist() == [-13, 128]  # -7 * 1.92 = -13.44


def test_variants_add_or_leave_out_parts(keypoints):
    size = np.array([128, 256])
    made = {variant: pose_vector(keypoints, size, variant) for variant in VARIANTS}
    assert {variant: vectors.shape[1] for variant, vectors in made.items()} == {
        "lengths_angles": 26,
        "lengths_angles_coordinates": 60,
        "angles": 13,
        "normalised_lengths_angles": 26,
        "normalised_lengths_angles_coordinates": 60,
        "normalised_angles": 13,
    }
    assert np.array_equal(made["lengths_angles_coordinates"][:, :26], made["lengths_angles"])
    assert np.array_equal(made["lengths_angles"][:, 13:], made["angles"])
    points = np.array([slow_points(joints, 128, 256) for joints in keypoints])
    assert np.array_equal(made["lengths_angles_coordinates"][:, 26:], points.reshape(5, 34))
    assert np.allclose(made["normalised_lengths_angles_coordinates"][:, 26:], (points / (192, 384)).reshape(5, 34))
    along = (points[:, 0] - points[:, 1]) / (192, 384)
    assert np.allclose(made["normalised_lengths_angles"][:, 0], np.hypot(*along.T))
    assert np.allclose(made["normalised_angles"][:, 0], np.degrees(np.arctan2(along[:, 1], along[:, 0])))


def test_joints_in_one_place_make_lines_of_length_and_angle_zero():
    assert (pose_vector(np.full((17, 2), 5.0), (192, 384)) == 0).all()


def test_wrong_shapes_and_unknown_variants_are_refused(keypoints):
    with pytest.raises(ValueError, match=r"\[5, 14, 3\]"):
        pose_vector(keypoints[:, :14], (10, 10))
    with pytest.raises(ValueError, match="'legs'.*lengths_angles"):
        pose_vector(keypoints, (10, 10), "legs")


def test_mirroring_exchanges_left_and_right(keypoints):
    size = np.array([128, 256])
    flipped = mirrored(keypoints, size)
    assert np.allclose(flipped[:, 5, 0], 127 - keypoints[:, 6, 0]) and np.allclose(flipped[:, 0, 1], keypoints[:, 0, 1])
    assert np.allclose(flipped[:, 16, 1:], keypoints[:, 15, 1:])
    assert np.allclose(mirrored(flipped, size), keypoints)


@pytest.fixture
def records() -> list[Record]:
    paths = [
        "rgb/train/001/A_cropped_rgb001.jpg",
        "rgb/train/002/A_cropped_rgb001.jpg",
        "rgb/test/A/092/cropped_rgb001.jpg",
    ]
    return [Record(Path("/set") / path, "1", "A", "1", "train", path) for path in paths]


def pose(value: float) -> np.ndarray:
    return np.full((17, 3), value)


def test_keypoints_are_matched_by_relative_path(records):
    keypoints = {"rgb/train/002/A_cropped_rgb001.jpg": pose(2), "rgb/val/001/A_cropped_rgb001.jpg": pose(9)}
    found = match(keypoints, records, Path("/set"))
    assert found.found.tolist() == [False, True, False]
    assert found.keypoints.shape == (3, 17, 3) and (found.keypoints[1] == 2).all() and (found.keypoints[0] == 0).all()


@pytest.mark.parametrize(
    "name",
    [
        "cropped_rgb001.jpg",
        "092/cropped_rgb001.jpg",
        "/elsewhere/rgb/test/A/092/cropped_rgb001.jpg",
        "/set/rgb/test/A/092/cropped_rgb001.jpg",
        "092\\cropped_rgb001.jpg",
        "cropped_rgb001",
        "A/092/cropped_rgb001",
        "./rgb/test/A/092/cropped_rgb001",
    ],
)
def test_an_unambiguous_ending_will_do_with_and_without_jpg(records, name):
    assert match({name: pose(3)}, records, Path("/set")).found.tolist() == [False, False, True]


@pytest.mark.parametrize("name", ["ropped_rgb001.jpg", "cropped_rgb001.png", "B/092/cropped_rgb001", "cropped_rgb001."])
def test_what_is_no_ending_means_another_picture(records, name):
    keypoints = {name: pose(1), "rgb/train/001/A_cropped_rgb001.jpg": pose(2)}
    assert match(keypoints, records, Path("/set")).found.tolist() == [True, False, False]


def test_the_longest_agreement_wins(records):
    keypoints = {"cropped_rgb001.jpg": pose(1), "A/092/cropped_rgb001.jpg": pose(2), "092/cropped_rgb001.jpg": pose(3)}
    assert match(keypoints, records, Path("/set")).keypoints[2, 0, 0] == 2
    assert match_names(["cropped_rgb001", "cropped_rgb001.jpg"], records, Path("/set"))[2] == "cropped_rgb001.jpg"


def test_a_name_that_fits_two_pictures_is_refused_with_a_better_one(records):
    for ending in (".jpg", ""):
        with pytest.raises(DataError) as raised:
            match({f"A_cropped_rgb001{ending}": pose(1)}, records, Path("/set"))
        assert_names(raised.value, "/set", f"'A_cropped_rgb001{ending}'", "rgb/train/001/A_cropped_rgb001.jpg")


def test_a_name_that_fits_two_pictures_is_refused_even_if_one_has_a_better_one(records):
    keypoints = {"A_cropped_rgb001.jpg": pose(1), "002/A_cropped_rgb001.jpg": pose(2)}
    with pytest.raises(DataError) as raised:
        match(keypoints, records, Path("/set"))
    assert_names(raised.value, "/set", "'A_cropped_rgb001.jpg'")


def test_a_whole_path_means_its_picture_alone():
    records = [Record(Path("/set") / path, "1", "A", "1", "train", path) for path in ("a.jpg", "b/a.jpg")]
    assert match({"a.jpg": pose(1)}, records, Path("/set")).found.tolist() == [True, False]


def test_two_names_that_fit_one_picture_alike_are_refused(records):
    names = ["/x/A/092/cropped_rgb001.jpg", "/y/A/092/cropped_rgb001.jpg"]
    assert match_names(names[:1], records[2:], Path("/set/rgb/test/A"))[0] == names[0]
    with pytest.raises(DataError, match=r"'/x/A/.*'.*'/y/A/.*'.* 092/cropped_rgb001\.jpg"):
        match_names(names, records[2:], Path("/set/rgb/test/A"))


def test_keypoints_of_other_pictures_are_refused(records):
    with pytest.raises(DataError) as raised:
        match({"x/y.jpg": pose(1)}, records, Path("/set"))
    assert_names(raised.value, 1, "'x/y.jpg'", "/set", "rgb/train/001/A_cropped_rgb001.jpg")
