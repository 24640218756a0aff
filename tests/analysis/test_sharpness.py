import numpy as np
import pytest

from rlq.analysis.sharpness import SCORES, high_frequency_share, laplacian_variance, svd_share


def waves(period: int) -> np.ndarray:
    return np.tile(128 + 100 * np.sin(2 * np.pi * np.arange(64) / period), (64, 1))


def test_a_plain_picture_has_no_sharpness_at_all():
    for grey in (np.zeros((12, 8)), np.full((12, 8), 77.0)):
        assert [score(grey) for score in SCORES.values()] == pytest.approx([0, 0, 0], abs=1e-9)


def test_short_waves_are_high_frequencies_and_long_ones_are_not():
    assert high_frequency_share(waves(4)) > 0.99
    assert high_frequency_share(waves(32)) < 0.01


def test_the_laplacian_is_that_of_four_neighbours():
    grey = np.random.default_rng(0).integers(0, 256, (9, 7)).astype(float)
    padded = np.pad(grey, 1, mode="reflect")
    slow = [
        padded[y - 1, x] + padded[y + 1, x] + padded[y, x - 1] + padded[y, x + 1] - 4 * padded[y, x]
        for y in range(1, 10)
        for x in range(1, 8)
    ]
    assert laplacian_variance(grey) == pytest.approx(np.var(slow))


def test_one_layer_has_no_small_singular_values_and_ten_equal_ones_have_nine_tenths():
    assert svd_share(np.outer(np.arange(1, 9.0), np.arange(1, 7.0))) == pytest.approx(0, abs=1e-9)
    assert svd_share(np.eye(10)) == pytest.approx(0.9)


def test_artefacts_take_sharpness_away_by_every_score(trained, ask):
    drawn = ask("sharpness", trained, pictures=12)
    scores = drawn.numbers["scores"]
    assert list(scores) == ["good", "pixelation", "motion", "gaussian"]
    for condition in ("pixelation", "motion", "gaussian"):
        for name in SCORES:
            assert scores[condition][name]["mean"] < scores["good"][name]["mean"], (condition, name)
