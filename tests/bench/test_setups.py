"""Benchmarks get their training steps from a method, by the seam alone."""

import ast
from pathlib import Path

import pytest
import torch

import rlq.bench
from rlq.bench.setups import TINY, label_of, steps_of, timed
from rlq.core.errors import RlqError
from rlq.methods.base import Method
from rlq.methods.rlq.method import Rlq

SEAM = {"rlq.methods.benchmark", "rlq.methods.catalogue"}


def test_benchmarks_know_no_method():
    imported = set()
    for file in Path(rlq.bench.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                imported.add(str(node.module))
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    assert {name for name in imported if name.startswith("rlq.methods")} == SEAM


def test_a_method_without_steps_to_time_says_so():
    with pytest.raises(RlqError, match="rlq"):
        Method.bench_steps(Rlq(), TINY)


def test_steps_of_one_call_train_the_same_network():
    steps = steps_of(TINY)
    cap, tad, cal = (steps[name]() for name in ("RLQ CAP", "RLQ TAD", "CAL"))
    assert cap.model.network is tad.model.network and cal.model.network is not cap.model.network
    before = cap.model.network.trunk[0][0][0].weight.detach().clone()
    timed(tad, "float32")()
    assert not torch.equal(cap.model.network.trunk[0][0][0].weight, before)
    assert (cap.batch.rows, tad.batch.rows, set(cap.batch.labels)) == (TINY.rows, TINY.pairs, {"pose", "gender"})


def test_steps_share_optimisers_only_of_the_same_kind():
    step = steps_of(TINY)["CAL"]()
    exact, half, usual = (
        step.build(precision, fused=fused).learner
        for precision, fused in (("float32", True), ("bfloat16", True), ("float32", False))
    )
    assert exact.optimiser is half.optimiser and exact.optimiser is not usual.optimiser
    assert (exact.compute_type, half.compute_type) == (torch.float32, torch.bfloat16)
    assert exact.optimiser.defaults["fused"] and not usual.optimiser.defaults["fused"]


def test_another_forward_pass_takes_the_place_of_the_network():
    step = steps_of(TINY)["RLQ CAP"]()
    calls = []

    def forward(images):
        calls.append(len(images))
        return step.model.network(images)

    timed(step, "float32", forward=forward)()
    assert calls == [TINY.rows]


def test_the_label_names_network_and_size():
    assert label_of(TINY) == "test_resnet, 64x32"
