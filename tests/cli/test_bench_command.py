"""rlq bench from the command line: names, JSON, and a file that can be kept."""

import json

import pytest
from naming import assert_names


def test_the_names_are_listed_and_an_unknown_one_is_answered_with_them(home):
    names = home.command("bench", "--list").output.split()
    assert names[:3] == ["evaluation", "data", "artefacts"]
    refused = home.command("bench", "evaluations")
    assert refused.exit_code == 1
    assert_names(refused.output, "evaluations", ", ".join(names))


@pytest.mark.slow  # what it measures has tests of its own
def test_findings_are_shown_as_tables_and_kept_as_json(home, tmp_path):
    shown = home.command("bench", "evaluation", "gpu", "--quick", "--device", "cpu", "--output", tmp_path / "b.json")
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("processor ")
    assert "## evaluation" in shown.output
    assert "goals" in shown.output and "### Goals" not in shown.output
    tree = json.loads((tmp_path / "b.json").read_text())
    assert list(tree["benches"]) == ["evaluation", "gpu"]
    assert tree["benches"]["evaluation"]["tables"]
    assert tree["machine"]["torch"]
    alone = home.command("bench", "gpu", "--json", "--device", "cpu")
    assert json.loads(alone.output)["benches"]["gpu"]["notes"]
