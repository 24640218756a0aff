"""The training steps that are timed: those of the method RLQ, of real size or tiny for quick runs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from rlq.methods.benchmark import BenchSetup, BenchStep
from rlq.methods.catalogue import find_method

METHOD = "rlq"
REAL = BenchSetup("resnet50.tv_in1k", (384, 192), rows=8, pairs=8, people=77)  # as many people as LTCC has
TINY = BenchSetup("test_resnet.r160_in1k", (64, 32), rows=8, pairs=8, people=6)
Precision = Literal["float32", "bfloat16"]


def label_of(setup: BenchSetup) -> str:
    """Return the network and the size of its pictures, for titles of tables."""
    return f"{setup.backbone.partition('.')[0]}, {setup.size[0]}x{setup.size[1]}"


def steps_of(setup: BenchSetup) -> Mapping[str, Callable[[], BenchStep]]:
    """Return functions that build the steps, by the steps' names."""
    return find_method(METHOD).bench_steps(setup)


def timed(step: BenchStep, precision: Precision, **options: Any) -> Callable[[], object]:
    """Return a function that takes one step; `options` are those of StepBuilder."""
    return partial(step.build(precision, **options), step.batch)
