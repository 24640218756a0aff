"""The interface of methods, which runs, weights, sweeps, tables and analyses use.

A method is a folder below `rlq/methods/` and one line in `rlq/methods/catalogue.py`. No torch is loaded here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, NoReturn, Protocol

from rlq.core.config import with_values
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.scores import ScoreTable
from rlq.core.settings import ExperimentSettings, shaping
from rlq.methods.benchmark import BenchSetup, BenchStep

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from rlq.core.distributed import Place
    from rlq.data.catalogue import Reading
    from rlq.data.degradation import DegradationRanges, Degrading
    from rlq.data.records import Sample
    from rlq.training.loop import History, Job, Metrics

WEIGHTS, CONFIG = "model.safetensors", "config.json"  # the two files of a weights folder
SOURCE = "source.json"  # beside them: the origin of imported weights


class Loaded(NamedTuple):
    """The settings of an experiment, and the folder that file names in them are relative to."""

    settings: Any  # of the method's own class
    folder: Path
    origin: str  # what follows `rlq train` to run it: the file and the changes, quoted for a shell


class DataUse(NamedTuple):
    """A data set that an experiment reads."""

    name: str
    root: Path  # as in the settings; in inputs, the folder that was read
    role: str = "train"  # train, or another word for MLflow such as external
    digest: str = ""  # fingerprint of what was read


class Prerequisite(NamedTuple):
    """A run that must exist before another one starts, such as a teacher. It results in a folder of weights."""

    setting: str  # the dotted name of the setting that names it, such as tad.teacher
    source: str  # its value: an experiment file (.yaml, relative to the experiment's folder), or a run or weights
    inherited: Mapping[str, Any] = {}  # settings that an experiment file takes over from the run that needs it
    weights: Literal["best", "last"] = "last"

    @property
    def name(self) -> str:
        """Return the last part of the setting, such as teacher."""
        return self.setting.rpartition(".")[2]

    @property
    def is_experiment(self) -> bool:
        """Return whether it is an experiment file, which is trained if there is no such run yet."""
        return self.source.endswith((".yaml", ".yml"))


class Ready(NamedTuple):
    """A prerequisite that exists."""

    folder: Path  # of its weights
    name: str  # fingerprint of the run, or the folder of given weights


class Imported(NamedTuple):
    """A file of published weights that has been read."""

    digest: str  # sha256 of the file
    dataset: str
    write: Callable[[Path], None]  # fill a weights folder, with SOURCE beside the weights
    lines: tuple[str, ...]  # about what was read, for the console


class Inputs(Protocol):
    """Everything that a run reads before it trains. A method's own class holds more."""

    @property
    def settings(self) -> Any:
        """Return the resolved settings: as given, without losses for which the data has no labels."""

    @property
    def sources(self) -> Sequence[DataUse]:
        """Return the data sets; the one that is trained on comes first."""

    @property
    def labels_fingerprint(self) -> str:
        """Return 16 hex digits of the labels beside the pictures."""

    @property
    def notes(self) -> Sequence[str]:
        """Return notes that are printed when the run starts."""


class Model(Protocol):
    """A trained network that gives features."""

    @property
    def settings(self) -> Any:
        """Return the settings of the run that trained it."""

    @property
    def network(self) -> Any:
        """Return the torch module."""

    @property
    def sample(self) -> Literal["picture", "tracklet"]:
        """Return what it was trained on; a network of pictures takes tracklets frame by frame."""

    @property
    def branches(self) -> Mapping[str, slice]:
        """Return the columns of named parts of the feature; empty if it has none."""

    @property
    def degradations(self) -> "DegradationRanges":
        """Return the ranges from which degradations are drawn in measurements."""

    def embed(
        self,
        samples: "Sequence[Sample]",
        *,
        place: "Place",
        console: Console,
        degrading: "Degrading | None" = None,
        label: str = "features",
    ) -> "np.ndarray":
        """Return float32 [n, D] of unit length, in the order of the samples, on every process."""


