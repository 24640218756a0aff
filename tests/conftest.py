"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest


def golden() -> Path:
    """Where the reference numbers lie: tests/golden, or the folder that RLQ_GOLDEN names."""
    return Path(os.environ.get("RLQ_GOLDEN") or Path(__file__).parent / "golden")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    assert golden().is_dir(), f"RLQ_GOLDEN = {golden()} is not a folder"
    return golden()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `golden_losses` runs once per file of loss values."""
    if "golden_losses" in metafunc.fixturenames:
        files = sorted(golden().glob("losses_*.npz"))
        assert files, f"{golden()} holds no losses_*.npz"
        metafunc.parametrize("golden_losses", files, ids=[file.stem for file in files])
