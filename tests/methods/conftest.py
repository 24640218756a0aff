"""The method of mean_colour.py in the catalogue, as long as the tests of one file run, and a run of it."""

from collections.abc import Iterator

import pytest
from mean_colour import MeanColour
from tiny_runs import Home
from toy_runs import make_place, run

from rlq.methods.catalogue import METHODS
from rlq.runs.experiment import Result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A folder with a small CCVID, in which the method is known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setitem(METHODS, "mean_colour", MeanColour())
        yield make_place(tmp_path_factory.mktemp("new method"))


@pytest.fixture(scope="module")
def trained(place: Home) -> Result:
    return run(place, "tracking.name=whole")
