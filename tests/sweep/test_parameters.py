import itertools

import pytest
from naming import assert_names
from pydantic import ValidationError

from rlq.core.seeding import generator
from rlq.sweep.parameters import Parameter, in_order, is_met, walk

REFUSED = [  # the words of a parameter, and what the refusal names
    ({}, ("values", "min", "max", "range", "value")),
    ({"values": [1], "min": 1, "max": 2}, ("min", "max", "values")),
    ({"min": 1}, ("min", "max")),
    ({"max": 1}, ("min", "max")),
    ({"min": 3, "max": 1}, ("min", 3, "max", 1)),
    ({"range": [3, 1]}, ("range", 3, 1)),
    ({"min": 2, "max": 2}, ("value: 2",)),
    ({"range": [2.0, 2.0]}, ("value: 2",)),
    ({"min": 5, "max": 8, "step": 5}, ("step", 5, 8)),
    ({"min": 5, "max": 40, "step": 10}, (10, 40, 5, 35)),
    ({"range": [3, 30], "step": 2}, (2, 30, 3, 29)),
    ({"min": 0.0, "max": 1.0, "step": 0.3}, (0.3, 1, 0, 0.9)),
    ({"min": 1, "max": 5, "step": 0}, ("step", 0)),
    ({"min": 1, "max": 5, "step": -1}, ("step", -1, 0)),
    ({"min": 0.0, "max": 5.0, "log": True}, ("log", "min", 0)),
    ({"min": 1, "max": 5, "step": 1, "log": True}, ("log", "min", "max", "step")),
    ({"range": [1, 5], "log": True}, ("log", "range")),
    ({"values": [1, 2], "step": 1}, ("step", "min", "max", "range", "values")),
    ({"value": 1, "log": True}, ("log", "min", "max", "value")),
    ({"values": []}, ("values", "[]")),
    ({"values": [1, 2, 1]}, ("values", 1)),
    ({"values": [True, 1]}, ("values", 1)),
    ({"values": [[1], [1]]}, ("values", "[1]")),
    ({"min": True, "max": 5}, ("min", "number")),
    ({"min": "1", "max": 5}, ("min", "number")),
    ({"min": 0.0, "max": float("inf")}, ("max", "number")),
    ({"range": [1, 2, 3]}, ("range", 2, 3)),
    ({"range": [1]}, ("range",)),
]


@pytest.mark.parametrize(("words", "named"), REFUSED)
def test_a_parameter_that_cannot_be_drawn_is_refused(words, named):
    with pytest.raises(ValidationError) as refused:
        Parameter(**words)
    (error,) = refused.value.errors()  # as text, it repeats the words that it was given
    assert_names(f"{'.'.join(map(str, error['loc']))} {error['msg']}", *named)


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
    ("words", "guess", "named"),
    [
        ({"value": 3}, 3, (3,)),
        ({"values": ["a", "b"]}, "c", ("['a', 'b']",)),
        ({"min": 1, "max": 9}, 2.5, (1, 9)),
        ({"min": 1, "max": 9}, True, ("number",)),
        ({"min": 1, "max": 9, "step": 2}, 4, (1, 9, 2)),
        ({"min": 1e-4, "max": 1e-2, "log": True}, 1, (0.0001, 0.01)),
        ({"range": [1, 9]}, 5, ("[low, high]",)),
        ({"range": [1, 9]}, [5, 2], ("[2, 5]",)),
        ({"range": [1, 9]}, [5, 12], (1, 9)),
    ],
)
def test_a_refused_guess_says_why(words, guess, named):
    assert_names(Parameter(**words).refusal(guess), *named)


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
