import numpy as np
import pytest

from rlq.evaluation.histogram import colour_histogram


def test_a_histogram_counts_the_colours_of_each_stripe():
    picture = np.zeros((16, 4, 3), np.uint8)
    picture[8:] = (255, 0, 64)  # bins 3, 0 and 1 of four
    histogram = colour_histogram(picture).reshape(8, 4, 4, 4)
    assert histogram.dtype == np.float32
    assert histogram[:4, 0, 0, 0] == pytest.approx(1 / np.sqrt(8))
    assert histogram[4:, 3, 0, 1] == pytest.approx(1 / np.sqrt(8))
    assert np.count_nonzero(histogram) == 8


def test_the_cosine_is_the_mean_bhattacharyya_coefficient_of_the_stripes():
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (37, 21, 3)).astype(np.uint8) for _ in range(2))
    expected = []
    for a, b in zip(np.array_split(one, 8), np.array_split(other, 8), strict=True):
        shares = []
        for stripe in (a, b):
            counted, _ = np.histogramdd(stripe.reshape(-1, 3), bins=4, range=[(0, 256)] * 3)
            shares.append(counted / counted.sum())
        expected.append(np.sqrt(shares[0] * shares[1]).sum())
    assert colour_histogram(one) @ colour_histogram(other) == pytest.approx(np.mean(expected), abs=1e-6)
    assert colour_histogram(one) @ colour_histogram(one) == pytest.approx(1, abs=1e-6)


def test_wrong_pictures_are_refused_with_what_was_found():
    with pytest.raises(ValueError, match=r"\b8\b.*float64 \[16, 4, 3\]"):
        colour_histogram(np.zeros((16, 4, 3)))
    with pytest.raises(ValueError, match=r"\b8\b.*uint8 \[4, 4, 3\]"):
        colour_histogram(np.zeros((4, 4, 3), np.uint8))
