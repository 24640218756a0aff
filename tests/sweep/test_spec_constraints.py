import pytest
from naming import assert_names
from sweep_files import of

from rlq.core.errors import SettingsError
from rlq.sweep.spec import parse_constraint, violations

PARAMETERS = {
    "backbone.split": {"values": [0, 1, 2]},
    "cap.pose.split": {"values": [1, 2, 3]},
    "tad.motion_kernel": {"range": [4, 32]},
}


def sweep(folder, *constraints):
    return of(folder, parameters=PARAMETERS, constraints=list(constraints))


def test_both_signs_say_what_is_to_be_at_most_what():
    assert parse_constraint("cap.pose.split <= backbone.split") == ("cap.pose.split", "backbone.split")
    assert parse_constraint("optim.lr>=1e-4") == (1e-4, "optim.lr")
    assert parse_constraint("CC/mAP >= 0.2") == (0.2, "best/CC/mAP")
    assert (
        parse_constraint("model/parameters_inference <= 1e6").on_metrics and not parse_constraint("a.b <= 3").on_metrics
    )


@pytest.mark.parametrize("text", ["a", "a < b", "a == b", "a <= b <= c", "<= 3", "a <=", 5, None, "a = b", "a <= nan"])
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match="<=|nan"):
        parse_constraint(text)


def test_a_constraint_is_broken_exactly_where_it_does_not_hold(tmp_path):
    searched = sweep(tmp_path, "cap.pose.split <= backbone.split", "backbone.split >= 1")
    for pose in (1, 2, 3):
        for trunk in (0, 1, 2):
            found = violations(searched, {"cap.pose.split": pose, "backbone.split": trunk})
            broken = {text for text, excess in found.items() if excess > 0}
            expected = {name for name, holds in zip(found, (pose <= trunk, trunk >= 1), strict=True) if not holds}
            assert len(found) == 2 and broken == expected


def test_ends_of_a_range_have_names(tmp_path):
    searched = sweep(tmp_path, "tad.motion_kernel.high <= 20", "tad.motion_kernel.low >= 6")
    assert list(violations(searched, {"tad.motion_kernel": [5, 30]}).values()) == [10, 1]


def test_a_constraint_on_what_was_not_drawn_does_not_apply(tmp_path):
    assert violations(sweep(tmp_path, "cap.pose.split <= backbone.split"), {"backbone.split": 0}) == {}


def test_metrics_count_when_there_are_some(tmp_path):
    searched = sweep(tmp_path, "model/parameters_inference <= 1e6", "CC/rank1 >= 0.3", "backbone.split <= 1")
    assert violations(searched, {"backbone.split": 2}) == {"backbone.split <= 1": 1}
    metrics = {"model/parameters_inference": 4e5, "best/CC/rank1": 0.25}
    found = violations(searched, {"backbone.split": 2}, metrics)
    assert found["model/parameters_inference <= 1e6"] == -6e5 and found["CC/rank1 >= 0.3"] == pytest.approx(0.05)
    with pytest.raises(SettingsError) as caught:
        violations(searched, {}, {"model/parameters_inference": 4e5})
    assert_names(caught.value, "CC/rank1 >= 0.3", "best/CC/rank1", "model/parameters_inference")
