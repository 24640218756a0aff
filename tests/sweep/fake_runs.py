"""Sweeps whose runs take no time: a stand-in for experiment.run by its rules, and plans over real settings."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mlflow import MlflowClient

import rlq
from rlq.core.console import Console
from rlq.methods.base import Loaded
from rlq.methods.rlq.settings import RlqSettings
from rlq.runs.experiment import Membership
from rlq.runs.result import Result
from rlq.sweep import run as searching
from rlq.sweep.plan import Plan, make_plan
from rlq.sweep.study import attempts
from rlq.training.loop import History

EXPERIMENTS = Path(rlq.__file__).parents[1] / "experiments"
CLUSTERS = {"cap.pose.clusters": {"min": 5, "max": 40, "step": 5}}
SWEEP = {
    "name": "tiny",
    "experiment": str(EXPERIMENTS / "synthetic_short.yaml"),
    "metric": {"name": "CC/rank1", "goal": "maximize"},
    "sampler": {"name": "random", "seed": 3},
    "trials": 4,
    "parameters": CLUSTERS,
}


def near_fifteen(settings: RlqSettings) -> list[float]:
    """A curve of two evaluations that is best at 15 clusters."""
    best = 0.6 - abs(settings.cap.pose.clusters - 15) / 100
    return [best - 0.1, best]


@dataclass
class FakeRuns:
    """In the place of experiment.run: the scores of a run by its settings."""

    folder: Path
    curve: Callable[[RlqSettings], list[float]] = near_fifteen
    settings: list[RlqSettings] = field(default_factory=list)  # of every run, in order
    members: list[Membership] = field(default_factory=list)

    def __call__(
        self, loaded: Loaded, *, console: Any, member: Membership, observe: Any = None, started: Any = None
    ) -> Result:
        number = len(self.members)
        self.settings.append(loaded.settings)
        self.members.append(member)
        folder = self.folder / f"run-{number}"
        folder.mkdir(parents=True)
        (folder / "last.pt").write_text("state")
        started(f"id-{number}", folder)
        scores = self.curve(loaded.settings)
        for epoch, score in enumerate(scores):
            observe(epoch, {"CC/rank1": score, "CC/mAP": score / 2})
        metrics = {"best/CC/rank1": max(scores), "best/CC/mAP": max(scores) / 2, "test/CC/rank1": max(scores) / 4}
        metrics |= {"model/parameters_inference": 1000.0 * loaded.settings.cap.pose.clusters}
        return Result(folder, f"id-{number}", loaded.settings, metrics, History(), {"training": 2.0})


@dataclass
class Lines(Console):
    """Keeps what it is given."""

    texts: list[str] = field(default_factory=list)
    quiet: bool = False
    aside: bool = False

    def line(self, text: str = "") -> None:
        self.texts.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@dataclass(frozen=True)
class Sweeping:
    """A folder with sweep files and the runs that come of them."""

    folder: Path

    def file(self, **changes: Any) -> Path:
        """A sweep file; a change of None takes the line out."""
        tree = {name: value for name, value in (SWEEP | changes).items() if value is not None}
        path = self.folder / f"{tree['name']}.yaml"
        path.write_text(yaml.safe_dump(json.loads(json.dumps(tree)), sort_keys=False))
        return path

    def plan(self, *sets: str, storage: str | None = "journal", trials: int | None = None, **changes: Any) -> Plan:
        """A plan; in a journal file, the fastest storage, or for None in the default one."""
        words = (f"tracking.folder={self.folder / 'runs'}", *sets)
        place = f"journal:{self.folder}/study.log" if storage == "journal" else storage
        return make_plan(self.file(**changes), changes=words, storage=place, trials=trials)

    def search(self, plan: Plan, console: Console | None = None) -> Any:
        return searching.search(plan, console=console or Lines())

    @property
    def client(self) -> MlflowClient:
        """What the tracker's own database holds."""
        return MlflowClient(f"sqlite:///{self.folder}/runs/mlflow.db")


def states(study: Any) -> list[str]:
    """How each trial stands, in their order."""
    return [trial.state.name for trial in attempts(study)]
