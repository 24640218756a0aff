"""Experiments, words of `--set`, sweeps and tables: everything that people write as YAML, and addresses of storages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from fuzzing import Files, Target
from hypothesis import strategies as st
from mutations import changed_seeds, json_values, one_file, one_of, words

import rlq
from rlq.ablation.table import read_table_file
from rlq.core.config import apply_changes, flatten, known_names, read_tree, to_yaml, validate
from rlq.core.errors import RlqError
from rlq.methods.rlq.settings import RlqSettings
from rlq.runs.load import fingerprint, load
from rlq.sweep.plan import make_plan, read_sweep
from rlq.sweep.space import describe, space_signature
from rlq.sweep.storage import _driver, shown
from rlq.sweep.validation import check

REPOSITORY = Path(rlq.__file__).parents[1]
EXPERIMENTS = REPOSITORY / "experiments"
SETTINGS = validate(RlqSettings, read_tree(EXPERIMENTS / "synthetic_short.yaml"), "synthetic_short.yaml")
WHOLE = to_yaml(SETTINGS).encode()
NAMES = known_names(RlqSettings)
USUAL = flatten(SETTINGS)

EXTENDING = b"""# The whole method on the built-in pedestrians.
extends: base.yaml
data: {dataset: synthetic, size: [96, 48], batch: 64, workers: 1}
backbone: {name: test_resnet.r160_in1k, pretrained: false}
tad:
  teacher: teacher.yaml
  gaussian_sigma: from_kernel
  mix: {pixelation: 0.34, gaussian: 0.33, motion: 0.33}
optim: {lr: 1.0e-3, milestones: [6]}
schedule: {epochs: 8, evaluate_every: 4, clothes_from: 2, baselines: true}
"""
EXTERNAL = b"data: {dataset: synthetic_celeb}\ntad: {enabled: false}\n"
PARTS = {"base.yaml": WHOLE, "teacher.yaml": EXTERNAL, "synthetic_teacher.yaml": EXTERNAL}
KERNELS = b"""experiment: base.yaml
metric: {name: CC/rank1, goal: maximize}
sampler: {name: tpe, seed: 0, startup: 8}
pruner: {name: median, startup: 2}
trials: 20
seeds: [1, 2]
fixed:
  tad.gaussian_sigma: from_kernel
parameters:
  tad.pixelation: {range: [8, 64]}
  tad.gaussian_kernel: {range: [3, 31], step: 2}
  optim.lr: {min: 1e-4, max: 3e-3, log: true}
  losses.kl: {values: [official, plain]}
  losses.id_kl: {min: 0.1, max: 10.0, log: true, when: {losses.kl: plain}}
constraints: ["losses.id_kl <= optim.lr", "model/parameters_inference <= 1e8"]
enqueue:
  - experiment
  - {tad.pixelation: [16, 63], tad.gaussian_kernel: [5, 21], optim.lr: 1e-3, losses.kl: official}
"""
GRID = b"""experiment: base.yaml
metrics: [{name: CC/rank1, goal: maximize}, {name: CC/mAP, goal: maximize}]
sampler: grid
trials: 12
parameters:
  cap.pose.clusters: {min: 5, max: 40, step: 5}
  backbone.split: {values: [0, 1, 2]}
heartbeat: {interval: 60, grace: 180, retries: 2}
"""
TABLE = b"""table: 9
title: Components on the base model
bases:
  base.yaml: [CC]
protocols: [CC, SC]
seeds: [1, 2]
reference: BM
analysis: rank_lists
rows:
  - name: BM
    settings: {cap.pose.enabled: false, cap.gender.enabled: false, tad.enabled: false}
    published: {ltcc: {CC: [41.1, 20.3]}, prcc: {CC: [58.0, 59.4]}}
  - name: BM + G
    settings: {cap.pose.enabled: false}
  - name: RLQ
