import json

import pytest
from matplotlib.colors import to_hex
from naming import assert_names

from rlq.analysis.runs import Source
from rlq.core.errors import RlqError


@pytest.fixture
def run(home, tmp_path):
    """A run's settings and journal, without the run."""

    def run(name: str, rank1: float, *changes: str) -> Source:
        folder = tmp_path / name
        folder.mkdir()
        rows = [{"name": "best/CC/rank1", "value": rank1, "step": 2, "time": 0}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return Source(name, folder, home.load(*changes).settings, name)

    return run


def test_runs_of_one_value_are_one_point_and_the_best_is_marked(run, ask):
    sources = [
        run(f"{clusters}-{seed}", rank1, f"cap.pose.clusters={clusters}", f"seed={seed}")
        for clusters, seed, rank1 in [(20, 1, 0.3), (5, 1, 0.4), (5, 2, 0.6), (10, 1, 0.2)]
    ]
    drawn = ask("sweep", *sources)
    assert (drawn.numbers["parameter"], drawn.numbers["metric"]) == ("cap.pose.clusters", "best/CC/rank1")
    points = [(point["value"], point["mean"], point["sd"]) for point in drawn.numbers["points"]]
    assert points == [(5, 0.5, pytest.approx(0.02**0.5)), (10, 0.2, None), (20, 0.3, None)]
    (axes,) = drawn.figure.axes
    assert axes.lines[0].get_xydata().tolist() == [[5, 50], [10, 20], [20, 30]]
    (best,) = (line for line in axes.lines if to_hex(line.get_color()) == "#ff7f0e")
    assert best.get_xydata().tolist() == [[5, 50]]
    assert "| 5 " in drawn.text.splitlines()[2] and "50.0" in drawn.text.splitlines()[2]


def test_one_setting_has_to_be_meant(run, ask):
    one, other = run("a", 0.1), run("b", 0.2, "cap.pose.clusters=5", "optim.lr=1e-4")
    with pytest.raises(RlqError) as raised:
        ask("sweep", one, other)
    assert_names(raised.value, "cap.pose.clusters", "optim.lr", "--option parameter=")
    assert [p["value"] for p in ask("sweep", one, other, parameter="optim.lr").numbers["points"]] == [1e-4, 1e-3]
    with pytest.raises(RlqError, match="settings"):
        ask("sweep", one, one)
    with pytest.raises(RlqError, match=r"\bparameter\b.*\blr\b"):
        ask("sweep", one, other, parameter="lr")
    with pytest.raises(RlqError, match=r"\ba\b.*\bbest/SC/rank1\b"):
        ask("sweep", one, other, parameter="optim.lr", metric="best/SC/rank1")


def test_held_out_people_choose_and_the_test_is_shown(run, ask):
    sources = [run(str(k), 0.1, f"cap.pose.clusters={k}", "data.selection=holdout") for k in (4, 5)]
    with pytest.raises(RlqError, match="test/CC/rank1"):
        ask("sweep", *sources)
