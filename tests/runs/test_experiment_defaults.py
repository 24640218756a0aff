"""Facts about the experiments as they are delivered."""

import numpy as np
import pytest
from naming import assert_names
from tiny_runs import EXPERIMENTS, teacher_of

from rlq.core.config import flatten, read_tree
from rlq.core.errors import SettingsError
from rlq.core.seeding import generator
from rlq.data.catalogue import CATALOGUE, read
from rlq.data.degradation import KINDS, DegradationRanges, degrade, draw_degradation
from rlq.data.pictures import read_picture
from rlq.data.transforms import resize
from rlq.methods.rlq.settings import RlqSettings
from rlq.runs import experiment


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
        teacher = teacher_of(loaded).settings
        assert teacher.data.dataset == settings.tad.external and not teacher.tad.enabled
        assert not teacher.cap.pose.enabled and not teacher.cap.gender.enabled and not teacher.clothes.augment


def test_the_recipe_file_writes_out_every_default():
    written = experiment.load(EXPERIMENTS / "rlq.yaml").settings
    assert flatten(written) == flatten(RlqSettings(data={"dataset": "prcc"}))

    def names(tree, prefix=""):
        for key, value in tree.items():
            yield from names(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]

    assert sorted(names(read_tree(EXPERIMENTS / "rlq.yaml"))) == sorted(flatten(written))


# The mix follows the target set; LaST has six colours and 300 epochs; without clothes in the test, General chooses.
SETS = {
    "prcc": ("CC/rank1", (0.5, 0.5, 0.0), 9, 200),
    "ltcc": ("CC/rank1", (0.33, 0.37, 0.30), 9, 200),
    "deepchange": ("General/rank1", (0.5, 0.5, 0.0), 9, 200),
    "last": ("General/rank1", (0.33, 0.37, 0.30), 6, 300),
    "vc_clothes": ("CC/rank1", (0.5, 0.0, 0.5), 9, 200),
}


@pytest.mark.parametrize("name", SETS)
def test_each_data_set_has_its_own_mix_palette_epochs_and_choice(name):
    select, (pixelation, gaussian, motion), palette, epochs = SETS[name]
    settings = experiment.load(EXPERIMENTS / f"{name}.yaml").settings
    assert settings.data.dataset == name and settings.schedule.select == select
    mix = settings.tad.mix
    assert (mix.pixelation, mix.gaussian, mix.motion) == (pixelation, gaussian, motion)
    assert (settings.clothes.palette, settings.schedule.epochs) == (palette, epochs)
    assert settings.tad.enabled and settings.cap.pose.enabled and settings.cap.gender.enabled


def test_celeb_reid_as_a_target_has_no_external_set():
    settings = experiment.load(EXPERIMENTS / "celeb_reid.yaml").settings
    assert not settings.tad.enabled and settings.cap.pose.enabled and settings.schedule.select == "General/rank1"


@pytest.mark.parametrize(("name", "branches"), [("cal", ("cal",)), ("bot", ("bot",)), ("base", ("cal", "bot"))])
def test_baselines_keep_what_belongs_to_the_data_set_that_they_are_put_on(name, branches):
    file = EXPERIMENTS / f"{name}.yaml"
    on_prcc, on_last = experiment.load(file).settings, experiment.load(file, base=EXPERIMENTS / "last.yaml").settings
    assert (on_prcc.data.dataset, on_prcc.schedule.select) == ("prcc", "CC/rank1")
    assert (on_last.data.dataset, on_last.schedule.select, on_last.clothes.palette) == ("last", "General/rank1", 6)
    for settings in (on_prcc, on_last):
        assert settings.branches == branches and not settings.tad.enabled
        assert not settings.cap.pose.enabled and not settings.cap.gender.enabled
    assert on_prcc.clothes.augment == (name == "base")


@pytest.mark.parametrize(
    ("file", "changes", "title"),
    [
        ("prcc", (), "RLQ"),
        ("prcc", ("tad.enabled=false",), "BM + CAP"),
        ("prcc", ("tad.enabled=false", "cap.pose.enabled=false"), "BM + G"),
        ("prcc", ("cap.gender.enabled=false",), "BM + TAD + P"),
        ("prcc", ("cap.pose.enabled=false", "cap.gender.enabled=false"), "BM + TAD"),
        ("prcc", ("clothes.augment=false",), "RLQ (no recolouring)"),
        ("base", (), "BM"),
        ("cal", (), "CAL"),
        ("cal", ("clothes.augment=true", "losses.triplet=1"), "CAL + triplet + aug"),
        ("bot", (), "BoT"),
        ("celeb_reid", (), "BM + CAP"),
        ("own_data", (), "BM (no recolouring)"),
        ("teacher", (), "teacher"),
        ("rlq_paper_text", (), "RLQ (paper text)"),
        ("prcc", ("variant=mine", "tad.enabled=false"), "mine"),
    ],
)
def test_a_run_is_called_by_the_parts_that_are_on(file, changes, title):
    assert experiment.load(EXPERIMENTS / f"{file}.yaml", changes).settings.title == title


def test_a_run_on_another_base_can_be_repeated_by_what_it_says(tmp_path):
    loaded = experiment.load(EXPERIMENTS / "cal.yaml", ["seed=2"], base=EXPERIMENTS / "ltcc.yaml")
    assert loaded.origin.split() == [
        *(str(EXPERIMENTS / "cal.yaml"), "--base", str(EXPERIMENTS / "ltcc.yaml"), "--set", "seed=2")
    ]
    with pytest.raises(SettingsError) as refused:
        experiment.load(EXPERIMENTS / "rlq.yaml", base=EXPERIMENTS / "ltcc.yaml")
    assert_names(refused.value, "rlq.yaml", "ltcc.yaml")


@pytest.mark.parametrize("kind", KINDS)
def test_each_artefact_of_the_default_run_is_seen_at_the_networks_size(home, kind):
    settings = experiment.load(EXPERIMENTS / "synthetic.yaml").settings
    ranges = settings.tad.ranges()
    assert ranges.mix[kind] > 0.3
    only = DegradationRanges(
        ranges.pixelation, ranges.gaussian_kernel, ranges.gaussian_sigma, ranges.motion_kernel, {kind: 1.0}
    )
    size, rng, found = settings.data.size, generator(1, kind), []
    for record in read("synthetic_celeb", home.folder / "data").train:
        picture = read_picture(record.path)
        found += [
            psnr(resize(picture, size), resize(degrade(picture, draw_degradation(rng, only)), size)) for _ in range(4)
        ]
    assert len(found) == 192 and np.median(found) < 30, f"{kind}: {np.median(found):.1f} dB"