"""


def _experiment(folder: Path) -> None:
    loaded = load(folder / "experiment.yaml")
    fingerprint(loaded)
    to_yaml(loaded.settings)


def _changes(folder: Path) -> None:
    spoken = (folder / "words").read_bytes().decode("utf-8", "surrogateescape").split("\n")
    validate(RlqSettings, apply_changes({"data": {"dataset": "prcc"}}, spoken), "words")


def _sweep(folder: Path) -> None:
    sweep = read_sweep(folder / "sweep.yaml")
    check(sweep, load(sweep.experiment).settings)
    describe(sweep, SETTINGS)
    space_signature(sweep)


def _plan(folder: Path) -> None:
    plan = make_plan(folder / "sweep.yaml", smoke_test=True)
    for made in (plan.folder, Path(plan.storage.removeprefix("sqlite:///"))):
        if not made.absolute().parent.name == "sweeps":
            raise AssertionError(f"a sweep named {plan.sweep.name!r} is kept in {made}")


def _table(folder: Path) -> None:
    table = read_table_file(folder / "table.yaml")
    for row in table.rows:
        try:
            load(table.base_files()[0], values=row.settings)
        except RlqError:
            continue


def _address(folder: Path) -> None:
    address = (folder / "address").read_bytes().decode("utf-8", "surrogateescape")
    if "hunter2@" in address and "hunter2" in shown(address):
        raise AssertionError(f"{shown(address)} shows the password")
    _driver(address)


def _settings_tree() -> st.SearchStrategy[Mapping[str, Any]]:
    """Settings of the right names: their usual values, odd ones, and none."""
    pairs = st.sampled_from(NAMES).flatmap(
        lambda name: st.tuples(st.just(name), st.just(USUAL.get(name)) | json_values())
    )
    return st.lists(pairs, max_size=6).map(_nested)


def _nested(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {"data": {"dataset": "synthetic"}}
    for name, value in pairs:
        *sections, last = name.split(".")
        branch: Any = tree
        for section in sections:
            branch = branch.setdefault(section, {}) if isinstance(branch, dict) else {}
        if isinstance(branch, dict):
            branch[last] = value
    return tree


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=False).encode("utf-8", "replace")


def _with_experiment(name: str, content: st.SearchStrategy[bytes]) -> st.SearchStrategy[Files]:
    return content.map(lambda found: {**PARTS, name: found})


def _altered(seed: bytes) -> st.SearchStrategy[bytes]:
    """A file in which one entry has another value, or another name."""
    tree = yaml.safe_load(seed)

    def change(place: int, name: str | None, value: object) -> bytes:
        changed = yaml.safe_load(seed)
        branch, keys = changed, list(tree)
        key: Any = keys[place % len(keys)]
        while isinstance(branch[key], dict | list) and branch[key] and place % 3:
            branch, place = branch[key], place // 3
            keys = list(branch) if isinstance(branch, dict) else list(range(len(branch)))
            key = keys[place % len(keys)]
        if name is not None and isinstance(branch, dict):
            branch[name] = branch.pop(key)
        else:
            branch[key] = value
        return _yaml(changed)

    return st.builds(change, st.integers(0, 10**6), st.none() | words(), json_values())


def _spoken() -> st.SearchStrategy[bytes]:
    value = words() | st.sampled_from([str(value) for value in USUAL.values()])
    word = st.builds("{}={}".format, st.sampled_from(NAMES) | words(), value) | words()
    return st.lists(word, max_size=4).map("\n".join).map(lambda text: text.encode("utf-8", "surrogatepass"))


def _addresses() -> st.SearchStrategy[bytes]:
    kinds = st.sampled_from(
        ("sqlite", "postgresql", "postgres", "mysql", "mysql+pymysql", "oracle", "grpc", "http", "")
    )
    part = words()
    port = st.integers(-1, 10**6).map(str) | words()
    whole = st.builds("{}://user:hunter2@{}:{}/{}".format, kinds, part, port, part)
    return (whole | st.builds("{}://{}".format, kinds, part)).map(lambda text: text.encode("utf-8", "surrogatepass"))


def _seeds(name: str, *contents: bytes) -> tuple[Files, ...]:
    return tuple({**PARTS, name: content} for content in contents)


EXPERIMENT_SEEDS = _seeds("experiment.yaml", EXTENDING, WHOLE)
SWEEP_SEEDS = _seeds("sweep.yaml", KERNELS, GRID)
TABLE_SEEDS = _seeds("table.yaml", TABLE)
WORD_SEEDS: tuple[Files, ...] = (
    {"words": b"optim.lr=1e-4\ndata.size=[96, 48]\ntad.mix={motion: 0.5, gaussian: 0.0}\nseed=3"},
)
ADDRESS_SEEDS: tuple[Files, ...] = (
    {"address": b"sqlite:///runs/sweeps/pose_k.db"},
    {"address": b"postgresql://user:hunter2@db.example:5432/studies?sslmode=require"},
)
TARGETS = (
    Target(
        "experiment",
        _experiment,
        changed_seeds(EXPERIMENT_SEEDS)
        | _with_experiment("experiment.yaml", _settings_tree().map(_yaml))
        | _with_experiment("experiment.yaml", _altered(WHOLE)),
        EXPERIMENT_SEEDS,
    ),
    Target("set_words", _changes, one_file("words", _spoken()) | changed_seeds(WORD_SEEDS), WORD_SEEDS),
    Target(
        "sweep",
        _sweep,
        changed_seeds(SWEEP_SEEDS) | _with_experiment("sweep.yaml", one_of((KERNELS, GRID)).flatmap(_altered)),
        SWEEP_SEEDS,
        share=0.7,
    ),
    Target(
        "sweep_plan",
        _plan,
        _with_experiment("sweep.yaml", words().map(lambda name: GRID + _yaml({"name": name}))),
        _seeds("sweep.yaml", GRID + b"name: pose_k\n"),
        share=0.15,
    ),
    Target(
        "table",
        _table,
        changed_seeds(TABLE_SEEDS) | _with_experiment("table.yaml", _altered(TABLE)),
        TABLE_SEEDS,
    ),
    Target("address", _address, one_file("address", _addresses()) | changed_seeds(ADDRESS_SEEDS), ADDRESS_SEEDS),
)
