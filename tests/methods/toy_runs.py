"""A folder with a small CCVID, an experiment, a sweep and a table, for runs of the method of mean_colour.py."""

from pathlib import Path

from tiny_runs import Home

from rlq.core.console import Console
from rlq.runs import experiment
from rlq.runs.load import load
from rlq.synthetic.build import ensure_written
from rlq.synthetic.layouts.ccvid import CcvidSpec

EXPERIMENT = """\
method: mean_colour
data: {dataset: ccvid, root: data, size: [32, 16], batch: 8, instances: 2, workers: 0}
optim: {lr: 0.01, milestones: []}
schedule: {epochs: 3, evaluate_every: 1, baselines: true}
compute: {precision: float32}
"""
SWEEP = """\
name: stripes
experiment: mean_colour.yaml
metric: {name: CC/rank1, goal: maximize}
selection: test
fixed: {tracking.figures: false}
trials: 2
sampler: {name: grid}
parameters: {stripes: {values: [1, 4]}}
"""
TABLE = """\
title: Stripes
bases: {mean_colour.yaml: [CC, General]}
seeds: [1]
rows:
  - {name: one stripe, settings: {stripes: 1}}
  - {name: four stripes, settings: {stripes: 4}}
"""


def make_place(folder: Path) -> Home:
    ensure_written(folder / "data/CCVID", CcvidSpec(train_people=6, test_people=4, frames=3))
    for name, text in {"mean_colour.yaml": EXPERIMENT, "stripes.yaml": SWEEP, "table.yaml": TABLE}.items():
        (folder / name).write_text(text)
    return Home(folder)


def run(place: Home, *changes: str, **options) -> experiment.Result:
    with place.entered():
        return experiment.run(load(place.folder / "mean_colour.yaml", changes), console=Console(quiet=True), **options)
