"""Every benchmark runs on tiny shapes and gives its goals; the times themselves are not checked."""

import numpy as np
import pytest

from rlq.bench import clusters, growth, startup, tracking, workloads
from rlq.bench.measurement import Options
from rlq.data.catalogue import read
from rlq.evaluation.score_file import score_file

QUICK = Options(quick=True, rounds=1)


@pytest.fixture
def here(monkeypatch):
    """Measure in this process; new ones take seconds to start."""
    for module in (growth, tracking):
        monkeypatch.setattr(module, "in_fresh_process", lambda work, *arguments: work(*arguments))


def test_clusters_and_the_map_have_times_and_qualities():
    found = clusters.bench(QUICK)
    poses, places = found.tables
    assert [row[0] for row in poses.rows] == ["usual, float64", "own"]
    assert poses.rows[1][2] == pytest.approx(poses.rows[0][2], rel=0.001)
    assert all(0.5 < row[2] <= 1 for row in places.rows)
    assert {goal.name for goal in found.goals} >= {"K-means, s", "t-SNE: own / usual", "t-SNE: trustworthiness lost"}


def test_inertia_is_the_sum_of_squared_distances():
    poses, centres = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 3.0]])
    assert clusters.inertia(poses, centres) == pytest.approx(0 + 1 + 1)


def test_tracking_tells_what_training_waits_for():
    table, goals = tracking._run(tracking.Cost(3.0, 0.04, 0.02, epoch=0.894, one_by_one=1.788, ended=0.03))
    assert [row[1] for row in table.rows if "894" in row[0]] == pytest.approx([1.0])
    assert [goal.value for goal in goals] == pytest.approx([1.0, 0.02, 2.0])
    assert [goal.met for goal in goals] == [True, False, False]


@pytest.mark.slow
def test_a_run_is_tracked_and_timed():
    assert all(seconds > 0 for seconds in tracking.measure_run(2))


@pytest.mark.slow
def test_trials_are_timed_in_both_storages():
    table, goals = tracking._trials(1, 1)
    assert [row[0] for row in table.rows] == ["random", "TPE"]
    assert all(cell > 0 for row in table.rows for cell in row[1:]) and len(goals) == 3


def test_commands_are_timed_as_new_processes(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(startup, "time_command", lambda words, expect=0: asked.append((words, expect)) or 0.1)
    table, goals = startup._answers(tmp_path, 1)
    assert (["-m", "rlq", "train", "--no-such-option"], 2) in asked
    assert [row[0] for row in table.rows][-1] == "rlq score FILE"
    assert [goal.target for goal in goals] == [0.3, 0.3, 0.3, 0.3, 1.2]


def test_the_file_that_is_scored_can_be_scored(tmp_path):
    startup._write_features(tmp_path / "features.npz")
    assert score_file(tmp_path / "features.npz")["GENERAL"]["gallery"] == 1000


def test_a_console_stops_the_run_after_its_first_step_but_not_its_teacher():
    marks = startup._Marks(0.0)
    assert list(marks.progress([1, 2], "epoch 1 cap")) == [1, 2]
    marks.recorded = True
    assert list(marks.progress([1, 2], "pictures of prcc")) == [1, 2]
    steps = iter(marks.progress([1, 2, 3], "epoch 1 tad"))
    assert next(steps) == 1
    with pytest.raises(startup._FirstStepTaken):
        next(steps)
    assert marks.parts["network"] > 0 and marks.parts["first step"] > 0


@pytest.mark.slow
def test_the_first_step_comes_sooner_the_second_time(tmp_path):
    table, _ = startup._first_step(tmp_path, QUICK)
    found = {row[0]: row[1:] for row in table.rows}
    assert all(first > 0 and again > 0 for first, again in found.values())
    assert found["teacher"][1] < found["teacher"][0]


@pytest.mark.slow
def test_growth_has_a_row_for_every_size(here, monkeypatch):
    monkeypatch.setattr(growth, "cores", lambda: 1)
    monkeypatch.setattr(workloads, "cores", lambda: 1)
    files, identities, head, gallery, workers = growth.bench(QUICK).tables
    assert [row[0] for row in files.rows] == [60, 200] and [row[0] for row in gallery.rows] == [200, 400]
    assert [row[0] for row in identities.rows] == [20, 100]
    assert [row[1] for row in head.rows] == [64, 84, 784]  # 3.2 outfits a person, one class more, 36 more
    assert [row[0] for row in workers.rows] == [0, 1]


def test_a_set_in_lasts_layout_has_the_pictures_that_were_asked_for(tmp_path):
    workloads.write_last(tmp_path / "last", 100)
    data = read("last", tmp_path)
    assert (len(data.train), len(data.query), len(data.gallery)) == (36, 5, 59)
    assert {record.pid for record in data.gallery} == {record.pid for record in data.query}


def test_lasts_clothes_classes_are_counted_as_its_recipe_counts_them():
    pictures, *_, memory = workloads.measure_identities(50)
    assert pictures == 712 and (memory is None or memory >= 0)
    classes = workloads.PEOPLE * workloads.COLOURS**2 + workloads.OUTFITS
    assert classes == 196_035
