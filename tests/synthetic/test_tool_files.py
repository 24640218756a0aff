"""What other tools would have written: AlphaPose's forms, OpenPose, COCO annotations, other label sets."""

import json
import math

import numpy as np
import pytest
from keypoint_files import COCO_NAMES, write_coco, write_openpose
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.synthetic.side_files import detect
from rlq.synthetic.tool_files import (
    remapped,
    to_atr,
    to_pascal,
    write_keypoints,
    write_rgb_mask,
    write_small_palette_mask,
)

TRUTH = np.column_stack([np.linspace(30, 90, 17), np.linspace(20, 240, 17), np.ones(17)])
ENTRIES = [entry for number in range(8) for entry in detect(f"{number}.jpg", TRUTH, False, generator("tool", number))]


def keypoint_file(path, *oddities, entries=ENTRIES):
    write_keypoints(path / "keypoints.json", entries, oddities)
    return json.loads((path / "keypoints.json").read_text())


def test_without_oddities_the_entries_are_written_as_they_are(tmp_path):
    assert keypoint_file(tmp_path) == ENTRIES


@pytest.mark.parametrize(("word", "joints"), [("joints_26", 26), ("joints_136", 136)])
def test_more_joints_begin_with_those_of_coco(tmp_path, word, joints):
    for entry, plain in zip(keypoint_file(tmp_path, word), ENTRIES, strict=True):
        assert len(entry["keypoints"]) == 3 * joints
        assert entry["keypoints"][:51] == plain["keypoints"]


def test_crowdpose_begins_with_shoulders(tmp_path):
    entry = keypoint_file(tmp_path, "joints_14")[0]
    assert len(entry["keypoints"]) == 42
    assert entry["keypoints"][:6] == ENTRIES[0]["keypoints"][15:21]


def test_people_may_be_keyed_by_picture(tmp_path):
    content = keypoint_file(tmp_path, "keyed_by_picture")
    assert set(content) == {entry["image_id"] for entry in ENTRIES}
    assert sum(map(len, content.values())) == len(ENTRIES)
    assert all("image_id" not in person for people in content.values() for person in people)


def test_idx_has_four_forms_and_boxes_may_be_absent(tmp_path):
    found = keypoint_file(tmp_path, "idx_forms", "without_box")
    assert [entry.get("idx", "absent") for entry in found[:4]] == ["absent", [0.0], [[0.0], [0.0]], 0]
    assert not any("box" in entry for entry in found)


def test_numbers_may_be_nan_or_far_outside(tmp_path):
    found = keypoint_file(tmp_path, "nan_joint", "joints_outside")
    assert math.isnan(found[0]["keypoints"][0])
    numbers = np.array([entry["keypoints"] for entry in found[1:]])
    assert (numbers < 0).any() and (numbers > 4000).any()
    assert np.isfinite(numbers).all()


def test_large_bystanders_come_first_and_score_less(tmp_path):
    found = keypoint_file(tmp_path, "large_bystanders", entries=ENTRIES[:4])
    assert len(found) == 6
    other, best = found[:2]
    assert other["image_id"] == best["image_id"]
    assert other["score"] < best["score"]
    assert np.prod(other["box"][2:]) > np.prod(best["box"][2:])


def test_entries_may_be_in_no_order_and_the_file_cut_off(tmp_path):
    shuffled = keypoint_file(tmp_path, "shuffled_entries")
    assert shuffled != ENTRIES
    assert sorted(map(str, shuffled)) == sorted(map(str, ENTRIES))
    with pytest.raises(json.JSONDecodeError):
        keypoint_file(tmp_path, "broken_json")


@pytest.mark.parametrize(("form", "key", "joints", "right_wrist"), [
    ("body_25", "pose_keypoints_2d", 25, 4), ("coco_18", "pose_keypoints", 18, 4),
])  # fmt: skip
def test_openpose_names_files_by_stem_and_joints_in_its_own_order(tmp_path, form, key, joints, right_wrist):
    entry = ENTRIES[0] | {"image_id": "train/a.jpg", "keypoints": [*TRUTH[:16].ravel().tolist(), 9.0, 9.0, 0.0]}
    write_openpose(tmp_path, ["train/a.jpg", "train/empty.jpg"], [entry], form)
    found = json.loads((tmp_path / "a_keypoints.json").read_text())["people"]
    rows = np.array(found[0][key]).reshape(-1, 3)
    assert len(rows) == joints
    assert rows[right_wrist] == pytest.approx(TRUTH[10], abs=1e-3)
    assert rows[1, :2] == pytest.approx((TRUTH[5, :2] + TRUTH[6, :2]) / 2, abs=1e-3)
    assert rows[{25: 11, 18: 10}[joints]].tolist() == [0, 0, 0]  # the right ankle was not found
    assert rows[{25: 12, 18: 11}[joints]] == pytest.approx(TRUTH[11], abs=1e-3)  # left hip
    assert json.loads((tmp_path / "empty_keypoints.json").read_text())["people"] == []


def test_openpose_cannot_tell_pictures_of_one_stem_apart(tmp_path):
    with pytest.raises(DataError) as raised:
        write_openpose(tmp_path, ["A/001/x.jpg", "B/001/x.jpg"], [])
    assert_names(raised.value, tmp_path / "x_keypoints.json")


def test_coco_annotations_have_flags_and_an_entry_without_joints(tmp_path):
    entry = ENTRIES[0] | {"keypoints": [10.0, 20.0, 0.9, 11.0, 21.0, 0.3, 12.0, 22.0, 0.0, *([5.0, 6.0, 1.1] * 14)]}
    write_coco(tmp_path / "coco.json", {"0.jpg": (256, 128), "none.jpg": (256, 128)}, [entry])
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [(image["id"], image["file_name"]) for image in content["images"]] == [(1, "0.jpg"), (2, "none.jpg")]
    first, last = content["annotations"]
    assert first["keypoints"][:9] == [10, 20, 2, 11, 21, 1, 0, 0, 0]
    assert first["num_keypoints"] == 16
    assert (last["image_id"], set(last["keypoints"])) == (2, {0})
    assert tuple(content["categories"][0]["keypoints"]) == COCO_NAMES


def test_a_middle_is_as_sure_as_the_worse_of_its_two():
    joints = TRUTH.copy()
    joints[6, 2] = 0.25
    assert remapped(joints, [(5, 6)])[0] == pytest.approx([*(TRUTH[5, :2] + TRUTH[6, :2]) / 2, 0.25])


def test_labels_of_other_sets_mean_the_same_parts():
    lip = np.array([[0, 2, 5, 7], [9, 12, 13, 18]], np.uint8)
    assert to_atr(lip).tolist() == [[0, 2, 4, 4], [6, 5, 11, 9]]
    assert to_pascal(lip).tolist() == [[0, 1, 2, 2], [5, 5, 1, 6]]
    everything = np.arange(20, dtype=np.uint8)[None]
    assert to_atr(everything).max() == 17
    assert to_pascal(everything).max() == 6


def test_a_small_palette_mask_has_four_bits_per_pixel_and_an_rgb_mask_no_labels(tmp_path):
    mask = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_small_palette_mask(tmp_path / "small.png", mask)
    assert (tmp_path / "small.png").read_bytes()[24:26] == b"\x04\x03"  # the header's depth, and palette
    with Image.open(tmp_path / "small.png") as image:
        assert np.array_equal(np.asarray(image), mask)
    write_rgb_mask(tmp_path / "rgb.png", mask)
    with Image.open(tmp_path / "rgb.png") as image:
        assert image.mode == "RGB"
        assert np.asarray(image)[0, 1].tolist() == [128, 0, 0]
