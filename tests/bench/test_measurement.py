"""Variants take turns, ratios are of rounds that ran side by side, memory is that of the work alone."""

import os
import sys

import numpy as np
import pytest

from rlq.bench.measurement import Options, Times, in_fresh_process, peak_memory, take_turns, time_command
from rlq.core.errors import RlqError


def test_every_variant_has_its_turn_in_every_round_and_leads_once():
    order = []
    times = take_turns({name: lambda name=name: order.append(name) for name in "abc"}, rounds=3)
    assert len(order) == 12  # a warm-up and three rounds
    assert [order[i] for i in (3, 6, 9)] == ["a", "b", "c"]
    assert {name: len(one.seconds) for name, one in times.items()} == {"a": 3, "b": 3, "c": 3}
    with pytest.raises(ValueError, match=r"\brounds\b.*\b0\b"):
        take_turns({"a": int}, rounds=0)


def test_a_ratio_is_the_median_of_the_rounds_own_ratios():
    disturbed = Times([1.0, 10.0, 1.0])  # the second round ran on a busy machine
    assert Times([2.0, 20.0, 3.0]).ratio_to(disturbed) == 2.0
    assert (disturbed.median, disturbed.fastest) == (1.0, 1.0)


def measured_growth() -> float | None:
    """The MiB that 64 MiB take beside 32 MiB that are held throughout."""
    before = np.ones(2**22)
    with peak_memory() as memory:
        during = np.ones(2**23)
        del during
    assert len(before) == 2**22
    return memory.mib


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark is Linux's")
def test_memory_counts_what_the_work_takes_and_not_what_was_there():
    assert 60 < in_fresh_process(measured_growth) < 80


def test_work_in_a_fresh_process_gives_its_result_and_its_error():
    assert in_fresh_process(os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        in_fresh_process(divmod, 1, 0)


def test_a_command_that_fails_is_no_measurement():
    assert time_command(["-c", "pass"]) > 0
    with pytest.raises(RlqError, match=r"\b3\b.*\bno luck\b"):
        time_command(["-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"])


def test_options_are_the_whole_benchmark_by_default():
    assert Options() == Options(quick=False, rounds=5, device="cpu", compiled=False)
