from dataclasses import replace

import numpy as np
import pytest

from rlq.core.seeding import generator
from rlq.synthetic.canvas import Part
from rlq.synthetic.patterns import mark_pattern
from rlq.synthetic.wardrobe import PATTERNS, sample_outfit

TRUNK = (np.array([50.0, 20.0]), np.array([50.0, 120.0]))


def marked(pattern, yaw=0.0):
    parts = np.full((160, 100), Part.UPPER, np.uint8)
    parts[:, :10] = Part.L_ARM
    garment = replace(sample_outfit(generator("pattern"), "male").upper, pattern=pattern, period=0.04)
    mark_pattern(parts, garment, (Part.UPPER, Part.UPPER_SECOND), TRUNK, 300.0, yaw)
    assert (parts[:, :10] == Part.L_ARM).all()  # other parts stay as they are
    return parts[:, 10:] == Part.UPPER_SECOND


def test_patterns_take_their_share_of_the_cloth():
    shares = {pattern: marked(pattern).mean() for pattern in PATTERNS}
    assert shares["plain"] == 0
    for pattern in ("stripes", "bars", "checks", "two_tone"):
        assert 0.35 < shares[pattern] < 0.65
    assert shares["dots"] == pytest.approx(np.pi * 0.3**2, rel=0.15)
    assert 0 < shares["print"] < 0.15


def test_stripes_lie_and_bars_stand():
    assert (marked("stripes").std(axis=1) == 0).all()
    assert (marked("bars").std(axis=0) == 0).all()


def test_a_print_is_on_the_front_only():
    assert marked("print", yaw=180.0).sum() < 0.1 * marked("print", yaw=0.0).sum()


def test_an_unknown_pattern_is_refused():
    with pytest.raises(ValueError, match="'tartan'"):
        marked("tartan")
