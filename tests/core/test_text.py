import doctest

import pytest

from rlq.core import text
from rlq.core.text import did_you_mean, lines_of, listed, markdown, nearest, table


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(text)
    assert (result.attempted > 0, result.failed) == (True, 0)


@pytest.mark.parametrize(
    ("word", "suggestion"), [("ocl", None), ("LTCC", "ltcc"), ("vc-clothes", "vc_clothes"), ("prc", "prcc"), ("", None)]
)
def test_the_nearest_known_word_is_found_without_regard_to_case(word, suggestion):
    known = ["ltcc", "prcc", "vc_clothes"]
    assert nearest(word, known) == suggestion
    assert did_you_mean(word, known) == (f"did you mean {suggestion}?" if suggestion else "")


def test_a_suggestion_is_spelt_as_it_is_known():
    assert nearest("cc/map", ["CC/mAP", "CC/rank1"]) == "CC/mAP"


def test_how_alike_words_must_be_can_be_given():
    assert nearest("gende", ["gender"], similar=0.75) == "gender"
    assert nearest("name", ["gender"], similar=0.75) is None


def test_a_list_counts_what_it_leaves_out():
    assert listed("abc", 3) == "a, b, c"
    assert listed((f"{n}.png" for n in range(10)), 3, "; ") == "0.png; 1.png; 2.png and 7 more"
    assert listed([], 3) == ""


def test_lines_count_what_they_leave_out():
    assert lines_of("ab", 2) == ["  a", "  b"]
    assert lines_of("abcd", 2) == ["  a", "  b", "  and 2 more"]


def test_a_table_for_a_screen_aligns_its_first_column_to_the_left():
    shown = table([["CC", "9.5"], ["General", "100.0"]], header=["rule", "R-1"])
    assert shown.splitlines() == ["rule       R-1", "-------  -----", "CC         9.5", "General  100.0"]


def test_a_markdown_table_is_aligned_and_escaped():
    shown = markdown([["a|b", "1"], ["c", "22"]], ["row", "n"])
    assert shown.splitlines() == ["| row  |   n |", "| ---- | --: |", "| a\\|b |   1 |", "| c    |  22 |"]
    left = markdown([["1", "x"]], ["number", "word"], to_right=[True, False])
    assert left.splitlines() == ["| number | word |", "| -----: | ---- |", "|      1 | x    |"]


def test_a_row_with_too_few_cells_is_no_table():
    with pytest.raises((ValueError, IndexError)):
        table([["a"]], header=["a", "b"])
