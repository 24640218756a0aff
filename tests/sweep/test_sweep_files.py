"""The sweep files of the repository."""

import json
import re

import pytest
from sweep_files import EXPERIMENTS, settings_of, written

from rlq.core.config import read_yaml
from rlq.methods.catalogue import method_of
from rlq.runs.load import load, prerequisite_fingerprint
from rlq.runs.prerequisites import experiment_of
from rlq.sweep.plan import read_sweep
from rlq.sweep.space import describe, flat_guess, space_signature
from rlq.sweep.spec import Sweep
from rlq.sweep.study import grid_size
from rlq.sweep.validation import check

SWEEPS = sorted((EXPERIMENTS.parent / "sweeps").glob("*.yaml"))
PUBLISHED = {"tad.pixelation": [16, 63], "tad.gaussian_kernel": [5, 21], "tad.motion_kernel": [8, 19]}


def sweep(name):
    return read_sweep(EXPERIMENTS.parent / "sweeps" / f"{name}.yaml")


def test_the_four_are_there():
    assert {"losses", "lq_kernels", "pose_k", "split"} <= {file.stem for file in SWEEPS}


@pytest.mark.parametrize("base", ["synthetic_short", "synthetic", "prcc", "ltcc", "rlq_paper_text"])
@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
def test_every_sweep_fits_the_built_in_data_and_the_published_form(file, base):
    searched = read_sweep(file)
    check(searched, settings_of(base))
    for guess in searched.enqueue:
        assert flat_guess(guess, searched, settings_of(base))
    assert all(name in describe(searched, settings_of(base)) for name in searched.parameters)
    json.loads(space_signature(searched))


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
def test_every_sweep_chooses_on_held_out_people_of_a_short_experiment(file):
    searched = read_sweep(file)
    assert searched.selection == "holdout" and searched.experiment == EXPERIMENTS / "synthetic_short.yaml"
    assert file.read_text().startswith("# ") and f"rlq sweep sweeps/{file.name}" in file.read_text()


def test_grids_have_as_many_trials_as_points():
    assert [grid_size(sweep(name)) for name in ("pose_k", "split")] == [8, 12]
    assert all(sweep(name).trials == grid_size(sweep(name)) for name in ("pose_k", "split"))


def test_kernels_are_searched_with_a_sigma_that_follows_them():
    searched = sweep("lq_kernels")
    assert searched.fixed["tad.gaussian_sigma"] == "from_kernel" and searched.fixed["tad.mix"]["motion"] > 0
    assert searched.enqueue == ("experiment", PUBLISHED)
    own, published = (flat_guess(guess, searched, settings_of("prcc")) for guess in searched.enqueue)
    assert own == published


def test_the_first_guess_for_losses_is_the_recipe():
    searched = sweep("losses")
    (guess,) = (flat_guess(guess, searched, settings_of("prcc")) for guess in searched.enqueue)
    assert guess.pop("losses.kl") == "official" and guess.pop("optim.lr") == 3.5e-4 and set(guess.values()) == {1.0}


def test_the_short_experiment_shares_the_teacher_of_the_whole_one():
    students = [load(EXPERIMENTS / f"{name}.yaml") for name in ("synthetic_short", "synthetic")]
    needed = [(one, method_of(one.settings).prerequisites(one.settings)) for one in students]
    teachers = [experiment_of(one, teacher) for one, (teacher,) in needed]
    assert len({prerequisite_fingerprint(teacher, ["data"]) for teacher in teachers}) == 1
    assert read_yaml(EXPERIMENTS / "synthetic_short.yaml")["tracking"] == {"figures": False}


def test_the_example_in_the_documentation_is_a_sweep(tmp_path):
    text = (EXPERIMENTS.parent / "docs/sweeps.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    searched = written(tmp_path, example, head="")
    for base in ("synthetic_short", "prcc"):
        check(searched, settings_of(base))
    words = {word for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)}
    assert words == set(Sweep.model_fields)
