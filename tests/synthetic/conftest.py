"""A small set of every layout, written once, for the tests that look at files."""

from pathlib import Path

import pytest
from small_sets import SMALL, write_small_sets

from rlq.synthetic.layouts.albums import Spec


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Layout -> folder of its small set."""
    return write_small_sets(tmp_path_factory.mktemp("layouts"))


@pytest.fixture(scope="session")
def small_specs() -> dict[str, Spec]:
    """Layout -> what its small set was made of."""
    return SMALL