class Method(ABC):
    """One method. Optional functions that it does not define raise RlqError."""

    name: ClassVar[str]
    settings: ClassVar[type[ExperimentSettings]]
    scores: ClassVar[ScoreTable]

    # Before a run

    def reading(self, settings: Any) -> "Reading":
        """Return how the data set is read and ranked, for sets with several ways of doing so."""
        from rlq.data.catalogue import Reading

        return Reading()

    def sets(self, settings: Any) -> list[DataUse]:
        """Return the data sets to find or write, the one that is trained on first."""
        return [DataUse(settings.data.dataset, Path(settings.data.root))]

    def prerequisites(self, settings: Any) -> list[Prerequisite]:
        """Return the runs that must exist first."""
        return []

    def shaping(self, settings: Any, needed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tree of everything that shapes a result; fingerprints are digests of it.

        `needed` has the same tree for each prerequisite that is an experiment, by its setting.
        """
        tree = with_values(shaping(settings), needed)
        del tree["variant"]
        return tree

    @abstractmethod
    def gather(self, loaded: Loaded, console: Console) -> Inputs:
        """Read data and labels. Raises DataError that lists all missing inputs, with a command that works without."""

    # The run

    @abstractmethod
    def build(
        self, inputs: Any, ready: Mapping[str, Ready], *, place: "Place", console: Console, folder: Path
    ) -> "Job":
        """Return what the training loop runs. `ready` has the prerequisites by their settings' dotted names.

        Initial weights are drawn from torch's global generator, which the caller seeds.
        """

    @abstractmethod
    def describe(self, inputs: Any, place: "Place") -> str:
        """Return one or two lines about what is trained on which data."""

    def baselines(self, inputs: Any, job: "Job", *, place: "Place", console: Console) -> "Metrics":
        """Measure the baselines of the scores, before the first step."""
        return {}

    @abstractmethod
    def finish(
        self, inputs: Any, job: "Job", history: "History", *, tracker: Any, place: "Place", console: Console
    ) -> "Metrics":
        """Measure the best epoch's network, draw figures and log both. Called in the main process alone."""

    @abstractmethod
    def summary(self, metrics: "Metrics", inputs: Any) -> str:
        """Return the table of scores that a finished run prints, with notes."""

    # Weights that exist

    @abstractmethod
    def load(self, source: Path, device: Any) -> Model:
        """Load a weights folder, or an exported file. Raises DataError if it holds something else."""

    def degradations(self, settings: Any) -> "DegradationRanges":
        """Return the ranges by which pictures are degraded for this experiment's measurements."""
        from rlq.data.degradation import DegradationRanges

        section = getattr(settings, "degradations", None)
        return section.ranges() if section is not None else DegradationRanges()

    def label_file(self, settings: Any, label: str) -> str | None:
        """Return the label file, such as that of genders, which the settings name; None if they name none."""
        return None

    # For benchmarks and quick trials

    def smoke(self) -> dict[str, Any]:
        """Return settings by dotted name that shorten a run to a few steps, to try whether it works."""
        return {
            "schedule.epochs": 2,
            "schedule.evaluate_every": 1,
            "schedule.max_steps": 2,
            "schedule.baselines": False,
            "optim.milestones": [],
            "optim.warmup": 0,
            "tracking.figures": False,
        }

    def bench_steps(self, setup: BenchSetup) -> Mapping[str, Callable[[], BenchStep]]:
        """Return functions that build the training steps to time, by the names of the steps.

        Steps of one call share networks if the passes of a run do.
        """
        self._refuse("has no benchmark of its steps")

    # Optional

    def fast(self, model: Any, device: Any) -> Model:
        """Return a model that computes nearly the same features faster."""
        self._refuse("has no faster model; leave out --fast")

    def export(self, source: Path, output: Path, console: Console) -> None:
        """Write the inference network as .safetensors or .onnx."""
        self._refuse("cannot be exported")

    def portable(self, model: Any) -> "nn.Module":
        """Return the network as a function from uint8 RGB [B, H, W, 3] to unit features [B, D], which needs no rlq."""
        self._refuse("cannot be registered as a model for other programs")

    def import_checkpoint(self, file: Path, *, dataset: str | None, root: str) -> Imported:
        """Read a weights file published by the method's authors."""
        self._refuse("has no published weights to import")

    def _refuse(self, reason: str) -> NoReturn:
        raise RlqError(f"the method {self.name} {reason}")
