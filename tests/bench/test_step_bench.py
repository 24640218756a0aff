import pytest

from rlq.bench import step
from rlq.bench.measuring import Options


@pytest.fixture(scope="module")
def findings():
    return step.bench(Options(quick=True, rounds=1))


def test_every_step_is_timed_and_compared_with_plain_cal(findings):
    table = findings.tables[0]
    names = {row[0] for row in table.rows}
    assert {step.PLAIN_CAL, "CAL, float32", "RLQ CAP, float32", "RLQ TAD, float32"} <= names
    assert {"RLQ CAP, every branch from the pixels, float32", "RLQ TAD, teacher's features kept, float32"} <= names
    assert all(row[1] > 0 and row[2] == pytest.approx(8 / row[1]) for row in table.rows)
    assert next(row for row in table.rows if row[0] == step.PLAIN_CAL)[3] == 1


def test_every_goal_has_a_figure_or_says_why_not(findings):
    assert [(goal.relation, goal.wanted) for goal in findings.goals] == [
        *[(">=", 1.15), ("<=", 2.6), ("<=", 1.25), ("<=", 1.9)],
        *[(">=", 2.0), ("<=", 2.6), ("<=", 1.25), ("<=", 1.6)],
    ]
    for goal in findings.goals:
        assert goal.found is not None or goal.why == step.LACKING


def test_a_processor_without_bfloat16_leaves_those_goals_open(monkeypatch):
    monkeypatch.setattr(step, "has_bfloat16", lambda device: False)
    found = step.bench(Options(quick=True, rounds=1)).goals
    assert [goal.met is None for goal in found] == 4 * [False] + 4 * [True]


def test_the_parts_are_the_blocks_that_the_network_runs():
    """One stem and first block, two second ones (trunk and pose), three pairs of third and fourth ones."""
    scale = step.TINY
    network = step.build_network(step.experiment(scale), scale, step.CPU)
    runs = []
    for owner in (network.trunk, *[branch.blocks for branch in (*network.branches.values(), network.pose_branch)]):
        runs += [sum(p.numel() for p in block.parameters()) for block in owner]
    blocks = step.build_network(step.experiment(scale, *step.CAL, "backbone.split=4"), scale, step.CPU).trunk
    sizes = [sum(p.numel() for p in block.parameters()) for block in blocks]
    wanted = [size for first, end, times in step.PARTS for size in times * sizes[first:end]]
    assert sorted(runs) == sorted(wanted)
