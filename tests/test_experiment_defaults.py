"""Facts about the experiments as they are delivered."""

import numpy as np
import pytest
from tiny_runs import EXPERIMENTS

from rlq import experiment
from rlq.artefacts import KINDS, ArtefactRanges, degrade, draw_artefact
from rlq.config import flatten, read_tree
from rlq.data.catalogue import CATALOGUE, read
from rlq.data.pictures import read_picture
from rlq.data.transforms import resize
from rlq.methods.rlq.settings import RlqSettings, artefact_ranges
from rlq.seeding import generator


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures, dB."""
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_experiment_loads_and_names_sets_and_a_teacher_that_exist(file):
    loaded = experiment.load(file)
    settings = loaded.settings
    assert settings.data.dataset in CATALOGUE
    if settings.tad.enabled:
        assert settings.tad.external in CATALOGUE
        teacher = experiment.teacher_experiment(loaded).settings
        assert teacher.data.dataset == settings.tad.external and not teacher.tad.enabled
        assert not teacher.cap.pose.enabled and not teacher.cap.gender.enabled and not teacher.clothes.augment


def test_the_recipe_file_writes_out_every_default():
    written = experiment.load(EXPERIMENTS / "rlq.yaml").settings
    assert flatten(written) == flatten(RlqSettings(data={"dataset": "prcc"}))

    def names(tree, prefix=""):
        for key, value in tree.items():
            yield from names(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]

    assert sorted(names(read_tree(EXPERIMENTS / "rlq.yaml"))) == sorted(flatten(written))


@pytest.mark.parametrize("kind", KINDS)
def test_each_artefact_of_the_default_run_is_seen_at_the_networks_size(home, kind):
    settings = experiment.load(EXPERIMENTS / "synthetic.yaml").settings
    ranges = artefact_ranges(settings.tad)
    assert ranges.mix[kind] > 0.3
    only = ArtefactRanges(
        ranges.pixelation, ranges.gaussian_kernel, ranges.gaussian_sigma, ranges.motion_kernel, {kind: 1.0}
    )
    size, rng, found = settings.data.size, generator(1, kind), []
    for record in read("synthetic_celeb", home.folder / "data").train:
        picture = read_picture(record.path)
        found += [
            psnr(resize(picture, size), resize(degrade(picture, draw_artefact(rng, only)), size)) for _ in range(4)
        ]
    assert len(found) == 192 and np.median(found) < 30, f"{kind}: {np.median(found):.1f} dB"
