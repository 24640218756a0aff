import json

import numpy as np
import pytest

from rlq.attributes.alphapose import read_alphapose
from rlq.errors import DataError


def person(image_id: str, first: float, score: float | None, joints: int = 17, **more) -> dict:
    keypoints = [first, -3.5, 1.2] + [float(n) for n in range(3 * joints - 3)]
    entry = {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "score": score, **more}
    return {name: value for name, value in entry.items() if value is not None}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "keypoints.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_the_best_scored_person_of_each_picture_is_taken(write):
    content = [
        person("b.jpg", 1, 0.5, idx=[[0.0], [0.0]]),
        person("a.jpg", 2, 2.9, idx=[0.0], box=[0, 0, 5, 5]),
        person("b.jpg", 3, 3.1, idx=1),
        person("b.jpg", 4, 3.1),
        person("a.jpg", 5, 1),
    ]
    found = read_alphapose(write(content))
    assert list(found) == ["a.jpg", "b.jpg"]
    assert found["a.jpg"][0].tolist() == [2, -3.5, 1.2] and found["b.jpg"][0, 0] == 3
    assert found["a.jpg"].shape == (17, 3) and found["a.jpg"].dtype == np.float64


@pytest.mark.parametrize("joints", [17, 26, 136])
def test_the_first_17_joints_count(write, joints):
    assert read_alphapose(write([person("a.jpg", 1, 1.0, joints)]))["a.jpg"][-1].tolist() == [45, 46, 47]


def test_people_keyed_by_picture(write):
    nested = {"keypoints": [[float(n), 2.0, 0.5] for n in range(17)]}
    content = {
        "a.jpg": [person("", 1, 0.1), person("", 2, 0.9)],
        "b.jpg": person("", 3, None),
        "c.jpg": [nested],
        "d": [],
    }
    found = read_alphapose(write(content))
    assert sorted(found) == ["a.jpg", "b.jpg", "c.jpg"]
    assert found["a.jpg"][0, 0] == 2 and found["b.jpg"][0, 0] == 3 and found["c.jpg"][16].tolist() == [16, 2, 0.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "holds no person"),
        ("", "line 1, column 1: no valid JSON"),
        ('[{"image_id": "a.jpg",\n oops}]', "line 2, column 2: no valid JSON"),
        ('"words"', "expected a list of people or people keyed by picture, found str"),
        ("[1]", "entry 0: has no image_id"),
        ([person("a.jpg", float("nan"), 1.0)], r"entry 0 \(a.jpg\): its keypoints are no list of finite numbers"),
        (
            [person("a.jpg", 1, 1.0), person("b.jpg", 1e999, 1.0)],
            r"entry 1 \(b.jpg\): its keypoints are no list of finite",
        ),
        ([person("a.jpg", True, 1.0)], "no list of finite numbers"),
        ([{"image_id": "a.jpg", "score": 1.0}], "no list of finite numbers"),
        ([person("a.jpg", 1, 1.0, joints=14)], "has 42 numbers; 17, 26, 136 joints"),
        ([person("a.jpg", 1, 1.0), person("a.jpg", 1, None)], r"entry 1 \(a.jpg\): its score is None"),
        ([person("a.jpg", 1, float("nan"))], r"its score is nan"),
        ({"a.jpg": [{"keypoints": [[1.0, 2.0]] * 17}]}, "each joint needs x, y and a confidence"),
        ({"version": 1.2, "people": []}, "picture 'version': expected people with keypoints"),
        ({"images": [], "annotations": [{"id": 1}]}, "picture 'annotations': expected people with keypoints"),
        ("[" + "9" * 5000 + "]", "no readable keypoint file"),
    ],
)
def test_broken_files_are_explained_with_the_place(write, content, message):
    with pytest.raises(DataError, match=rf"keypoints\.json: .*{message}|keypoints\.json: {message}"):
        read_alphapose(write(content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.json: no readable keypoint file"):
        read_alphapose(tmp_path / "gone.json")


def test_picture_numbers_are_taken_as_names(write):
    entry = person("x", 1, 1.0)
    entry["image_id"] = 139
    assert list(read_alphapose(write([entry]))) == ["139"]
