"""What every method has to pass. A new one joins with one entry in EXAMPLES, whose run takes seconds."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from naming import assert_names
from tiny_runs import Home

from rlq.bench.setups import TINY
from rlq.core.config import known_names, validate
from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.errors import DataError, RlqError, SettingsError
from rlq.core.settings import ExperimentSettings
from rlq.data.catalogue import CATALOGUE, Reading
from rlq.data.degradation import DegradationRanges, Degrading
from rlq.data.pictures import read_picture
from rlq.data.transforms import resize
from rlq.methods.base import CONFIG, WEIGHTS, Loaded, Method
from rlq.methods.catalogue import METHODS, load_model, method_of
from rlq.runs.experiment import Result
from rlq.runs.folder import SETTINGS
from rlq.runs.load import fingerprint, load

CPU = Place(torch.device("cpu"))
QUIET = Console(quiet=True)


class Example(NamedTuple):
    """A finished run of a method."""

    home: Home
    result: Result
    load: Callable[..., Loaded]  # its experiment with more changes; `values` as a sweep draws them

    @property
    def method(self) -> Method:
        return method_of(self.load().settings)

    @property
    def folder(self) -> Path:
        return self.home.folder / self.result.folder

    def model(self, which: str = "last") -> Any:
        return load_model(self.folder / which, CPU.device)

    def pictures(self) -> list[Path]:
        """Pictures of the data set that the run was trained on."""
        (used, *_) = self.method.sets(self.load().settings)
        return sorted((self.home.folder / used.root).rglob("*.jpg"))[:6]


def rlq_example(request: pytest.FixtureRequest) -> Example:
    home: Home = request.getfixturevalue("home")
    result = request.getfixturevalue("whole_run")
    file = home.load().origin.split()[0]
    return Example(
        home, result, lambda *changes, **more: load(Path(file), home.changes("tracking.name=whole", *changes), **more)
    )


def toy_example(request: pytest.FixtureRequest) -> Example:
    place: Home = request.getfixturevalue("place")
    result = request.getfixturevalue("trained")
    file = place.folder / "mean_colour.yaml"
    return Example(place, result, lambda *changes, **more: load(file, ("tracking.name=whole", *changes), **more))


EXAMPLES = {"rlq": rlq_example, "mean_colour": toy_example}


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Example:
    return EXAMPLES[request.param](request)


def features(model: Any, samples: list[list[Path]], **more) -> np.ndarray:
    return model.embed(samples, place=CPU, console=QUIET, **more)


def offers(method: Method, part: str) -> bool:
    """Whether a method has an optional part of its own."""
    return getattr(type(method), part) is not getattr(Method, part)


def test_every_method_of_the_catalogue_has_an_example():
    assert EXAMPLES.keys() >= METHODS.keys()


def test_it_has_its_name_in_the_catalogue_and_in_its_settings(example):
    method = example.method
    assert METHODS[method.name] is method and issubclass(method.settings, ExperimentSettings)
    assert method.settings.model_fields["method"].default == method.name
    assert example.load().settings.title and example.load("variant=mine").settings.title == "mine"


def test_settings_pass_through_text_unchanged(example):
    settings = example.load().settings
    assert validate(example.method.settings, settings.model_dump(mode="json"), "text") == settings
    saved = load(example.folder / SETTINGS)
    assert type(saved.settings) is type(settings) and fingerprint(saved) == fingerprint(example.load())


def test_an_unknown_setting_is_refused_by_its_name(example):
    for name in ("colour_of_the_sky", "data.colour_of_the_sky"):
        with pytest.raises(SettingsError) as raised:
            example.load(f"{name}=1")
        assert_names(raised.value, name)


def test_smoke_settings_are_valid_and_short(example):
    values = example.method.smoke()
    assert values.keys() <= set(known_names(example.method.settings))
    settings = example.load(values=values).settings
    assert settings.schedule.epochs * settings.schedule.max_steps <= 4
    assert not settings.tracking.figures and not settings.schedule.baselines


@pytest.mark.parametrize(
    "change",
    [
        *("data.root=elsewhere", "data.workers=3", "data.test_batch=7", "data.cache=true", "data.patience=9"),
        *("compute.device=cpu", "compute.threads=2", "compute.channels_last=false"),
        *("tracking.folder=elsewhere", "tracking.name=other", "tracking.experiment=other", "variant=other"),
    ],
)
def test_places_and_pace_and_names_are_not_in_the_fingerprint(example, change):
    plain = fingerprint(example.load())
    assert len(plain) == 16 and int(plain, 16) >= 0
    assert fingerprint(example.load(change)) == plain


@pytest.mark.parametrize("change", ["seed=9", "optim.lr=0.5", "data.size=[16,8]", "schedule.epochs=7", "data.batch=64"])
def test_settings_that_shape_the_result_are_in_the_fingerprint(example, change):
    assert fingerprint(example.load(change)) != fingerprint(example.load())


def test_its_data_sets_and_what_it_needs_first_are_named(example):
    settings = example.load().settings
    used = example.method.sets(settings)
    assert used[0].name == settings.data.dataset and {one.name for one in used} <= CATALOGUE.keys()
    assert len({one.role for one in used}) == len(used)
    names = known_names(example.method.settings)
    for needed in example.method.prerequisites(settings):
        assert needed.setting in names and needed.source
        assert needed.weights in ("best", "last") and "tracking" in needed.inherited
    assert isinstance(example.method.reading(settings), Reading)
    assert isinstance(example.method.degradations(settings), DegradationRanges)
    assert example.method.label_file(settings, "colour_of_the_sky") is None


def test_what_it_gathers_names_data_and_labels_by_fingerprints(example):
    with example.home.entered():
        inputs = example.method.gather(example.load(), QUIET)
    (first, *others) = inputs.sources
    assert first.name == example.load().settings.data.dataset and first.root.is_absolute()
    for one in (first, *others):
        assert len(one.digest) == 16 and int(one.digest, 16) >= 0
    assert len(inputs.labels_fingerprint) == 16 and isinstance(inputs.settings, example.method.settings)
    assert example.method.describe(inputs, CPU)


def test_a_finished_run_has_its_scores_and_shows_them(example):
    scores, metrics = example.method.scores, example.result.metrics
    groups = scores.order({name.split("/")[1] for name in metrics if name.startswith("best/") and name.count("/") == 2})
    assert groups and all(f"{which}/{groups[0]}/{s.key}" in metrics for which in ("best", "last") for s in scores.shown)
    assert example.load().settings.schedule.select in scores.metrics(groups)
    assert "model/parameters" in metrics


@pytest.mark.parametrize("which", ["best", "last"])
def test_it_loads_what_it_wrote(example, which):
    model, settings = example.model(which), example.load().settings
    assert type(model.settings) is type(settings) and model.settings.data == settings.data
    assert model.sample in ("picture", "tracklet") and isinstance(model.degradations, DegradationRanges)
    assert not model.network.training


def test_weights_that_are_broken_or_missing_are_refused(example, tmp_path):
    folder = shutil.copytree(example.folder / "last", tmp_path / "last")
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=WEIGHTS):
        load_model(folder, CPU.device)
    (folder / WEIGHTS).unlink()
    with pytest.raises(DataError, match=WEIGHTS):
        load_model(folder, CPU.device)
    (folder / CONFIG).unlink()
    with pytest.raises(DataError, match=CONFIG):
        load_model(folder, CPU.device)


def test_pictures_and_tracklets_become_rows_of_unit_length_in_their_order(example):
    model, pictures = example.model(), example.pictures()
    samples = [*([picture] for picture in pictures[:3]), pictures[3:6]]
    rows = features(model, samples)
    assert rows.dtype == np.float32 and rows.shape == (4, rows.shape[1]) and np.isfinite(rows).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(features(model, samples[::-1])[::-1], rows, atol=1e-5)
    assert not np.allclose(rows[0], rows[1], atol=1e-6)
    for part in model.branches.values():
        assert 0 <= part.start < part.stop <= rows.shape[1]


def test_degraded_pictures_have_other_features_which_the_seed_decides(example):
    model, samples = example.model(), [[picture] for picture in example.pictures()[:2]]
    degraded = [features(model, samples, degrading=Degrading(model.degradations, seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(degraded[0], degraded[1])
    clean = features(model, samples)
    assert not np.allclose(degraded[0], clean, atol=1e-4) and not np.array_equal(degraded[0], degraded[2])


def test_its_faster_form_gives_nearly_the_same_features_or_is_refused(example):
    method, samples = example.method, [[picture] for picture in example.pictures()]
    if offers(method, "fast"):
        exact = features(example.model(), samples)
        fast = features(method.fast(example.model(), CPU.device), samples)
        assert (exact * fast).sum(axis=1).min() > 0.99
    else:
        with pytest.raises(RlqError, match=rf"{method.name}\b.*--fast"):
            method.fast(example.model(), CPU.device)


def test_an_exported_file_gives_the_same_features_or_is_refused(example, tmp_path):
    method, output = example.method, tmp_path / "exported.safetensors"
    if offers(method, "export"):
        method.export(example.folder / "last", output, QUIET)
        samples = [[picture] for picture in example.pictures()]
        computed = features(load_model(output, CPU.device), samples)
        np.testing.assert_allclose(computed, features(example.model(), samples), atol=1e-5)
    else:
        with pytest.raises(RlqError, match=method.name):
            method.export(example.folder / "last", output, QUIET)
        assert not output.exists()


def test_a_form_for_other_programs_gives_the_same_features_or_is_refused(example):
    method, model = example.method, example.model()
    if offers(method, "portable"):
        pictures = example.pictures()[:2]
        arrays = [resize(read_picture(picture), model.settings.data.size) for picture in pictures]
        with torch.inference_mode():
            computed = method.portable(model)(torch.from_numpy(np.stack(arrays))).numpy()
        expected = features(example.model(), [[picture] for picture in pictures])
        np.testing.assert_allclose(computed, expected, atol=1e-4)
    else:
        with pytest.raises(RlqError, match=method.name):
            method.portable(model)


def test_its_benchmark_has_named_steps_or_is_refused(example):
    method = example.method
    if offers(method, "bench_steps"):
        steps = method.bench_steps(TINY)
        assert steps and all(isinstance(name, str) and callable(build) for name, build in steps.items())
    else:
        with pytest.raises(RlqError, match=method.name):
            method.bench_steps(TINY)


def test_a_file_that_holds_no_published_weights_is_refused(example, tmp_path):
    (tmp_path / "notes.pth").write_text("these are words")
    with pytest.raises(RlqError) as raised:
        example.method.import_checkpoint(tmp_path / "notes.pth", dataset=None, root="data")
    assert_names(raised.value, "notes.pth" if offers(example.method, "import_checkpoint") else example.method.name)
