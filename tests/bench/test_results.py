"""Results as tables for people and as trees for programs."""

import json

import pytest

from rlq.bench.results import Goal, Results, Table, as_markdown, as_tree, machine, machine_words

ROWS = [("plain", 12.3456, 40), ("own", 0.00012, None)]
RESULTS = Results(
    tables=[
        Table("Speed", ("variant", "s", "pictures"), [("plain", 12.3456, 40), ("own", 0.00012, None)], "On a CPU.")
    ],
    goals=[
        Goal("own over plain", "<=", 0.5, 0.25),
        Goal("plain over own", ">=", 10.0, 4.0, "the machine was busy"),
        Goal("on a GPU", ">=", 2.0, None, "there is none"),
    ],
    notes=["Random pictures."],
)


def test_a_goal_is_met_missed_or_not_measured():
    assert [goal.met for goal in RESULTS.goals] == [True, False, None]


def test_tables_and_goals_become_markdown_that_can_be_read_as_it_is():
    text = as_markdown("data", RESULTS, 12.0)
    assert text.startswith("## data  (12 s)")
    assert "| variant |       s | pictures |\n| ------- | ------: | -------: |\n" in text
    assert "| plain   |    12.3 |       40 |" in text
    assert "| own     | 1.2e-04 |        - |" in text
    assert "| plain over own | >= 10  |     4 | **no** | the machine was busy |" in text
    assert text.endswith("Random pictures.\n")


def test_a_row_with_too_few_cells_is_refused():
    with pytest.raises(ValueError, match=r"\b2\b"):
        Table("Speed", ("a", "b"), [("x",)])


def test_the_tree_is_json_with_every_figure():
    tree = json.loads(json.dumps(as_tree(RESULTS, 12.04)))
    assert tree["seconds"] == 12.0
    assert tree["tables"][0]["rows"] == [["plain", 12.3456, 40], ["own", 0.00012, None]]
    assert [goal["met"] for goal in tree["goals"]] == [True, False, None]


def test_the_machine_is_named_with_its_libraries():
    about = machine()
    assert {"processor", "cores", "Python", "torch", "numpy"} <= set(about)
    assert machine_words(about).startswith(f"processor {about['processor']}")
