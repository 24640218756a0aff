"""The data of a method that is evaluated by ranking: the target set, with its test or with held-out people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rlq.core.digest import short_digest
from rlq.core.errors import DataError, SettingsError
from rlq.core.scores import ScoreTable
from rlq.core.settings import ExperimentSettings
from rlq.data.catalogue import Reading
from rlq.data.catalogue import read as read_data
from rlq.data.holdout import split_holdout
from rlq.data.pictures import PictureReader, read_picture
from rlq.data.records import ReidData
from rlq.evaluation.baselines import count_queries
from rlq.methods.base import DataUse, Inputs
from rlq.training.loop import check_selection


class RankingInputs(Inputs, Protocol):
    """Inputs of a method that is evaluated by ranking."""

    @property
    def data(self) -> ReidData:
        """Return the target set; with data.selection = holdout, its query and gallery are held-out training people."""

    @property
    def own_test(self) -> ReidData | None:
        """Return the set with its own query and gallery if data.selection = holdout, else None."""

    @property
    def reader(self) -> PictureReader:
        """Reads the pictures of these sets."""


@dataclass(frozen=True)
class TargetInputs:
    """Inputs of a method that reads the target set alone, without labels beside the pictures."""

    settings: Any
    data: ReidData
    own_test: ReidData | None = None
    reader: PictureReader = read_picture
    notes: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[DataUse, ...]:
        """Return the target set."""
        return (DataUse(self.settings.data.dataset, self.data.root, "train", self.data.fingerprint),)

    @property
    def labels_fingerprint(self) -> str:
        """Return the digest of no labels."""
        return short_digest("")


def read_target(settings: ExperimentSettings, reading: Reading) -> tuple[ReidData, ReidData | None]:
    """Return the set for training and for choosing an epoch; if people are held out, also the set with its own test.

    Raises DataError if it has no training pictures, or no query and gallery to choose an epoch by.
    """
    options = settings.data
    data = read_data(options.dataset, Path(options.root), celeb_camera=reading.celeb_camera)
    if not data.train:
        raise DataError(
            f"{data.name} in {data.root} has no training pictures; train on another set, and rank this one by "
            "rlq evaluate"
        )
    if options.selection == "holdout":
        return split_holdout(data, options.holdout, settings.seed), data if data.query else None
    if not data.query:
        raise DataError(
            f"{data.name} in {data.root} has no query and gallery; with --set data.selection=holdout, "
            "held-out training people choose the epoch"
        )
    return data, None


def check_selectable(settings: ExperimentSettings, data: ReidData, scores: ScoreTable) -> None:
    """Raise SettingsError or DataError unless the metric that chooses the best epoch can be measured on this data."""
    select, name = settings.schedule.select, settings.schedule.select.split("/")[0]
    if name in data.refused:
        protocol_name = data.protocols[0].name
        raise SettingsError(
            f"schedule.select = {select}: {data.name} has no {name}, {data.refused[name]}; "
            f"--set schedule.select={protocol_name}/{scores.main.key}"
        )
    check_selection(select, scores.metrics(protocol.name for protocol in data.protocols))
    (protocol,) = (protocol for protocol in data.protocols if protocol.name == name)
    if not count_queries(data.query, data.gallery, protocol).valid_queries:
        raise DataError(
            f"no query of {data.name} has a match in the gallery under {name}, so no epoch can be chosen by {select}; "
            f"rlq data check {data.name} shows what each protocol finds"
        )
