"""The plain forms in the benchmarks of data and degradations do the same as ours."""

import random

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from rlq.bench import data, degradation
from rlq.bench.degradation import MOTION_FORMS, shift_and_add, tight_filter
from rlq.bench.measurement import Options
from rlq.bench.pictures import FILE_SIZES, make_picture, temporary_pictures
from rlq.bench.plain_pipeline import PlainTraining, plain_degrade, transform
from rlq.data.batches import collate_pairs, collate_target
from rlq.data.degradation import MIXES, Degradation, DegradationRanges, degrade, draw_degradation, motion_kernel
from rlq.data.transforms import ERASED_FILL, TestTransform

SIZE = (48, 24)


def test_the_plain_pipeline_without_randomness_is_our_test_transform(monkeypatch):
    picture = make_picture((90, 40), 0)
    monkeypatch.setattr(random, "random", lambda: 0.9)
    plain = transform(Image.fromarray(picture), SIZE).numpy()
    assert plain.shape == (3, *SIZE) and plain.dtype == np.float32
    assert np.abs(plain - TestTransform(SIZE)(picture)).max() < 1.01 / 255 / 0.224


def test_the_plain_pipeline_crops_flips_and_erases_as_often_as_ours():
    picture = make_picture((90, 40), 1)
    random.seed(1)
    fill = torch.tensor(ERASED_FILL)[:, None, None]
    made = [transform(Image.fromarray(picture), SIZE) for _ in range(300)]
    erased = [bool((image == fill).all(dim=0).any()) for image in made]
    assert 0.42 < np.mean(erased) < 0.58
    kept = [image for image, gone in zip(made, erased, strict=True) if not gone]
    wanted = torch.from_numpy(TestTransform(SIZE)(picture))
    whole = [(image - wanted).abs().max() < 0.02 or (image.flip(2) - wanted).abs().max() < 0.02 for image in kept]
    flipped = [(image.flip(2) - wanted).abs().mean() < (image - wanted).abs().mean() for image in kept]
    assert 0.38 < np.mean(whole) < 0.62 and 0.38 < np.mean(flipped) < 0.62


def test_plain_degradations_are_ours():
    rng = np.random.default_rng(0)
    picture = make_picture((128, 64), 2)
    for _ in range(40):
        one = draw_degradation(rng, DegradationRanges(mix=MIXES["ltcc"]))
        ours, plain = degrade(picture, one), plain_degrade(picture, one)
        assert ours.shape == plain.shape and np.abs(ours.astype(int) - plain).max() <= 1, one
    assert np.array_equal(
        plain_degrade(picture, Degradation("motion", 9, angle=20)), degrade(picture, Degradation("motion", 9, angle=20))
    )


@pytest.mark.parametrize("form", [(60, 31), (128, 64)])
def test_other_forms_of_motion_blur_are_the_same_sum(form):
    picture = make_picture(form, 3)
    for size in (8, 11, 12, 19, 20):
        for angle in (0, 17, 90, 163):
            kernel = motion_kernel(size, angle)
            wanted = cv2.filter2D(picture, -1, kernel)
            if size <= degradation.LARGEST_DIRECT:
                assert np.array_equal(tight_filter(picture, kernel), wanted)
            for one in (tight_filter, shift_and_add):
                assert np.abs(one(picture, kernel).astype(int) - wanted).max() <= 1
    assert set(MOTION_FORMS.values()) >= {tight_filter, shift_and_add}


def test_temporary_pictures_give_batches_of_both_passes_and_are_removed():
    with temporary_pictures((64, 32), 8) as pictures:
        (draws,) = pictures.draws(8, 8)
        cap = pictures.cap(SIZE)
        batch = collate_target([cap[draw] for draw in draws]).finished()
        assert batch.images.shape == (16, 3, *SIZE) and batch.clothes.unique().numel() > 4
        tad = pictures.tad(SIZE, DegradationRanges(mix={"gaussian": 1.0}))
        pairs = collate_pairs([tad[draw] for draw in draws]).finished()
        assert pairs.rows == 8 and pairs.unchanged == 0
        assert PlainTraining(pictures.paths, SIZE)[3].shape == (3, *SIZE)
    assert not pictures.root.exists()


@pytest.mark.parametrize(("size", "kilobytes"), list(zip(FILE_SIZES, (4, 14, 31), strict=True)))
def test_files_are_about_as_large_as_those_of_data_sets(size, kilobytes):
    with temporary_pictures(size, 3) as pictures:
        assert 0.7 * kilobytes < pictures.kilobytes < 1.3 * kilobytes


@pytest.mark.slow
@pytest.mark.parametrize("module", [data, degradation])
def test_a_quick_run_finds_all_its_tables_and_goals(module):
    results = module.bench(Options(quick=True, rounds=1))
    assert len(results.tables) >= 3 and len(results.goals) >= 2
    numbers = [cell for table in results.tables for row in table.rows for cell in row if isinstance(cell, float)]
    assert len(numbers) > 30 and all(number >= 0 for number in numbers)
