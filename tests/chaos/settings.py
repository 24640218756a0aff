"""Experiments, a sweep and a table whose runs take seconds."""

from pathlib import Path

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FILES = {
    "train.yaml": """\
extends: {experiments}/synthetic.yaml
data: {{size: [32, 16], batch: 16}}
cap: {{pose: {{clusters: 4}}}}
tad: {{teacher: teacher}}
compute: {{precision: float32}}
optim: {{milestones: [2]}}
schedule: {{epochs: 3, evaluate_every: 1, clothes_from: 1}}
tracking: {{figures: false}}
""",
    "teacher.yaml": """\
extends: {experiments}/synthetic_teacher.yaml
data: {{size: [32, 16], batch: 16}}
compute: {{precision: float32}}
optim: {{milestones: [1]}}
schedule: {{epochs: 2, evaluate_every: 1, clothes_from: 1}}
tracking: {{figures: false}}
""",
    "short.yaml": """\
extends: train.yaml
data: {{workers: 0}}
tad: {{enabled: false}}
optim: {{milestones: [1]}}
schedule: {{epochs: 2, baselines: false}}
""",
    "with_teacher.yaml": """\
extends: train.yaml
tad: {{teacher: teacher.yaml}}
schedule: {{epochs: 1, clothes_from: 0, baselines: false}}
optim: {{milestones: []}}
""",
    "sweep.yaml": """\
experiment: short.yaml
metric: {{name: CC/mAP, goal: maximize}}
selection: test
sampler: {{name: grid, seed: 0}}
heartbeat: {{interval: 1, grace: 2, retries: 9}}
parameters:
  optim.lr: {{values: [3.0e-4, 1.0e-3, 3.0e-3]}}
""",
    "table.yaml": """\
title: Two ways
bases: {{short.yaml: [CC]}}
seeds: [1]
rows:
  - name: slow
    settings: {{optim.lr: 3.0e-4}}
  - name: fast
    settings: {{optim.lr: 3.0e-3}}
""",
}
