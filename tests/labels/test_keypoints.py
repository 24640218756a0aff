"""One entry for every source of keypoints; what is particular to AlphaPose is in test_alphapose.py."""

import json
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.labels.coco import NAMES
from rlq.labels.keypoints import read_keypoints

# OpenPose's own words for its joints, in its order, and COCO's for the same
SHORT = {"R": "right_", "L": "left_"}
HEAD = ["nose", "neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist"]
LEGS = ["RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle"]
FACE = ["REye", "LEye", "REar", "LEar"]
FEET = ["LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"]
ORDERS = {"pose_keypoints_2d": [*HEAD, "middle", *LEGS, *FACE, *FEET], "pose_keypoints": [*HEAD, *LEGS, *FACE]}


def coco_name(joint: str) -> str:
    return joint if joint.islower() else SHORT[joint[0]] + joint[1:].lower()


def openpose_person(key: str, absent: str = "", start: float = 1.0) -> dict:
    """Each joint at x = its place in the file."""
    rows = [
        (0, 0, 0) if coco_name(joint) == absent else (start + place, 2.0 * place, 0.5)
        for place, joint in enumerate(ORDERS[key])
    ]
    return {"person_id": [-1], key: [number for row in rows for number in row], "face_keypoints_2d": []}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(("key", "joints"), [("pose_keypoints_2d", 25), ("pose_keypoints", 18)])
def test_openpose_joints_come_in_the_order_of_coco(tmp_path, key, joints):
    write(tmp_path / "a/0001_keypoints.json", {"version": 1.2, "people": [openpose_person(key, absent="left_hip")]})
    found = read_keypoints(tmp_path)
    assert list(found.people) == ["a/0001"] and found.summary.joints == joints
    places = {coco_name(joint): place for place, joint in enumerate(ORDERS[key])}
    for name, row in zip(NAMES, found.people["a/0001"].tolist(), strict=True):
        assert row == ([0, 0, 0] if name == "left_hip" else [1.0 + places[name], 2.0 * places[name], 0.5])


def test_of_openpose_people_the_surest_is_taken(tmp_path):
    many = [openpose_person("pose_keypoints_2d", absent="nose"), openpose_person("pose_keypoints_2d", start=100)]
    write(tmp_path / "b_keypoints.json", {"people": [*many, openpose_person("pose_keypoints_2d", start=900)]})
    write(tmp_path / "a_keypoints.json", {"people": []})
    write(tmp_path / "c_keypoints.json", "")
    write(tmp_path / "d_keypoints.json", {"people": [{"pose_keypoints_2d": []}]})
    write(tmp_path / "e_keypoints.json", {"people": [{"pose_keypoints_2d": [0] * 75}]})
    write(tmp_path / "._b_keypoints.json", "another system's")
    found = read_keypoints(tmp_path)
    assert found.people["b"][0, 0] == 100 and list(found.people) == ["b"]
    summary = found.summary
    assert (summary.format, summary.pictures, summary.people, summary.several) == ("OpenPose", 5, 3, 1)
    assert summary.without_joints == 2


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        ({"people": [{"pose_keypoints_2d": [1.0] * 45}]}, (" 0", "15", "25", "BODY_25", "18")),
        ({"people": [{"face_keypoints_2d": []}]}, (" 0", "pose_keypoints_2d", " pose_keypoints")),
        ({"bodies": []}, ("people",)),
        ('{"people": [', ("line 1", "column 13")),
        ({"people": [{"pose_keypoints": "1 2 3"}]}, (" 0", " keypoints")),
        ({"people": []}, ()),
    ],
)
def test_broken_results_of_openpose_are_explained(tmp_path, content, pieces):
    write(tmp_path / "x_keypoints.json", content)
    with pytest.raises(DataError) as raised:
        read_keypoints(tmp_path)
    assert_names(raised.value, tmp_path, *pieces)


def test_a_folder_without_results_and_a_file_of_one_picture_are_refused(tmp_path):
    path = write(tmp_path / "x.json", {"version": 1.2, "people": []})
    with pytest.raises(DataError, match=r"_keypoints\.json"):
        read_keypoints(tmp_path)
    with pytest.raises(DataError, match=r"x\.json.*_keypoints\.json"):
        read_keypoints(path)
    with pytest.raises(DataError, match=r"gone\.json"):
        read_keypoints(tmp_path / "gone.json")


def annotation(image: int, flags: list[int], **more) -> dict:
    rows = [(10.0 + place, 20.0, flag) if flag else (0, 0, 0) for place, flag in enumerate(flags)]
    return {"image_id": image, "category_id": 1, "keypoints": [number for row in rows for number in row], **more}


def coco(*annotations: dict, names: tuple[str, ...] = NAMES) -> dict:
    images = [{"id": 7, "file_name": "train/a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    categories = [{"id": 1, "name": "person", "keypoints": list(names)}]
    return {"images": images, "annotations": list(annotations), "categories": categories}


def test_flags_of_coco_become_confidences(tmp_path):
    flags = [0, 1, 2, *[2] * 14]
    empty = annotation(7, [0] * 17, num_keypoints=0)
    content = coco(empty, annotation(7, [1] * 17), annotation(7, flags), annotation(8, [0] * 17))
    found = read_keypoints(write(tmp_path / "person_keypoints.json", content))
    assert list(found.people) == ["train/a.jpg"]
    assert found.people["train/a.jpg"][:3].tolist() == [[0, 0, 0], [11, 20, 0.5], [12, 20, 1]]
    summary = found.summary
    assert (summary.format, summary.joints, summary.pictures, summary.people) == ("COCO", 17, 2, 2)
    assert (summary.several, summary.without_joints, summary.above_one) == (1, 2, 0)


def test_coco_annotations_without_finite_numbers_are_left_out(tmp_path):
    broken = annotation(7, [2] * 17)
    broken["keypoints"][2] = None
    found = read_keypoints(write(tmp_path / "k.json", coco(broken, annotation(8, [2] * 17))))
    assert list(found.people) == ["b.jpg"] and found.summary.left_out == 1


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        (coco(annotation(7, [2] * 14)), (" 0", "train/a.jpg", "14", "17", "CrowdPose")),
        (coco(annotation(7, [2] * 16 + [3])), (" 0", "train/a.jpg", "3.0")),
        (coco(annotation(9, [2] * 17)), (" 0", "image_id", "9")),
        (coco({"image_id": 7, "bbox": [0, 0, 1, 1]}), (" 0", "keypoints")),
        (coco(names=(*NAMES[:3], "tail", *NAMES[4:])), ("'tail'", "'left_ear'")),
        (coco(), ()),
        ({"images": {}, "annotations": []}, ("'images'",)),
        ({"images": [{"id": 1}], "annotations": []}, (" 0", "file_name")),
        (
            {"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": []},
            (" 1", "id 1", " a", " b"),
        ),
    ],
)
def test_broken_annotations_are_explained(tmp_path, content, pieces):
    with pytest.raises(DataError) as raised:
        read_keypoints(write(tmp_path / "k.json", content))
    assert_names(raised.value, "k.json", *pieces)


def test_numbers_keep_every_digit(tmp_path):
    values = np.random.default_rng(0).normal(size=51).tolist()
    path = write(tmp_path / "k.json", [{"image_id": "a", "keypoints": values, "score": 1}])
    assert read_keypoints(path).people["a"].ravel().tolist() == values
