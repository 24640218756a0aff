import pytest

from rlq.bench import step
from rlq.bench.measurement import Options
from rlq.models.backbone import build_blocks

pytestmark = pytest.mark.slow  # half a minute of training steps


@pytest.fixture(scope="module")
def results():
    return step.bench(Options(quick=True, rounds=1))


def test_every_step_is_timed_and_compared_with_plain_cal(results):
    table = results.tables[0]
    names = {row[0] for row in table.rows}
    assert {step.PLAIN_CAL, "CAL, float32", "RLQ CAP, float32", "RLQ TAD, float32"} <= names
    assert {"RLQ CAP, every branch from the pixels, float32", "RLQ TAD, teacher's features kept, float32"} <= names
    assert all(row[1] > 0 and row[2] == pytest.approx(8 / row[1]) for row in table.rows)
    assert next(row for row in table.rows if row[0] == step.PLAIN_CAL)[3] == 1


def test_every_goal_has_a_figure_or_says_why_not(results):
    assert [(goal.relation, goal.target) for goal in results.goals] == [
        *[(">=", 1.15), ("<=", 2.6), ("<=", 1.25), ("<=", 1.9)],
        *[(">=", 2.0), ("<=", 2.6), ("<=", 1.25), ("<=", 1.6)],
    ]
    for goal in results.goals:
        assert goal.value is not None or goal.why == step.LACKING


@pytest.mark.slow
def test_a_processor_without_bfloat16_leaves_those_goals_open(monkeypatch):
    monkeypatch.setattr(step, "has_bfloat16", lambda device: False)
    goals = step.bench(Options(quick=True, rounds=1)).goals
    assert [goal.met is None for goal in goals] == 4 * [False] + 4 * [True]


def test_the_parts_are_the_blocks_that_the_network_runs():
    """One stem and first block, two second ones (trunk and pose), three pairs of third and fourth ones."""
    cap = step.steps_of(step.TINY)["RLQ CAP"]()
    network = cap.model.network
    runs = []
    for owner in (network.trunk, *[branch.blocks for branch in (*network.branches.values(), network.pose_branch)]):
        runs += [sum(p.numel() for p in block.parameters()) for block in owner]
    sizes = [sum(p.numel() for p in block.parameters()) for block in build_blocks(step.TINY.backbone, pretrained=False)]
    expected = [size for first, end, times in step.PARTS for size in times * sizes[first:end]]
    assert sorted(runs) == sorted(expected)
