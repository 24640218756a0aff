"""The common part of methods whose features rank a gallery: baselines, final measurements, the summary."""

import json
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch

from rlq.core.console import Console
from rlq.core.distributed import Place, share_buffers, share_from_main
from rlq.core.files import write_file
from rlq.core.scores import RANKING, ScoreTable
from rlq.core.seeding import generator
from rlq.core.text import percent, table
from rlq.data.catalogue import Reading
from rlq.data.degradation import DegradationRanges, Degrading
from rlq.data.picture_source import PictureSource
from rlq.data.pictures import PictureReader, read_picture
from rlq.data.records import Record, ReidData, Sample
from rlq.data.transforms import resize
from rlq.evaluation.baselines import chance, histogram_features
from rlq.evaluation.embed import Embed, FeaturesOf, embed_samples
from rlq.evaluation.evaluator import Evaluator, flat_metrics, is_single_shot, rank_features
from rlq.evaluation.per_query import PER_QUERY, per_query
from rlq.evaluation.protocols import labels_of, of_cameras
from rlq.evaluation.rank_list import rank_list
from rlq.evaluation.single_shot import SHOTS
from rlq.methods.base import Method, Model
from rlq.methods.ranking_inputs import RankingInputs
from rlq.tracking import Tracker
from rlq.training.loop import History, Job, Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINES = "baselines.json"  # in a run's folder
PICTURE_SIZE = (192, 96)  # height and width of a picture in a figure
QUERIES, TOP = 6, 8  # rows and columns of a figure of rank lists


class DrawnFigure(NamedTuple):
    """A figure of a finished run."""

    name: str  # among the artifacts
    figure: "Figure"
    shows_people: bool = True  # with tracking.pictures=false, such figures are not sent to the tracking server


@dataclass(frozen=True)
class PictureModel:
    """A network of pictures. Features of tracklets are the mean over their frames."""

    settings: Any
    network: Any  # the torch module
    image_features: Embed  # images [B, 3, H, W] -> [B, D]
    degradations: DegradationRanges
    branches: Mapping[str, slice]
    sample: Literal["picture", "tracklet"] = "picture"
    reader: PictureReader = read_picture

    def embed(
        self,
        samples: Sequence[Sample],
        *,
        place: Place,
        console: Console,
        degrading: Degrading | None = None,
        label: str = "features",
    ) -> np.ndarray:
        """Return float32 [n, D] of unit length, in the order of the samples, on every process."""
        source = PictureSource.of(self.settings.data, place, console, self.reader)
        return embed_samples(self.image_features, samples, source, degrading=degrading, label=label)


def features_of(model: Model, place: Place, console: Console) -> FeaturesOf:
    """Return a model's features as a function of samples alone."""
    return partial(model.embed, place=place, console=console)


def evaluation_of(
    network: Any, inputs: RankingInputs, reading: Reading, *, place: Place, console: Console
) -> Callable[[], dict[str, float | None]]:
    """Return a function that evaluates a network of pictures in its present state; the network has `embed`."""
    source = PictureSource.of(inputs.settings.data, place, console, inputs.reader)
    features = partial(embed_samples, network.embed, source=source)
    evaluator = Evaluator(inputs.data, features, place=place, shots=reading.shots)

    def evaluate() -> dict[str, float | None]:
        share_buffers(network)  # else the processes would evaluate different networks
        network.eval()
        try:
            return flat_metrics(evaluator.rank())
        finally:
            network.train()

    return evaluate


