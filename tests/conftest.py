"""Fixtures that several folders of tests share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tiny_runs import Home

    from rlq.runs.experiment import Result


def golden() -> Path:
    """Where the reference numbers lie: tests/golden, or the folder that RLQ_GOLDEN names."""
    return Path(os.environ.get("RLQ_GOLDEN") or Path(__file__).parent / "golden")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    assert golden().is_dir(), f"RLQ_GOLDEN = {golden()} is not a folder"
    return golden()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Home]":
    """A folder with small data sets, in which whole runs take seconds; all tests share it."""
    from tiny_runs import make_home

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def whole_run(home: "Home") -> "Result":
    """A finished run of the whole method in `home`, and its teacher."""
    return home.run("tracking.name=whole")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `golden_losses` runs once per file of loss values."""
    if "golden_losses" in metafunc.fixturenames:
        files = sorted(golden().glob("losses_*.npz"))
        assert files, f"{golden()} holds no losses_*.npz"
        metafunc.parametrize("golden_losses", files, ids=[file.stem for file in files])
