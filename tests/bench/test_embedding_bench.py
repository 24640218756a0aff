import pytest

from rlq.bench import embedding
from rlq.bench.measurement import Options

pytestmark = pytest.mark.slow  # half a minute of training steps


@pytest.fixture(scope="module")
def results():
    return embedding.bench(Options(quick=True, rounds=1))


def test_every_form_is_timed_and_compared_with_the_plain_one(results):
    rows = {row[0]: row[1:] for row in results.tables[0].rows}
    assert rows[embedding.PLAIN][1:] == (1, 0, 1)
    assert all(per_second > 0 and agreeing <= 1 for per_second, _, _, agreeing in rows.values())
    assert rows[embedding.EXACT][2] < 1e-3 and rows[embedding.FOLDED][2] < 1e-3
    if embedding.FAST in rows:
        assert 1e-3 < rows[embedding.FAST][2] < 0.2


def test_both_goals_have_a_value_or_a_reason(results):
    assert [(goal.relation, goal.target) for goal in results.goals] == [(">=", 1.3), (">=", 3.0)]
    assert all(goal.value is not None or goal.why == embedding.LACKING for goal in results.goals)


@pytest.mark.slow
def test_without_bfloat16_its_goal_stays_open(monkeypatch):
    monkeypatch.setattr(embedding, "has_bfloat16", lambda device: False)
    results = embedding.bench(Options(quick=True, rounds=1))
    assert embedding.FAST not in {row[0] for row in results.tables[0].rows}
    assert results.goals[1].met is None and results.goals[1].why == embedding.LACKING
