"""What all scenes of one whole chaos run share."""

import shutil
from pathlib import Path

from chaos.processes import Forked, fork
from chaos.scene import Scene


def preload() -> None:
    """Load what commands need, once; must be called before there are threads."""
    import albumentations  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    import optuna.storages  # noqa: F401

    import rlq.ablation.run
    import rlq.labels.pose_extract
    import rlq.runs.experiment
    import rlq.sweep.run
    import rlq.weights.embed
    import rlq.weights.evaluate  # noqa: F401


def prepare(folder: Path, python: str) -> None:
    """Make what all scenes share: both data sets and a teacher's weights."""
    from rlq.synthetic.build import ensure_written
    from rlq.synthetic.layouts import CelebSpec, PrccSpec

    ensure_written(
        folder / "data/synthetic/prcc",
        PrccSpec(train_people=6, test_people=3, train_pictures=3, val_pictures=1, test_pictures=2),
    )
    ensure_written(
        folder / "data/synthetic/Celeb-reID",
        CelebSpec(train_people=6, test_people=3, train_pictures=4, query_pictures=2, gallery_pictures=2),
    )
    _make_store(folder / "runs")
    scene = Scene(folder / "teacher-run", 0, python, folder)
    scene.furnish()
    scene.run("train", "teacher.yaml")
    shutil.copytree(scene.one("runs/*/last"), folder / "teacher")


def _make_store(runs: Path) -> None:
    """An empty mlflow.db, which takes seconds to make; no two scenes share one."""
    from rlq.tracking.store import open_client

    def make() -> int:
        open_client(f"sqlite:///{runs}/mlflow.db")
        return 0

    runs.mkdir()
    assert Forked(fork(make, runs, runs.parent / ".output-store", {})).wait() == 0
    (runs / "mlflow.db.lock").unlink()
