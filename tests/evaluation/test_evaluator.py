from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.data.degradation import DegradationRanges, at_severity
from rlq.data.picture_source import PictureSource
from rlq.data.records import Protocol, Record, ReidData
from rlq.evaluation.embed import embed_samples
from rlq.evaluation.evaluator import Evaluator


@pytest.fixture
def data(tmp_path: Path) -> ReidData:
    """Three queries and four gallery pictures, of noise."""
    records = []
    for i in range(7):
        noise = np.random.default_rng(i).integers(0, 256, (40, 24, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
        split = "query" if i < 3 else "gallery"
        records.append(Record(tmp_path / f"{i}.png", str(i % 3), "AB"[i >= 3], str(i), split, str(i)))
    return ReidData("noise", tmp_path, [], records[:3], records[3:], (Protocol("General", "GENERAL"),))


def features(data: ReidData, **options) -> tuple[np.ndarray, np.ndarray]:
    """Of a network that leaves pictures as they are."""
    place = Place(torch.device("cpu"))
    source = PictureSource((20, 12), place, Console(quiet=True))
    features_of = partial(embed_samples, lambda images: images.flatten(1), source=source)
    return Evaluator(data, features_of, place=place, **options).features()


def test_a_side_is_spoilt_alone_as_it_is_spoilt_with_the_other(data):
    ranges = at_severity(DegradationRanges(), "motion", 3)
    clean = features(data)
    spoilt = {side: features(data, ranges=ranges, degraded=side) for side in ("query", "gallery", "both")}
    for side, other in ((0, "gallery"), (1, "query")):
        own = ("query", "gallery")[side]
        np.testing.assert_array_equal(spoilt[own][side], spoilt["both"][side])
        np.testing.assert_array_equal(spoilt[other][side], clean[side])
        assert np.abs(spoilt["both"][side] - clean[side]).max() > 0.01


def test_the_seed_decides_what_is_left_to_chance(data):
    ranges = at_severity(DegradationRanges(), "motion", 3)
    first, again, other = (features(data, ranges=ranges, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
