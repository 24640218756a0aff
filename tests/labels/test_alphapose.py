import json

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.labels.alphapose import write_alphapose
from rlq.labels.keypoints import read_keypoints


def person(image_id: str, first: float | None, score: float | None, joints: int = 17, **more) -> dict:
    keypoints = [first, -3.5, 1.2] + [float(n) for n in range(3 * joints - 3)]
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "score": score, **more}


def unscored(image_id: str, first: float) -> dict:
    entry = person(image_id, first, None)
    del entry["score"]
    return entry


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "keypoints.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_keypoints(path)

    return read


def test_the_best_scored_person_of_each_picture_is_taken(read):
    content = [
        person("b.jpg", 1, 0.5, idx=[[0.0], [0.0]]),
        person("a.jpg", 2, 2.9, idx=[0.0], box=[0, 0, 5, 5]),
        person("b.jpg", 3, 3.1, idx=1),
        person("b.jpg", 4, 3.1),
        person("a.jpg", 5, 1),
    ]
    found = read(content)
    assert list(found.people) == ["a.jpg", "b.jpg"] and found.scores == {"a.jpg": 2.9, "b.jpg": 3.1}
    assert found.people["a.jpg"][0].tolist() == [2, -3.5, 1.2] and found.people["b.jpg"][0, 0] == 3
    assert found.people["a.jpg"].shape == (17, 3) and found.people["a.jpg"].dtype == np.float64
    assert (found.summary.format, found.summary.pictures, found.summary.people) == ("AlphaPose", 2, 5)
    assert found.summary.several == 2


@pytest.mark.parametrize("joints", [17, 26, 136])
def test_the_first_17_joints_count(read, joints):
    content = [person("a.jpg", 1, 1.0, joints)]
    if joints > 17:
        content[0]["keypoints"][-1] = float("nan")  # a joint of the hands, which nobody asks for
    found = read(content)
    assert found.people["a.jpg"][-1].tolist() == [45, 46, 47] and found.summary.joints == joints
    assert found.summary.left_out == 0


def test_people_keyed_by_picture(read):
    nested = {"keypoints": [[float(n), 2.0, 0.5] for n in range(17)]}
    content = {
        "a.jpg": [person("", 1, 0.1), person("", 2, 0.9)],
        "b.jpg": unscored("", 3),
        "c.jpg": [nested],
        "d": [],
    }
    found = read(content)
    assert sorted(found.people) == ["a.jpg", "b.jpg", "c.jpg"] and found.scores["b.jpg"] is None
    assert found.people["a.jpg"][0, 0] == 2 and found.people["b.jpg"][0, 0] == 3
    assert found.people["c.jpg"][16].tolist() == [16, 2, 0.5]


@pytest.mark.parametrize(
    "odd",
    [
        person("a.jpg", float("nan"), 9.0),
        person("a.jpg", float("inf"), 9.0),
        person("a.jpg", None, 9.0),
        person("a.jpg", 10**400, 9.0),
        person("a.jpg", 1, float("nan")),
        person("a.jpg", 1, None),
    ],
)
def test_a_person_with_a_number_that_is_none_is_left_out_and_counted(read, odd):
    found = read([odd, person("a.jpg", 2, 1.0)])
    assert found.people["a.jpg"][0, 0] == 2
    assert (found.summary.left_out, found.summary.people, found.summary.several) == (1, 1, 0)


def test_a_picture_whose_only_person_is_left_out_has_nobody(read):
    found = read([person("a.jpg", float("nan"), 1.0), person("b.jpg", 1, 1.0)])
    assert list(found.people) == ["b.jpg"] and found.summary.pictures == 2
    with pytest.raises(DataError, match=r"keypoints\.json.*\b1\b.*\b0\b"):
        read([person("a.jpg", float("nan"), 1.0)])


def test_confidences_above_one_and_joints_below_zero_stay_and_are_counted(read):
    found = read([person("a.jpg", -7, 1.0)])
    assert found.people["a.jpg"][0].tolist() == [-7, -3.5, 1.2]
    assert found.summary.above_one == 1 + sum(n % 3 == 2 and n > 1 for n in range(48))


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        ("[]", ()),
        ("", ("line 1", "column 1")),
        ('[{"image_id": "a.jpg",\n oops}]', ("line 2", "column 2")),
        ('"words"', ("str",)),
        ("[1]", (" 0", "image_id")),
        ([person("a.jpg", 1, 1.0), person("b.jpg", True, 1.0)], (" 1", "b.jpg", " keypoints")),
        ([person("a.jpg", "1.0", 1.0)], (" 0", "a.jpg", " keypoints")),
        ([{"image_id": "a.jpg", "score": 1.0}], (" 0", "a.jpg", " keypoints")),
        ([person("a.jpg", 1, "high")], ("a.jpg", "score", "'high'")),
        ([person("a.jpg", 1, 1.0, joints=14)], ("a.jpg", "14", "17", "26", "136", "CrowdPose")),
        ([{"image_id": "a.jpg", "keypoints": [1.0] * 50}], ("a.jpg", "50")),
        ([person("a.jpg", 1, 1.0), unscored("a.jpg", 1)], (" 1", "a.jpg", "score", "2")),
        ({"a.jpg": [{"keypoints": [[1.0, 2.0]] * 17}]}, (" 0", "a.jpg")),
        ({"a.jpg": {"version": 0.1, "bodies": [{"joints": []}]}}, ("a.jpg", "cmu", "open")),
        ("[" + "9" * 5000 + "]", ()),
    ],
)
def test_broken_files_are_explained_with_the_place(read, content, pieces):
    with pytest.raises(DataError) as raised:
        read(content)
    assert_names(raised.value, "keypoints.json", *pieces)


def test_picture_numbers_are_taken_as_names(read):
    entry = person("x", 1, 1.0)
    entry["image_id"] = 139
    assert list(read([entry]).people) == ["139"]


def test_what_is_written_is_read_again_and_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "new/keypoints.json"
    for score in (1.0, 2.0):
        write_alphapose(path, [person("a.jpg", 1.25, score), person("b.jpg", 7, 0.5)])
    found = read_keypoints(path)
    assert found.scores == {"a.jpg": 2.0, "b.jpg": 0.5} and found.people["a.jpg"][0, 0] == 1.25
    assert [entry.name for entry in path.parent.iterdir()] == ["keypoints.json"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_alphapose(path, [person("a.jpg", float("nan"), 1.0)])
    assert read_keypoints(path).scores == found.scores
