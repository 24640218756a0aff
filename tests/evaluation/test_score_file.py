import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.evaluation.score_file import score_file


def arrays(**changes) -> dict[str, np.ndarray]:
    """Two people on two cameras: each query's nearest picture is right, but in the same clothes."""
    base = {
        "f_query": np.array([[2.0, 0.1], [0.1, 1.0]], np.float32),
        "f_gallery": np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 5.0]], np.float32),
        "q_pid": np.array([1, 2]), "g_pid": np.array([1, 1, 2]),
        "q_cam": np.array([0, 0]), "g_cam": np.array([1, 1, 1]),
        "q_clothes": np.array(["1a", "2a"]), "g_clothes": np.array(["1a", "1b", "2a"]),
    }  # fmt: skip
    return {name: array for name, array in {**base, **changes}.items() if array is not None}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "features.npz"


def test_the_three_rules_of_a_small_file(file):
    np.savez(file, **arrays())
    found = score_file(file)
    counts = {"queries": 2, "gallery": 3}
    ones = {"rank1": 1.0, "rank5": 1.0, "rank10": 1.0, "rank20": 1.0, "mAP": 1.0}
    assert found["GENERAL"] == {**ones, "valid_queries": 2, **counts}
    assert found["SC"] == {**ones, "valid_queries": 2, **counts}
    assert found["CC"] == {**ones, "valid_queries": 1, **counts}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_other_names_of_cameras_and_words_as_labels_are_taken(file):
    np.savez(file, **arrays())
    wanted = score_file(file)
    changes = {"q_cam": None, "g_cam": None, "q_camera": np.array(["x", "x"]), "g_camera": np.array(["y", "y", "y"])}
    pids = {"q_pid": np.array(["092", "7"]), "g_pid": np.array(["092", "092", "7"])}
    np.savez_compressed(file, **arrays(**changes, **pids), extra=np.arange(3))
    assert score_file(str(file)) == wanted


def test_without_clothes_there_is_only_the_general_rule(file):
    np.savez(file, **arrays(q_clothes=None, g_clothes=None))
    assert list(score_file(file)) == ["GENERAL"]


def test_a_rule_without_valid_query_has_null_for_its_numbers(file):
    np.savez(file, **arrays(q_cam=np.array([1, 1])))
    assert score_file(file)["GENERAL"] == {
        "rank1": None, "rank5": None, "rank10": None, "rank20": None, "mAP": None,
        "queries": 2, "valid_queries": 0, "gallery": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "pieces"),
    [
        ({"g_cam": None, "f_query": None}, ("f_query, g_cam", "['f_gallery', ", "f_query [Q, D]")),
        ({"g_clothes": None}, ("g_clothes", "'q_clothes'", "f_query [Q, D]")),
        ({"q_camera": np.array([0, 0])}, ("q_cam", "q_camera")),
        ({"q_pid": np.array([1, 2, 3])}, ("label", "q_pid [3] int64")),
        ({"g_cam": np.array([[1], [1], [1]])}, ("label", "g_cam [3, 1] int64")),
        ({"f_query": np.zeros((2, 3))}, ("f_gallery [3, 2]", "f_query [2, 3]")),
        ({"f_query": np.zeros((0, 2)), "q_pid": np.array([], int)}, ("f_query [0, 2]",)),
        ({"f_query": np.zeros(2)}, ("f_query [2]",)),
        ({"f_query": np.array([["a", "b"], ["c", "d"]])}, ("f_query [2, 2] <U1",)),
        ({"f_query": np.array([[1.0, np.nan], [1.0, 0.0]])}, ("query", "nan", "row 0")),
        ({"q_pid": np.array([1.0, 2.0])}, ("pid", "float64")),
        ({"q_pid": np.array(["1", "2"])}, ("pid", "string", "integer")),
        ({"q_pid": np.array([1, "x"], object)}, ("q_pid", "object")),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_arrays_is_said(file, changes, pieces):
    np.savez(file, **arrays(**changes))
    with pytest.raises(DataError) as raised:
        score_file(file)
    assert_names(raised.value, file, *pieces)


def test_files_of_another_kind_are_refused_with_what_is_wanted(file, tmp_path):
    with pytest.raises(DataError) as raised:
        score_file(file)
    assert_names(raised.value, file)
    for content in (b"", b"pid,cam\n1,2\n", b"PK\x03\x04 cut off"):
        file.write_bytes(content)
        with pytest.raises(DataError) as refused:
            score_file(file)
        assert_names(refused.value, file, "f_query [Q, D]")
        assert "unsafe" not in str(refused.value)
    np.save(tmp_path / "single.npy", np.arange(3))
    with pytest.raises(DataError) as raised:
        score_file(tmp_path / "single.npy")
    assert_names(raised.value, "single.npy", "f_query [Q, D]")


def test_a_damaged_array_is_refused(file):
    np.savez(file, **arrays())
    content = bytearray(file.read_bytes())
    content[content.find(np.float32(2.0).tobytes() + np.float32(0.1).tobytes())] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(DataError) as raised:
        score_file(file)
    assert_names(raised.value, file, "CRC")


def test_small_files_are_scored_without_loading_torch(file):
    np.savez(file, **arrays())
    code = (
        "import sys; from rlq.evaluation.score_file import score_file; score_file(sys.argv[1]);"
        "print(sorted({'torch', 'cv2', 'sklearn', 'mlflow', 'timm', 'matplotlib'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_golden_score_file(golden_folder):
    path = golden_folder / "ranking.npz"
    found = score_file(path)
    with np.load(path) as wanted:
        for rule, result in found.items():
            assert result["rank1"] == pytest.approx(float(wanted[f"{rule}_cmc"][0]), abs=1e-12)
            assert result["mAP"] == pytest.approx(float(wanted[f"{rule}_map"]), abs=1e-7)
    assert list(found) == ["GENERAL", "CC", "SC"]
