import pytest
from naming import assert_names
from sweep_files import of, written

from rlq.core.errors import SettingsError

WHEN = {  # a second parameter -> what the refusal names
    "b: {values: [1], when: {c: 1}}": ("line 5", "when", "a, b"),
    "b: {values: [1], when: {aa: 1}}": ("line 5", "when", "aa"),
    "b:\n    values: [1]\n    when: {a: 3}": ("line 7", "when", "[3]", "1, 2"),
    "b:\n    values: [1]\n    when:\n      a: [1, 5]": ("line 8", "when", "[5]", "1, 2"),
    "b: {values: [1], when: {a: []}}": ("line 5", "when", "[]", "1, 2"),
    "b: {values: [1], when: {c: 1.0}}\n  c: {min: 1.0, max: 2.0}": ("line 5", "when", "values", "step"),
    "b: {values: [1], when: {c: 1}}\n  c: {range: [1, 5]}": ("line 5", "when", "values", "step"),
    "b: {values: [1], when: {c: 1}}\n  c: {values: [1], when: {b: 1}}": ("line 5", "when", "b, c"),
    "b: {values: [1], when: {b: 1}}": ("line 5", "when"),
}


@pytest.mark.parametrize("text", WHEN)
def test_conditions_that_cannot_be_are_told_with_their_line(text, tmp_path):
    with pytest.raises(SettingsError) as refused:
        written(tmp_path, f"parameters:\n  a: {{values: [1, 2]}}\n  {text}\n")
    assert_names(refused.value, *WHEN[text])


def test_conditions_in_any_order_are_taken(tmp_path):
    sweep = written(
        tmp_path, "parameters:\n  b: {values: [1], when: {a: [1, 3], c: 5}}\n  a: {min: 1, max: 3}\n  c: {value: 5}\n"
    )
    assert sweep.parameters["b"].when == {"a": [1, 3], "c": 5}


NUMBERS = {"a": {"min": 0.0, "max": 1.0}, "b": {"range": [1, 5]}}
ON_A = {"a": {"values": [1]}, "b": {"values": [1], "when": {"a": 1}}}
SAMPLERS = [
    ("cmaes", {"a": {"min": 0.0, "max": 1.0}}, {}, ("line 2", "cmaes", 1, "tpe")),
    ("cmaes", {**NUMBERS, "c": {"values": [1]}}, {}, ("line 12", "cmaes", "tpe", "gp", "grid")),
    ("qmc", {**NUMBERS, "c": {"values": [1]}}, {}, ("line 12", "qmc", "tpe", "gp", "grid")),
    ("gp", ON_A, {}, ("line 10", "when", "tpe", "random", "gp")),
    ("grid", ON_A, {}, ("line 10", "when", "tpe", "random", "grid")),
    ("grid", NUMBERS, {}, ("line 4", "grid", "values", "min", "max", "step", 0, 1)),
    ("grid", {"a": {"range": [1, 500]}}, {}, ("grid", 125250, 10000, "sampler: tpe")),
    ("grid", {"a": {"values": [1]}}, {"enqueue": [{"a": 1}]}, ("enqueue", "grid")),
    ("nsgaii", NUMBERS, {"trials": 50}, ("nsgaii", 50, "sampler.population")),
    ({"name": "nsgaii", "population": 9}, NUMBERS, {"trials": 9}, ("nsgaii", 9, "sampler.population")),
    ({"name": "tpe", "startup": 9}, NUMBERS, {"trials": 9}, ("tpe", 9, "sampler.startup")),
]


@pytest.mark.parametrize(("sampler", "parameters", "more", "named"), SAMPLERS)
def test_what_a_sampler_cannot_draw_is_refused(sampler, parameters, more, named, tmp_path):
    with pytest.raises(SettingsError, match="line ") as refused:
        of(tmp_path, sampler=sampler, parameters=parameters, **more)
    assert_names(refused.value, *named)


def test_cmaes_takes_one_metric(tmp_path):
    metrics = [{"name": "CC/rank1", "goal": "maximize"}, {"name": "CC/mAP", "goal": "maximize"}]
    with pytest.raises(SettingsError) as told:
        of(tmp_path, sampler="cmaes", parameters=NUMBERS, metrics=metrics)
    assert_names(told.value, "cmaes", "metric")
