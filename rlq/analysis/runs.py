"""The runs that an analysis is about, and their networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from rlq.core.config import Settings, read_tree, validate
from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.errors import RlqError
from rlq.data.degradation import DegradationRanges
from rlq.data.records import Protocol, ReidData
from rlq.evaluation.embed import embed_pictures
from rlq.methods.rlq.settings import TARGET, RlqSettings
from rlq.methods.rlq.weights import load_network
from rlq.runs.folder import ABOUT, SETTINGS, find_run, find_weights, read_about
from rlq.synthetic.provide import read_set
from rlq.weights.use import rankable


@dataclass(frozen=True)
class Source:
    """One run, or weights that no run made."""

    name: str  # for legends and tables
    folder: Path  # of the run; else what load_network reads
    settings: RlqSettings
    run_id: str  # empty: weights that no run made

    def weights(self, which: str) -> Path:
        """What load_network reads; `which` epoch's, best or last, if this is a run."""
        if not self.run_id:
            return self.folder
        return find_weights(str(self.folder), which, self.folder.parent)[0]


class SetOptions(Settings):
    """Options of every analysis of pictures."""

    dataset: str | None = None  # None: the runs' own, or the first run's external set where good pictures are meant
    root: str | None = None  # where that data set is; None: where the first run looks for it


class ModelOptions(SetOptions):
    """Options of every analysis that runs networks."""

    weights: Literal["best", "last"] = "best"  # which epoch's


def source(word: str | Path, runs: Path) -> Source:
    """The run that a word names (folder, id, prefix of one, name), or the weights in a folder or exported file.

    Raises RlqError that lists the runs there are.
    """
    path = Path(word)
    if not (path / ABOUT).is_file() and path.exists():
        weights, run = find_weights(str(word), "best", runs)
        if run is None:
            _, settings = load_network(weights, torch.device("cpu"))
            return Source(path.stem if path.is_file() else path.name, weights, settings, "")
    folder = find_run(str(word), runs)
    about = read_about(folder)
    settings = validate(RlqSettings, read_tree(folder / SETTINGS), str(folder / SETTINGS))
    return Source(about.name, folder, settings, about.run_id)


def by_name(sources: Sequence[Source]) -> dict[str, Source]:
    """The sources by names that are unlike each other: equal ones get their run's id, or a number."""
    names = [one.name for one in sources]
    found: dict[str, Source] = {}
    for place, one in enumerate(sources, start=1):
        name = one.name
        if names.count(name) > 1:
            name = f"{one.name} {one.run_id[:8]}".rstrip()
        found[name if name not in found else f"{name} ({place})"] = one
    return found


def common_set(sources: Sequence[Source], options: SetOptions, place: Place, console: Console) -> ReidData:
    """The data set whose queries and gallery all sources are measured on. Raises RlqError when they disagree."""
    own = {name: one.settings.data.dataset for name, one in by_name(sources).items()}
    if options.dataset is None and len(set(own.values())) > 1:
        told = ", ".join(f"{name}: {dataset}" for name, dataset in own.items())
        raise RlqError(
            f"these runs have different data sets ({told}); name one for all, such as "
            f"--option dataset={sources[0].settings.data.dataset}"
        )
    first = sources[0].settings.data
    return rankable(
        read_set(
            options.dataset or first.dataset,
            Path(options.root or first.root),
            console,
            place=place,
            celeb_camera=first.celeb_camera,
        )
    )


def good_pictures(sources: Sequence[Source], options: SetOptions, place: Place, console: Console) -> ReidData:
    """The data set of good pictures: the one named, else the first source's external set."""
    first = sources[0].settings
    root = options.root or first.tad.external_root or first.data.root
    external = first.data.dataset if first.tad.external == TARGET else first.tad.external
    name = options.dataset or external
    return rankable(read_set(name, Path(root), console, place=place, celeb_camera=first.data.celeb_camera))


def protocol_of(data: ReidData, name: str | None) -> Protocol:
    """A protocol of a data set by its name, the first one for None. Raises RlqError that lists them."""
    known = {protocol.name: protocol for protocol in data.protocols}
    if name is not None and name not in known:
        raise RlqError(f"protocol = {name}: {data.name} is ranked by {', '.join(known)}")
    return known[name] if name is not None else data.protocols[0]


class Model:
    """A source's network on a device."""

    def __init__(self, one: Source, which: str, place: Place, console: Console) -> None:
        self.network, self.settings = load_network(one.weights(which), place.device)
        self.place, self.console = place, console

    def features(
        self, paths: Sequence[Path], *, artefacts: DegradationRanges | None = None, seed: int = 0
    ) -> np.ndarray:
        """float32 [n, D] of unit length; with artefacts, of the pictures spoilt by their places and the seed."""
        data = self.settings.data
        return embed_pictures(
            self.network.embed,
            paths,
            size=data.size,
            batch=data.test_batch,
            workers=data.workers,
            patience=data.patience,
            place=self.place,
            console=self.console,
            artefacts=artefacts,
            seed=seed,
        )
