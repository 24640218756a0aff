from dataclasses import replace

import pytest
from naming import assert_names

from rlq.analysis import source
from rlq.analysis.runs import by_name
from rlq.core.errors import RlqError


def test_a_run_goes_by_name_id_and_folder_and_weights_by_theirs(home, whole_run, trained, untrained):
    for word in ("whole", whole_run.run_id[:6], home.folder / whole_run.folder):
        one = source(word, home.folder / "runs")
        assert (one.name, one.run_id, one.settings) == ("whole", whole_run.run_id, trained.settings)
    assert (untrained.name, untrained.run_id) == ("untrained", "")
    assert trained.weights("last") == trained.folder / "last" and untrained.weights("last") == untrained.folder
    with pytest.raises(RlqError, match=r"\bnobody\b.*\bwhole\b"):
        source("nobody", home.folder / "runs")


def test_equal_names_are_told_apart(trained):
    others = [
        replace(trained, run_id="0123456789"),
        replace(trained, name="other"),
        replace(trained, run_id="0123456789"),
    ]
    assert list(by_name(others)) == ["whole 01234567", "other", "whole 01234567 (3)"]


def test_wrong_questions_are_answered(trained, ask):
    with pytest.raises(RlqError, match=r"\btnse\b.*\bcurves, robustness, .*\btsne\b"):
        ask("tnse", trained)
    other = replace(trained, name="other", settings=trained.settings.model_copy(
        update={"data": trained.settings.data.model_copy(update={"dataset": "ltcc"})}))  # fmt: skip
    with pytest.raises(RlqError) as raised:
        ask("robustness", trained, other)
    assert_names(raised.value, "whole: synthetic", "other: ltcc", "--option dataset=")
    with pytest.raises(RlqError) as raised:
        ask("robustness", trained, protocol="XX")
    assert_names(raised.value, "protocol", "XX", "synthetic", "CC, SC, General")
