"""Whole runs with settings that say how to compute."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import without_clocks


def weights_of(home, result):
    return load_file(home.folder / result.folder / "last/model.safetensors")


def differing(home, one, other):
    ours, theirs = weights_of(home, one), weights_of(home, other)
    assert ours.keys() == theirs.keys()
    return [name for name in ours if not torch.equal(ours[name], theirs[name])]


@pytest.mark.slow
def test_how_seldom_losses_are_looked_at_changes_no_bit(home, whole_run):
    result = home.run("tracking.name=seldom", "compute.check_every=3")
    assert differing(home, result, whole_run) == []
    assert without_clocks(result.metrics) == without_clocks(whole_run.metrics)
    tracked = [home.history(one.run_id) for one in (result, whole_run)]
    assert without_clocks(tracked[0]) == without_clocks(tracked[1])


@pytest.mark.slow
def test_kept_features_of_the_teacher_serve_every_run_and_give_other_numbers(home, whole_run):
    changes = ("tad.teacher_features=once", "compute.deterministic=true")
    first = home.run("tracking.name=kept", *changes)
    (file,) = (home.folder / "runs/.cache").glob("teacher-*.npy")
    made = file.stat()
    assert np.load(file, mmap_mode="r").shape[:2] == (48, 2)  # eight people with six pictures; CAL and BOT
    again = home.run("tracking.name=kept again", *changes)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (made.st_mtime_ns, made.st_ino)
    assert differing(home, first, again) == []
    assert without_clocks(first.metrics) == without_clocks(again.metrics)
    assert differing(home, first, whole_run)


def test_features_in_a_hurry_are_near_the_exact_ones(home, whole_run, tmp_path):
    found = {}
    for words in ((), ("--fast",)):
        shown = home.command(
            *("embed", "whole", home.folder / "data/synthetic/prcc/rgb/test/A", "--output", tmp_path / "f.npz", *words)
        )
        assert shown.exit_code == 0, shown.output
        with np.load(tmp_path / "f.npz") as file:
            found[words] = file["features"]
    cosines = (found[()] * found["--fast",]).sum(axis=1)
    assert cosines.min() > 0.99 and not np.array_equal(found[()], found["--fast",])
