import itertools

import pytest
from pydantic import ValidationError

from rlq.core.seeding import generator
from rlq.sweep.parameters import Parameter, in_order, is_met, walk

REFUSED = [
    ({}, "wants one of values, min and max, range, or value; found none"),
    ({"values": [1], "min": 1, "max": 2}, "found min and max and values"),
    ({"min": 1}, "wants both min and max, only min is given"),
    ({"max": 1}, "only max is given"),
    ({"min": 3, "max": 1}, "min 3 is above max 1: nothing lies between"),
    ({"range": [3, 1]}, "range 3 is above range 1"),
    ({"min": 2, "max": 2}, "there is one number only; write value: 2"),
    ({"range": [2.0, 2.0]}, "there is one number only"),
    ({"min": 5, "max": 8, "step": 5}, "step = 5 never fits between 5 and 8"),
    ({"min": 5, "max": 40, "step": 10}, "in steps of 10, 40 is never reached from 5; the last one is 35"),
    ({"range": [3, 30], "step": 2}, "in steps of 2, 30 is never reached from 3; the last one is 29"),
    ({"min": 0.0, "max": 1.0, "step": 0.3}, "1 is never reached from 0; the last one is 0.9"),
    ({"min": 1, "max": 5, "step": 0}, "step = 0 should be above 0"),
    ({"min": 1, "max": 5, "step": -1}, "step = -1 should be above 0"),
    ({"min": 0.0, "max": 5.0, "log": True}, "log: true is for min above 0"),
    ({"min": 1, "max": 5, "step": 1, "log": True}, "log: true is for min above 0 and max, without step"),
    ({"range": [1, 5], "log": True}, "not for range"),
    ({"values": [1, 2], "step": 1}, "step is for min and max or range, not for values"),
    ({"value": 1, "log": True}, "log is for min and max, not for value"),
    ({"values": []}, "leaves nothing to choose from"),
    ({"values": [1, 2, 1]}, "values holds 1 twice"),
    ({"values": [True, 1]}, "values holds 1 twice"),
    ({"values": [[1], [1]]}, "twice"),
    ({"min": True, "max": 5}, "should be a number"),
    ({"min": "1", "max": 5}, "should be a number"),
    ({"min": 0.0, "max": float("inf")}, "should be a number"),
    ({"range": [1, 2, 3]}, "range"),
    ({"range": [1]}, "range"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_a_parameter_that_cannot_be_drawn_is_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        Parameter(**words)


def test_whole_ends_draw_whole_numbers_and_others_do_not():
    assert Parameter(min=1, max=5).whole and Parameter(range=(1, 5), step=2).whole
    assert not any(Parameter(**words).whole for words in ({"min": 1, "max": 5.0}, {"min": 1, "max": 2, "step": 0.5}))


def test_points_are_all_that_can_be_drawn():
    assert Parameter(min=5, max=40, step=5).points() == [5, 10, 15, 20, 25, 30, 35, 40]
    assert Parameter(min=0.0, max=1.0, step=0.25).points() == [0, 0.25, 0.5, 0.75, 1]
    assert Parameter(min=0.1, max=0.7, step=0.1).points() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert Parameter(min=1, max=4, log=True).points() == [1, 2, 3, 4]
    assert Parameter(values=["a", None]).points() == ["a", None] and Parameter(value=None).points() == [None]
    assert Parameter(min=0.0, max=1.0).points() is None and Parameter(range=(0.0, 1.0)).count() is None


def test_pairs_of_a_range_are_those_in_order():
    random = generator("pairs")
    for _ in range(20):
        low, step, steps = random.integers(1, 9), random.integers(1, 4), random.integers(1, 7)
        ends = [int(low + n * step) for n in range(steps + 1)]
        parameter = Parameter(range=(ends[0], ends[-1]), step=int(step))
        assert parameter.pairs() == [list(pair) for pair in itertools.product(ends, ends) if pair[0] <= pair[1]]
        assert parameter.count() == len(parameter.pairs())


def test_a_first_guess_is_refused_exactly_where_it_is_no_point():
    random = generator("guesses")
    for _ in range(20):
        low, step, steps = (int(n) for n in (random.integers(0, 9), random.integers(1, 4), random.integers(1, 6)))
        number = Parameter(min=low, max=low + steps * step, step=step)
        assert [n for n in range(-5, 40) if number.refusal(n) is None] == number.points()
        ends = Parameter(range=(low, low + steps * step), step=step)
        tried = [list(pair) for pair in itertools.product(range(-2, 30), repeat=2)]
        assert [pair for pair in tried if ends.refusal(pair) is None] == ends.pairs()


@pytest.mark.parametrize(
    ("words", "guess", "message"),
    [
        ({"value": 3}, 3, "always 3"),
        ({"values": ["a", "b"]}, "c", "not among the values"),
        ({"min": 1, "max": 9}, 2.5, "is not in 1 to 9"),
        ({"min": 1, "max": 9}, True, "should be a number"),
        ({"min": 1, "max": 9, "step": 2}, 4, "is not in 1 to 9 in steps of 2"),
        ({"min": 1e-4, "max": 1e-2, "log": True}, 1, "should lie in 0.0001 to 0.01, logarithmic"),
        ({"range": [1, 9]}, 5, "should be two ends"),
        ({"range": [1, 9]}, [5, 2], r"should be in order, \[2, 5\]"),
        ({"range": [1, 9]}, [5, 12], "should lie in 1 to 9"),
    ],
)
def test_a_refused_guess_says_why(words, guess, message):
    import re

    assert re.search(message, Parameter(**words).refusal(guess))


def test_lists_and_mappings_are_choices_by_their_text():
    values = ([20, 40], {"a": 1}, "word", None, 2)
    parameter = Parameter(values=values)
    assert parameter.choices == ("[20, 40]", '{"a": 1}', "word", None, 2)
    assert tuple(parameter.choice(choice) for choice in parameter.choices) == values
    assert parameter.refusal([20, 40]) is None and parameter.refusal([40, 20])


def test_two_spellings_have_one_shape():
    assert Parameter(min=1, max=5).shape() == Parameter(min=1, max=5, step=1).shape()
    assert Parameter(min=1, max=5).shape() != Parameter(min=1.0, max=5.0).shape()
    assert Parameter(range=(1, 5)).shape() != Parameter(min=1, max=5).shape()


def test_parameters_are_drawn_after_those_they_hang_on_and_told_in_the_files_order():
    a = Parameter(values=("x",), when={"b": [1, 2]})
    b, c = Parameter(values=(1, 3)), Parameter(values=(5,), when={"a": "x"})
    parameters = {"c": c, "a": a, "b": b}
    assert in_order(parameters) == ["b", "a", "c"]
    assert walk(parameters, lambda _, parameter: parameter.values[0]) == {"c": 5, "a": "x", "b": 1}
    assert list(walk(parameters, lambda _, parameter: parameter.values[0])) == ["c", "a", "b"]
    assert walk(parameters, lambda _, parameter: parameter.values[-1]) == {"b": 3}


def test_a_condition_on_something_undrawn_is_not_met():
    assert is_met({}, {}) and is_met({"a": 1}, {"a": 1}) and is_met({"a": [1, 2]}, {"a": 2})
    assert not is_met({"a": 1}, {}) and not is_met({"a": 1, "b": 2}, {"a": 1, "b": 3})
