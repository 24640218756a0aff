import warnings

import pytest
import torch

from rlq.bench import gpu
from rlq.bench.measurement import Options

CPU = torch.device("cpu")


@pytest.fixture
def no_gpu_needed(monkeypatch):
    """Replace the questions to a GPU; returns the sync debug modes that were set."""
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a CPU in its place")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    return modes


@pytest.mark.slow
def test_steps_loaders_and_waits_are_measured(no_gpu_needed):
    results = gpu.measure(CPU, Options(quick=True, rounds=1))
    steps, loading = results.tables
    assert {"RLQ CAP, bfloat16", "RLQ CAP, float32", "RLQ TAD, bfloat16", "CAL, bfloat16"} <= {
        row[0] for row in steps.rows
    }
    assert all(row[1] > 0 and row[2] == pytest.approx(16 / (row[1] / 1000)) and row[3] == 3 for row in steps.rows)
    assert [row[0] for row in loading.rows] == ["CAP", "TAD"]
    for _, _, per_second, waiting, stepping in loading.rows:
        assert per_second > 0 and 0 < waiting < 1 and waiting + stepping == pytest.approx(1)
    assert [goal.met for goal in results.goals] == [True, True]
    assert no_gpu_needed == ["warn", "default"] * 2


@pytest.mark.slow
def test_a_step_that_waits_is_named_by_its_place(no_gpu_needed):
    def step():
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("something else", stacklevel=1)

    (line,) = gpu._waits(step)
    assert line.startswith("test_gpu_bench.py:") and line.endswith("called a synchronizing CUDA operation")


def test_without_a_gpu_a_note_names_the_command():
    results = gpu.bench(Options(quick=True, device="cpu"))
    assert not results.tables and not results.goals and "rlq bench gpu --device cuda" in results.notes[0]
