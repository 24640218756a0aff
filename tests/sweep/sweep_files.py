"""Sweep files for tests, written from a few words."""

from pathlib import Path

import yaml

import rlq
from rlq.core.config import read_tree, validate
from rlq.methods.rlq.settings import RlqSettings
from rlq.sweep.plan import read_sweep
from rlq.sweep.spec import Sweep

EXPERIMENTS = Path(rlq.__file__).parents[1] / "experiments"
HEAD = "experiment: base.yaml\nmetric: {name: CC/rank1, goal: maximize}\n"


def settings_of(name: str = "synthetic_short") -> RlqSettings:
    return validate(RlqSettings, read_tree(EXPERIMENTS / f"{name}.yaml"), name)


def written(folder: Path, text: str, head: str = HEAD) -> Sweep:
    """The sweep in a file that begins with `head`: two lines, an experiment and one metric."""
    path = folder / "sweep.yaml"
    path.write_text(head + text)
    return read_sweep(path)


def of(folder: Path, **parts: object) -> Sweep:
    """A sweep of these parts, and HEAD's where they lack."""
    tree = {"experiment": "base.yaml", **parts}
    if "metrics" not in parts:
        tree.setdefault("metric", {"name": "CC/rank1", "goal": "maximize"})
    return written(folder, yaml.safe_dump(tree, sort_keys=False), head="")
