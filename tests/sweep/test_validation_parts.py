import pytest
from sweep_files import of, written

from rlq.core.errors import SettingsError

WHEN = {
    "b: {values: [1], when: {c: 1}}": r"line 5: b: when c: this sweep does not search it; searched are a, b",
    "b: {values: [1], when: {aa: 1}}": r"line 5: b: when aa: this sweep does not search it; did you mean a\?",
    "b:\n    values: [1]\n    when: {a: 3}": r"line 7: b: when a: it is never \[3\]; it is one of 1, 2",
    "b:\n    values: [1]\n    when:\n      a: [1, 5]": r"line 8: b: when a: it is never \[5\]",
    "b: {values: [1], when: {a: []}}": r"b: when a: it is never \[\]",
    "b: {values: [1], when: {c: 1.0}}\n  c: {min: 1.0, max: 2.0}": "b: when c: a condition is on values or steps",
    "b: {values: [1], when: {c: 1}}\n  c: {range: [1, 5]}": "b: when c: a condition is on values or steps, not on a",
    "b: {values: [1], when: {c: 1}}\n  c: {values: [1], when: {b: 1}}": r"line 5: b, c wait for each other \(when:\)",
    "b: {values: [1], when: {b: 1}}": "b wait for each other",
}


@pytest.mark.parametrize("text", WHEN)
def test_conditions_that_cannot_be_are_told_with_their_line(text, tmp_path):
    with pytest.raises(SettingsError, match=WHEN[text]):
        written(tmp_path, f"parameters:\n  a: {{values: [1, 2]}}\n  {text}\n")


def test_conditions_in_any_order_are_taken(tmp_path):
    sweep = written(
        tmp_path, "parameters:\n  b: {values: [1], when: {a: [1, 3], c: 5}}\n  a: {min: 1, max: 3}\n  c: {value: 5}\n"
    )
    assert sweep.parameters["b"].when == {"a": [1, 3], "c": 5}


NUMBERS = {"a": {"min": 0.0, "max": 1.0}, "b": {"range": [1, 5]}}
SAMPLERS = [
    ("cmaes", {"a": {"min": 0.0, "max": 1.0}}, {}, "line .*cmaes needs two numbers or more, here is 1"),
    ("cmaes", {**NUMBERS, "c": {"values": [1]}}, {}, "c: sampler cmaes searches numbers only"),
    ("qmc", {**NUMBERS, "c": {"values": [1]}}, {}, "c: sampler qmc searches numbers only"),
    (
        "gp",
        {"a": {"values": [1]}, "b": {"values": [1], "when": {"a": 1}}},
        {},
        "when: is for the samplers tpe and",
    ),
    ("grid", {"a": {"values": [1]}, "b": {"values": [1], "when": {"a": 1}}}, {}, "tpe and random, not for grid"),
    ("grid", NUMBERS, {}, "a: a grid wants values, or min and max with a step, not 0 to 1"),
    ("grid", {"a": {"range": [1, 500]}}, {}, "a grid of 125250 points is more than 10000"),
    ("grid", {"a": {"values": [1]}}, {"enqueue": [{"a": 1}]}, "enqueue: a grid visits every point in any case"),
    ("nsgaii", NUMBERS, {"trials": 50}, "its first 50 trials are random, and there are 50 .* sampler.population"),
    ({"name": "nsgaii", "population": 9}, NUMBERS, {"trials": 9}, "its first 9 trials are random"),
    ({"name": "tpe", "startup": 9}, NUMBERS, {"trials": 9}, "its first 9 .* set a smaller sampler.startup"),
]


@pytest.mark.parametrize(("sampler", "parameters", "more", "message"), SAMPLERS)
def test_what_a_sampler_cannot_draw_is_refused(sampler, parameters, more, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        of(tmp_path, sampler=sampler, parameters=parameters, **more)


def test_cmaes_takes_one_metric(tmp_path):
    metrics = [{"name": "CC/rank1", "goal": "maximize"}, {"name": "CC/mAP", "goal": "maximize"}]
    with pytest.raises(SettingsError, match="sampler cmaes takes one metric"):
        of(tmp_path, sampler="cmaes", parameters=NUMBERS, metrics=metrics)
