"""A folder in which whole runs take seconds: small sets of built-in pedestrians, and experiments/synthetic.yaml with
everything made small. What the tests of experiments and of the command line share."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner
from click.testing import Result as Shown
from mlflow import MlflowClient
from mlflow.entities import Run

import rlq
from rlq.cli import main
from rlq.core.console import Console
from rlq.methods.base import Loaded
from rlq.methods.catalogue import method_of
from rlq.runs import experiment
from rlq.runs.prerequisites import experiment_of
from rlq.synthetic.build import ensure_written
from rlq.synthetic.layouts import CelebSpec, PrccSpec

EXPERIMENTS = Path(rlq.__file__).parents[1] / "experiments"
TARGET = PrccSpec(train_people=8, test_people=4, train_pictures=4, val_pictures=1, test_pictures=2)
EXTERNAL = CelebSpec(train_people=8, test_people=4, train_pictures=6, query_pictures=2, gallery_pictures=2)
SMALL = ("data.size=[32,16]", "data.batch=16", "cap.pose.clusters=4", "compute.precision=float32")
SHORT = ("schedule.epochs=3", "schedule.evaluate_every=2", "schedule.clothes_from=1", "optim.milestones=[2]")
PLAIN = ("tracking.figures=false",)  # figures take seconds
TEACHER = """\
extends: {experiments}/synthetic_teacher.yaml
data: {{batch: 16}}
optim: {{milestones: [1]}}
schedule: {{epochs: 2, evaluate_every: 2, clothes_from: 1}}
"""


@dataclass(frozen=True)
class Home:
    """The folder: data/ with both sets, runs/, teacher.yaml."""

    folder: Path

    def changes(self, *more: str) -> tuple[str, ...]:
        """What makes an experiment small, and `more`."""
        return (*SMALL, *SHORT, *PLAIN, f"tad.teacher={self.folder / 'teacher.yaml'}", *more)

    def load(self, *more: str, file: str = "synthetic.yaml") -> Loaded:
        return experiment.load(EXPERIMENTS / file, self.changes(*more))

    def run(self, *more: str) -> experiment.Result:
        with self.entered():
            return experiment.run(self.load(*more), console=Console(quiet=True))

    def resume(self, word: str) -> experiment.Result:
        with self.entered():
            return experiment.resume(word, console=Console(quiet=True))

    def command(self, *words: object) -> Shown:
        """An rlq command in this folder; an error that should have been one line is raised."""
        with self.entered():
            shown = CliRunner().invoke(main, [str(word) for word in words])
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        return shown

    def process(self, *words: object) -> subprocess.Popen:
        """The same as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "rlq", *map(str, words)],
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def train_words(self, *more: str, file: str = "synthetic.yaml") -> list[str]:
        """The words of `rlq train` that run what `run` runs."""
        return ["train", str(EXPERIMENTS / file), *(w for change in self.changes(*more) for w in ("--set", change))]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder}/runs/mlflow.db")

    def tracked(self, run_id: str) -> Run:
        return self.client.get_run(run_id)

    def named(self, name: str) -> Run:
        """The one run of this name."""
        (run,) = self.client.search_runs(["1"], f"attributes.run_name = '{name}'")
        return run

    def history(self, run_id: str) -> dict[str, dict[int, float]]:
        """Metric -> step -> value; each (metric, step) has one value."""
        client, found = self.client, {}
        for name in sorted(client.get_run(run_id).data.metrics):
            rows = client.get_metric_history(run_id, name)
            found[name] = {row.step: row.value for row in rows}
            assert len(found[name]) == len(rows), f"{name} has several values in one step"
        return found

    def files(self, run_id: str, folder: str | None = None) -> list[str]:
        """All artifacts of a run."""
        found: list[str] = []
        for entry in self.client.list_artifacts(run_id, folder):
            found += self.files(run_id, entry.path) if entry.is_dir else [entry.path]
        return found

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Work in this folder, with one thread: more only get into each other's way on pictures this small."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with contextlib.chdir(self.folder):
                yield
        finally:
            torch.set_num_threads(threads)


def make_home(folder: Path) -> Home:
    ensure_written(folder / "data/synthetic/prcc", TARGET)
    ensure_written(folder / "data/synthetic/Celeb-reID", EXTERNAL)
    (folder / "teacher.yaml").write_text(TEACHER.format(experiments=EXPERIMENTS))
    return Home(folder)


def without_clocks(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics that a second run repeats to the last bit; what `rlq evaluate` added to a run later is none of it."""
    own = {name: value for name, value in metrics.items() if not re.search("-(best|last)(-|$)", name.split("/")[0])}
    return {name: value for name, value in own.items() if not name.startswith(("speed/", "time/"))}


def teacher_of(student: Loaded) -> Loaded:
    """The experiment of a student's one prerequisite."""
    (needed,) = method_of(student.settings).prerequisites(student.settings)
    return experiment_of(student, needed)
