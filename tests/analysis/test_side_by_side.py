import numpy as np
import pytest
from matplotlib.colors import to_hex

from rlq.analysis.rank_lists import disagreeing
from rlq.core.errors import RlqError
from rlq.evaluation.figures import HIT, MISS


def test_only_queries_that_the_runs_answer_differently_are_chosen():
    first = np.array([[1, 1, 2, 0, 3, 1, 1], [1, 4, 1, 0, 2, 9, 1]])
    assert disagreeing(first, 9, seed=0).tolist() == [1, 2, 5]
    some = disagreeing(first, 2, seed=0)
    assert len(some) == 2 and set(some) <= {1, 2, 5} and list(some) == sorted(some)
    assert {tuple(disagreeing(first, 2, seed=seed)) for seed in range(20)} == {(1, 2), (1, 5), (2, 5)}
    with pytest.raises(RlqError, match=r"\b3\b.*quer"):
        disagreeing(first[:, [0, 3, 4, 6]], 2, seed=0)


def test_frames_are_green_for_hits_of_either_run(trained, untrained, ask):
    drawn = ask("rank_lists", trained, untrained, queries=2, top=3, protocol="General")
    runs = drawn.numbers["runs"]
    for run in runs.values():
        for rank, hits in zip(run["first_match"], run["hits"], strict=True):
            assert (hits.index(True) + 1 if any(hits) else 4) == min(rank, 4)
    asked = len(drawn.numbers["queries"])
    assert all((a == 1) != (b == 1) for a, b in zip(*(run["first_match"] for run in runs.values()), strict=True))
    frames = [
        to_hex(axes.spines["top"].get_edgecolor()) for axes in drawn.figure.axes if axes.spines["top"].get_visible()
    ]
    expected = [hit for row in range(asked) for run in runs.values() for hit in run["hits"][row]]
    assert frames == [HIT if hit else MISS for hit in expected]


def test_a_list_too_long_to_look_at_is_refused(trained, untrained, ask):
    with pytest.raises(RlqError, match=r"\btop\b.*\b400\b.*\b20\b"):
        ask("rank_lists", trained, untrained, top=400)
