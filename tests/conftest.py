"""Fixtures that several folders of tests share, and which tests share a process."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


@pytest.fixture(scope="session", autouse=True)
def create_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], None]]:
    """Give every test that needs a new MLflow store a copy of one, as to create it takes more than a second.

    The value is the function that really creates a store.
    """
    from rlq.tracking import store

    create, prepared = store._create, tmp_path_factory.mktemp("store") / "mlflow.db"

    def copy(path: Path) -> None:
        if not prepared.exists():
            create(prepared)
        shutil.copyfile(prepared, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_create", copy)
        yield create


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
    return home.run("tracking.name=whole", "tracking.figures=true")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute whole files over the processes; one process runs all that use `home`, which takes long to make."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFixture(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "home" if uses_home(config.rootpath / file) else file

    return ByFixture(config, log)


@cache
def uses_home(file: Path) -> bool:
    """Whether tests of a file use `home`, by themselves or by the fixtures of their folder."""
    sources = [file, *([file.parent / "conftest.py"] if file.parent != Path(__file__).parent else [])]
    return any(re.search(r"\bhome\b", source.read_text()) for source in sources if source.is_file())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `golden_losses` runs once per file of loss values."""
    if "golden_losses" in metafunc.fixturenames:
        files = sorted(golden().glob("losses_*.npz"))
        assert files, f"{golden()} holds no losses_*.npz"
        metafunc.parametrize("golden_losses", files, ids=[file.stem for file in files])