class RankingMethod(Method):
    """A method whose features rank the gallery of a data set."""

    scores: ClassVar[ScoreTable] = RANKING

    @abstractmethod
    def load(self, source: Path, device: torch.device) -> Model:
        """Load a weights folder, or an exported file. Raises DataError when it holds something else."""

    def trained(self, inputs: Any, job: Job, device: torch.device) -> Model:
        """Return the network of a finished run's best epoch."""
        return self.load(job.folder / "best", device)

    def measure(self, model: Any, inputs: Any, *, place: Place, console: Console) -> Metrics:
        """Measure the best epoch's network beyond its scores."""
        return {"model/parameters": float(sum(p.numel() for p in model.network.parameters()))}

    def figures(
        self,
        model: Any,
        inputs: Any,
        tested: ReidData,
        features: tuple[np.ndarray, np.ndarray],
        *,
        place: Place,
        console: Console,
    ) -> Iterator[DrawnFigure]:
        """Draw figures of a finished run; `features` are those of `tested`'s queries [Q, D] and gallery [G, D]."""
        yield DrawnFigure("figures/rank_list.png", rank_lists(tested, *features, seed=inputs.settings.seed))

    def baselines(self, inputs: RankingInputs, job: Job, *, place: Place, console: Console) -> Metrics:
        """With schedule.baselines, measure chance, colour histograms and the untrained network, once per run."""
        if not inputs.settings.schedule.baselines:
            return {}
        file = job.folder / BASELINES
        measured = share_from_main(json.loads(file.read_text()) if place.is_main and file.is_file() else None)
        if measured is not None:
            return measured
        metrics = {f"untrained/{name}": value for name, value in job.evaluate().items() if value is not None}
        if place.is_main:
            metrics |= self._without_network(inputs)
            write_file(file, json.dumps(metrics))
        return share_from_main(metrics)

    def finish(
        self,
        inputs: RankingInputs,
        job: Job,
        history: History,
        *,
        tracker: Tracker,
        place: Place,
        console: Console,
    ) -> Metrics:
        """Measure the best epoch's network, draw figures and log both. Called in the main process alone."""
        settings, alone = inputs.settings, Place(place.device)  # other processes do not take part
        model = self.trained(inputs, job, place.device)
        metrics = self.measure(model, inputs, place=alone, console=console)
        tested = inputs.own_test or inputs.data
        shots = self.reading(settings).shots
        features = Evaluator(tested, features_of(model, alone, console), place=alone).features()
        rankings = rank_features(tested, *features, shots)
        if inputs.own_test is not None:
            metrics |= {f"test/{name}": value for name, value in flat_metrics(rankings).items() if value is not None}
        tracker.log_dict(per_query(tested, rankings), PER_QUERY)
        tracker.log_metrics(metrics, step=0)
        if settings.tracking.figures:
            for drawn in self.figures(model, inputs, tested, features, place=alone, console=console):
                drawn.figure.savefig(job.folder / Path(drawn.name).name, dpi=100)
                if settings.tracking.pictures or not drawn.shows_people:
                    tracker.log_figure(drawn.figure, drawn.name)
        params = {"data.dataset": settings.data.dataset, "variant": settings.title, "epoch": history.best_epoch}
        tracker.log_model(job.folder / "best", self.name, params)
        return metrics

    def summary(self, metrics: Metrics, inputs: RankingInputs) -> str:
        """Return the shown scores of every protocol: the baselines, then this run's best and last epoch."""
        settings, data = inputs.settings, inputs.data
        names = [protocol.name for protocol in data.protocols]
        text = score_table(metrics, self.scores, names, settings.title, settings.schedule.epochs)
        notes = [f"{protocol.name}: {protocol.note}" for protocol in data.protocols if protocol.note]
        if any(name.startswith("test/") for name in metrics):
            notes.append("held-out training people chose the epoch and gave all numbers but those of the last line")
        if data.single_shot:
            notes.append(f"gallery: {SHOTS[self.reading(settings).shots]}")
        return "\n".join([text, *notes])

    def _without_network(self, inputs: RankingInputs) -> Metrics:
        """Return the scores of chance and of colour histograms."""
        data, shots = inputs.data, self.reading(inputs.settings).shots
        metrics: Metrics = {}
        for protocol in data.protocols:
            by_chance = chance(data.query, data.gallery, protocol, single_shot=is_single_shot(data, shots))
            for name, value in by_chance.items():
                metrics |= {f"chance/{protocol.name}/{name}": value} if value is not None else {}
        query, gallery = (histogram_features(records, inputs.reader) for records in (data.query, data.gallery))
        rankings = rank_features(data, query, gallery, shots)
        return metrics | {f"histogram/{n}": value for n, value in flat_metrics(rankings).items() if value is not None}


def score_table(metrics: Metrics, scores: ScoreTable, groups: Sequence[str], variant: str, epochs: int) -> str:
    """Return the shown scores of these groups, in percent: the baselines, then a run's best and last epoch."""
    rows = [(label, prefix) for prefix, label in scores.baselines.items()]
    best = int(metrics.get("best/epoch", 0)) + 1
    rows += [(f"{variant}, best epoch ({best})", "best"), (f"{variant}, last epoch ({epochs})", "last")]
    rows += [(f"{variant}, best epoch, on the test set", "test")]
    cells = [
        [label, *(percent(metrics.get(f"{prefix}/{group}/{score.key}")) for group in groups for score in scores.shown)]
        for label, prefix in rows
        if any(f"{prefix}/{group}/{scores.main.key}" in metrics for group in groups)
    ]
    return table(cells, header=["", *(f"{group} {score.title}" for group in groups for score in scores.shown)])


def rank_lists(data: ReidData, query: np.ndarray, gallery: np.ndarray, *, seed: int) -> "Figure":
    """Draw random queries of the first protocol, each with the nearest gallery pictures.

    query [Q, D] and gallery [G, D] are features.
    """
    from rlq.evaluation.figures import rank_list_figure  # matplotlib and scikit-learn load here, not before training

    protocol = data.protocols[0]
    rows, columns = of_cameras(data.query, protocol.query_cameras), of_cameras(data.gallery, protocol.gallery_cameras)
    chosen = np.sort(generator(seed, "rank list").permutation(rows)[:QUERIES])
    lists = rank_list(
        query[chosen],
        gallery[columns],
        labels_of(data.query, chosen, protocol.junk_by),
        labels_of(data.gallery, columns, protocol.junk_by),
        protocol.rule,
        TOP,
    )
    return rank_list_figure(
        [shown_picture(data.query[row]) for row in chosen],
        [[shown_picture(data.gallery[columns[i]]) for i in ranked.gallery] for ranked in lists],
        [ranked.hits.tolist() for ranked in lists],
    )


def shown_picture(record: Record) -> np.ndarray:
    """Return the picture of a record for figures, uint8 [192, 96, 3]."""
    return resize(read_picture(record.cover), PICTURE_SIZE)
