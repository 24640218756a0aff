import json

import pytest
from naming import assert_names

from rlq.core.errors import RlqError
from rlq.runs.folder import About, find_run, find_weights, read_about, write_about


@pytest.fixture
def runs(tmp_path):
    """Three runs and a teacher; two of the runs share a name, two ids share four characters."""
    folder = tmp_path / "runs"
    for place, run_id, name in (
        ("RLQ-1", "aaaa1111", "RLQ prcc"),
        ("RLQ-2", "aaaa2222", "RLQ prcc"),
        ("BM-1", "bbbb3333", "BM prcc"),
        ("teachers/0123", "cccc4444", "teacher"),
    ):
        write_about(folder / place, About(run_id, name, "run", "prcc.yaml", "FINISHED"))
    return folder


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("aaaa1111", "RLQ-1"),
        ("aaaa2", "RLQ-2"),
        ("bbbb", "BM-1"),
        ("BM prcc", "BM-1"),
        ("RLQ-2", "RLQ-2"),
        ("cccc4444", "teachers/0123"),
        ("0123", "teachers/0123"),
    ],
)
def test_a_run_is_found_by_id_prefix_name_or_name_of_its_folder(runs, word, place):
    assert find_run(word, runs) == runs / place


def test_a_run_is_found_by_its_folder_wherever_that_is(runs, tmp_path):
    assert find_run(str(runs / "BM-1"), tmp_path / "elsewhere") == runs / "BM-1"


@pytest.mark.parametrize("word", ["aaaa", "RLQ prcc"])
def test_a_word_for_several_runs_is_answered_with_the_choice(runs, word):
    with pytest.raises(RlqError) as several:
        find_run(word, runs)
    assert_names(several.value, word, "aaaa1111 (RLQ prcc), aaaa2222 (RLQ prcc)")
    assert "bbbb3333" not in str(several.value)


@pytest.mark.parametrize("word", ["bbb", "nobody", ""])
def test_a_word_for_none_is_answered_with_all_runs(runs, word):
    listed = "bbbb3333 (BM prcc), aaaa1111 (RLQ prcc), aaaa2222 (RLQ prcc), cccc4444 (teacher)"
    with pytest.raises(RlqError) as none:
        find_run(word, runs)
    assert_names(none.value, word, runs, listed)


def test_without_any_run_it_says_so(tmp_path):
    with pytest.raises(RlqError) as none:
        find_run("x", tmp_path / "runs")
    assert_names(none.value, " x ", tmp_path / "runs")


def test_what_is_written_about_a_run_is_read_again_and_replaced_whole(tmp_path):
    first = About("id", "name", "teacher", "a.yaml --set seed=2", "RUNNING")
    write_about(tmp_path / "run", first)
    assert read_about(tmp_path / "run") == first
    second = About("id", "name", "teacher", "a.yaml", "FINISHED")
    write_about(tmp_path / "run", second)
    assert read_about(tmp_path / "run") == second
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", json.dumps({"run_id": "x", "more": 1}), "\xff\x00"])
def test_a_folder_of_something_else_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RlqError) as told:
        read_about(tmp_path)
    assert_names(told.value, tmp_path, "run.json")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("m.onnx", ("ONNX", ".safetensors", "rlq weights export")),
        ("prcc.pth.tar", ("rlq weights import",)),
        ("prcc.pth", ("rlq weights import",)),
        ("PRCC.TAR", ("rlq weights import",)),
    ],
)
def test_weights_of_other_programs_are_answered_with_what_to_do(runs, tmp_path, name, told):
    file = tmp_path / "weights" / name
    with pytest.raises(RlqError) as none:
        find_weights(str(file), "best", runs)
    assert_names(none.value, file, runs)
    file.parent.mkdir()
    (file.parent / "config.json").write_text("{}")  # a file beside weights is not those weights
    file.write_bytes(b"")
    with pytest.raises(RlqError) as foreign:
        find_weights(str(file), "best", runs)
    assert_names(foreign.value, file, *told)
    assert find_weights(str(file.parent), "best", runs) == (file.parent, None)
