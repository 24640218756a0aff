"""A table is run row by row; what is finished is never run again, and stopping changes nothing."""

import signal
from pathlib import Path

import pytest
from tiny_runs import EXPERIMENTS, Home, without_clocks

from rlq import experiment
from rlq.ablation import running
from rlq.ablation.rows import read_rows
from rlq.console import Console
from rlq.training.stopping import Stopped

TABLE = """\
title: Two ways
bases: {{{base}: [CC]}}
seeds: [1, 2]
rows:
  - name: BM
    settings: {{tad.enabled: false, cap.pose.enabled: false, cap.gender.enabled: false}}
  - name: BM + G
    settings: {{tad.enabled: false, cap.pose.enabled: false}}
"""
QUIET = Console(quiet=True)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "two_ways.yaml"
    file.write_text(TABLE.format(base=EXPERIMENTS / "synthetic.yaml"))
    return file


def ablate(home: Home, table: Path, *more: str, **options) -> str:
    options = {"results": table.parent / "raw", "console": QUIET} | options
    runs = f"tracking.folder={table.parent / 'runs'}"
    changes = home.changes(runs, "tracking.figures=false", "schedule.baselines=false", *more)
    with home.entered():
        return running.ablate(table, changes=changes, **options)


def scores(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("BM")]


def test_a_stopped_table_goes_on_and_ends_like_one_that_was_not(home, table, tmp_path, monkeypatch):
    whole = ablate(home, table, results=tmp_path / "other", seeds=(1,))
    calls = 0

    def stop_at(call: int):
        def fit(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == call:
                signal.raise_signal(signal.SIGTERM)
            return real(*args, **kwargs)

        return fit

    real = experiment.fit
    runs = f"tracking.folder={tmp_path / 'stopped'}"
    for call in (1, 3):  # in the middle of the first row, then of the second one
        monkeypatch.setattr(experiment, "fit", stop_at(call))
        with pytest.raises(Stopped):
            ablate(home, table, runs, seeds=(1,))
    monkeypatch.setattr(experiment, "fit", real)
    again = ablate(home, table, runs, seeds=(1,))
    assert scores(again) == scores(whole) and len(scores(again)) == 2
    stopped, straight = read_rows(tmp_path / "raw"), read_rows(tmp_path / "other")
    assert [row.per_query for row in stopped] == [row.per_query for row in straight]
    assert [without_clocks(row.metrics) for row in stopped] == [without_clocks(row.metrics) for row in straight]
    assert len(list((tmp_path / "stopped").glob("*/result.json"))) == 2
