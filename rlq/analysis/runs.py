"""The runs that an analysis examines, their data sets and their networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rlq.core.config import Settings
from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.errors import RlqError
from rlq.core.scores import ScoreTable
from rlq.data.catalogue import Reading
from rlq.data.degradation import DegradationRanges, Degrading
from rlq.data.records import Protocol, Record, ReidData
from rlq.evaluation.evaluator import Degraded, Evaluator
from rlq.methods.catalogue import load_model, method_of
from rlq.methods.ranking import features_of
from rlq.runs.folder import ABOUT, SETTINGS, find_run, find_weights, read_about
from rlq.runs.load import load
from rlq.synthetic.provide import read_set
from rlq.weights.alone import rankable


@dataclass(frozen=True)
class Source:
    """One run, or weights without a run."""

    name: str  # for legends and tables
    folder: Path  # of the run; else what load_model reads
    settings: Any  # of the method's own class
    run_id: str  # empty for weights without a run

    @property
    def degradations(self) -> DegradationRanges:
        """The ranges by which its pictures are degraded."""
        return method_of(self.settings).degradations(self.settings)

    @property
    def scores(self) -> ScoreTable:
        """The scores of its method."""
        return method_of(self.settings).scores

    @property
    def reading(self) -> Reading:
        """How its data set is read and ranked."""
        return method_of(self.settings).reading(self.settings)

    def weights(self, which: str) -> Path:
        """Return what load_model reads: of a run, the weights of the epoch `which`, best or last."""
        if not self.run_id:
            return self.folder
        return find_weights(str(self.folder), which, self.folder.parent)[0]


class SetOptions(Settings):
    """Options of every analysis of pictures."""

    dataset: str | None = None  # None: that of the runs, or the one that original_set takes
    root: str | None = None  # where that data set is; None: where the first run has it


class ModelOptions(SetOptions):
    """Options of every analysis that runs networks."""

    weights: Literal["best", "last"] = "best"  # which epoch's


def source(word: str | Path, runs: Path) -> Source:
    """Return the run that a word names (folder, id, prefix of one, name), or weights in a folder or exported file.

    Raises RlqError that lists the known runs.
    """
    path = Path(word)
    if not (path / ABOUT).is_file() and path.exists():
        weights, run = find_weights(str(word), "best", runs)
        if run is None:
            settings = load_model(weights, torch.device("cpu")).settings
            return Source(path.stem if path.is_file() else path.name, weights, settings, "")
    folder = find_run(str(word), runs)
    about = read_about(folder)
    return Source(about.name, folder, load(folder / SETTINGS).settings, about.run_id)


def by_name(sources: Sequence[Source]) -> dict[str, Source]:
    """Return the sources by unique names: equal ones get their run's id, or a number."""
    names = [one.name for one in sources]
    named: dict[str, Source] = {}
    for place, one in enumerate(sources, start=1):
        name = one.name
        if names.count(name) > 1:
            name = f"{one.name} {one.run_id[:8]}".rstrip()
        named[name if name not in named else f"{name} ({place})"] = one
    return named


def common_set(sources: Sequence[Source], options: SetOptions, place: Place, console: Console) -> ReidData:
    """Return the data set that all sources are measured on. Raises RlqError when they have different ones."""
    names = {name: one.settings.data.dataset for name, one in by_name(sources).items()}
    if options.dataset is None and len(set(names.values())) > 1:
        listed = ", ".join(f"{name}: {dataset}" for name, dataset in names.items())
        raise RlqError(
            f"these runs have different data sets ({listed}); name one for all, such as "
            f"--option dataset={sources[0].settings.data.dataset}"
        )
    first = sources[0].settings.data
    return rankable(
        read_set(
            options.dataset or first.dataset,
            Path(options.root or first.root),
            console,
            place=place,
            celeb_camera=sources[0].reading.celeb_camera,
        )
    )


def original_set(sources: Sequence[Source], options: SetOptions, place: Place, console: Console) -> ReidData:
    """Return the data set whose pictures are degraded: the one named, else the first source's external or own set."""
    used = method_of(sources[0].settings).sets(sources[0].settings)
    chosen = next((one for one in used if one.role == "external"), used[0])
    name, root = options.dataset or chosen.name, Path(options.root or chosen.root)
    return rankable(read_set(name, root, console, place=place, celeb_camera=sources[0].reading.celeb_camera))


def protocol_of(data: ReidData, name: str | None) -> Protocol:
    """Return a protocol of a data set by its name, the first one for None. Raises RlqError that lists them."""
    protocols = {protocol.name: protocol for protocol in data.protocols}
    if name is not None and name not in protocols:
        raise RlqError(f"protocol = {name}: {data.name} is ranked by {', '.join(protocols)}")
    return protocols[name] if name is not None else data.protocols[0]


class OpenModel:
    """A source's model on a device."""

    def __init__(self, one: Source, which: str, place: Place, console: Console) -> None:
        self.model = load_model(one.weights(which), place.device)
        self.settings, self.reading = self.model.settings, one.reading
        self.place, self.console = place, console

    def features(
        self, records: Sequence[Record], *, ranges: DegradationRanges | None = None, seed: int = 0
    ) -> np.ndarray:
        """Return float32 [n, D] of unit length; with `ranges`, of the samples degraded by their places and the seed."""
        degrading = None if ranges is None else Degrading(ranges, seed)
        samples = [record.pictures for record in records]
        return self.model.embed(samples, place=self.place, console=self.console, degrading=degrading)

    def evaluator(
        self, data: ReidData, *, ranges: DegradationRanges | None = None, degraded: Degraded = "both", seed: int = 0
    ) -> Evaluator:
        """Return the evaluator of this model on a data set, ranked as the run ranks it."""
        return Evaluator(
            data,
            features_of(self.model, self.place, self.console),
            place=self.place,
            shots=self.reading.shots,
            ranges=ranges,
            degraded=degraded,
            seed=seed,
        )
