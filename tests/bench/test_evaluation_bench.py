"""The benchmark of evaluation on tiny shapes: everything is measured, and the forms agree."""

import numpy as np
import pytest

from rlq.bench import evaluation
from rlq.bench.matrix_product import blocks_of, products
from rlq.bench.measurement import Options
from rlq.bench.scales import QUICK, SCALES, Scale, features_of, labels_of

TINY = Scale("DeepChange, tiny", 24, 90, 32, 6, 4, 3, 12, 6, rounds=1, whole=True)


@pytest.fixture
def here(monkeypatch):
    """Measure in this process; new ones take seconds to start."""
    monkeypatch.setattr(evaluation, "in_fresh_process", lambda work, *arguments: work(*arguments))


def test_every_scale_gets_figures_and_goals(here, monkeypatch):
    monkeypatch.setattr(evaluation, "QUICK", (QUICK[0], TINY))
    results = evaluation.bench(Options(quick=True, rounds=1))
    products_, whole, ranking, agreement = results.tables
    assert [row[0] for row in whole.rows] == [QUICK[0].name, TINY.name]
    assert all(cell > 0 for row in whole.rows for cell in row[1:6])  # the last is MiB, which may be none
    assert all(cell > 0 for row in ranking.rows for cell in row[1:3])
    assert all(row[2] < 1e-12 and row[3] == "true" for row in agreement.rows)
    assert "NumPy" in products_.rows[0]
    goals = {goal.name: goal for goal in results.goals}
    assert goals["small: mAP apart from the plain form, same scores"].met
    assert goals["small: whole / its matrix product"].target == 1.4
    assert goals["DeepChange, tiny: whole / its matrix product"].target == 1.2
    assert goals["DeepChange, tiny: plain / whole"].relation == ">="
    assert goals["DeepChange, tiny: torch.mm / scores as used"].met is None  # too small for another library


def test_a_device_has_a_table_of_its_own(here, monkeypatch):
    monkeypatch.setattr(evaluation, "QUICK", (TINY,))
    monkeypatch.setattr(evaluation, "measure_on", lambda scale, device, rounds: (device, scale.part, rounds, None))
    results = evaluation.bench(Options(quick=True, rounds=1, device="cuda"))
    assert results.tables[-1].rows == [(TINY.name, "cuda", 12, 1, None)] and len(results.tables) == 5


def test_what_is_measured_on_a_device_can_be_measured_on_the_cpu():
    *seconds, mib = evaluation.measure_on(TINY, "cpu", 1)
    assert min(seconds) > 0 and mib is None


def test_every_library_multiplies_the_same():
    labels = [labels_of(TINY, side) for side in ("query", "gallery")]
    q, g = (features_of(TINY, side, of) for side, of in zip(("query", "gallery"), labels, strict=True))
    expected = q.astype(np.float64) @ g.T.astype(np.float64)
    for name, product in products(q, g, 10).items():
        blocks = np.concatenate([product(rows).copy() for rows in blocks_of(len(q), 10)])
        assert np.abs(blocks - expected).max() < 1e-3, name


def test_blocks_cover_all_queries_once():
    assert blocks_of(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]


def test_scales_are_those_of_the_data_sets():
    sizes = {scale.name: (scale.queries, scale.gallery, scale.width) for scale in SCALES}
    assert sizes["LTCC"] == (493, 7050, 4096) and sizes["DeepChange"] == (17527, 62956, 4096)
    assert sizes["LaST, 8192 wide"] == (10176, 125353, 8192)
    assert SCALES[2].share == pytest.approx(17527 / 1598)


def test_random_people_are_found_better_than_by_chance_and_always_the_same():
    labels = labels_of(TINY, "query")
    features = features_of(TINY, "query", labels)
    assert np.array_equal(features, features_of(TINY, "query", labels_of(TINY, "query")))
    assert set(np.bincount(labels.pid)) == {4}
    alone = labels_of(QUICK[1], "query").camera, labels_of(QUICK[1], "gallery").camera
    assert len(set(np.concatenate(alone).tolist())) == 240  # every picture is its own camera
