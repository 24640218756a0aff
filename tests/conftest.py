"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Where the reference numbers lie: tests/golden, or the folder that RLQ_GOLDEN names."""
    folder = Path(os.environ.get("RLQ_GOLDEN") or Path(__file__).parent / "golden")
    assert folder.is_dir(), f"RLQ_GOLDEN = {folder} is not a folder"
    return folder
