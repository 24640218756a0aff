"""Rank a data set with existing weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.scores import RANKING_COLUMNS
from rlq.core.settings import ExperimentSettings, TrackingSettings
from rlq.core.text import percent, table
from rlq.data.catalogue import Reading
from rlq.data.degradation import DegradationRanges, Kind, at_severity, only
from rlq.data.readers.celeb_reid import CameraReading
from rlq.data.records import Protocol
from rlq.evaluation.evaluator import Degraded, Evaluator, Results, Shots, flat_metrics
from rlq.evaluation.single_shot import SHOTS
from rlq.methods.catalogue import load_model, method_of
from rlq.methods.ranking import features_of
from rlq.runs.folder import ABOUT, find_weights, read_about
from rlq.synthetic.provide import read_set
from rlq.tracking import open_run, resolve_uri
from rlq.weights.alone import alone, rankable


class Degrade(NamedTuple):
    """How the samples of an evaluation are degraded; not at all without a kind."""

    kind: Kind | None = None
    severity: int | None = None  # 1 to 5; None: drawn from the model's ranges
    sides: Degraded = "both"
    seed: int = 0  # of the draws

    @property
    def words(self) -> list[str]:
        """Return the options that are not the defaults, as words for metric names and tables."""
        return [
            *([str(self.severity)] if self.severity is not None else []),
            *([self.sides] if self.sides != "both" else []),
            *([f"seed{self.seed}"] if self.seed else []),
        ]

    def ranges(self, whole: DegradationRanges) -> DegradationRanges | None:
        """Return the ranges to draw from, given a model's own; None without a kind."""
        if self.kind is None:
            return None
        return only(whole, self.kind) if self.severity is None else at_severity(whole, self.kind, self.severity)


@dataclass(frozen=True)
class Evaluated:
    """The results of an evaluation."""

    rankings: Mapping[str, Results]
    protocols: tuple[Protocol, ...]
    shots: str | None = None  # multi or single, for a data set that is ranked in both ways
    degraded: str | None = None  # how samples were degraded, if more than the kind was given

    def to_json(self) -> str:
        """Return a JSON object: protocol (General as GENERAL) -> numbers; fractions have full precision."""
        names = {protocol.name: protocol.name.upper() for protocol in self.protocols}
        return json.dumps({names[name]: ranking.summary() for name, ranking in self.rankings.items()}, allow_nan=False)

    def to_table(self) -> str:
        """Return a table of percentages with one decimal and the numbers of queries and gallery, with notes."""
        rows = []
        for name, ranking in self.rankings.items():
            counts = ranking.summary()
            rates = [percent(counts[score.key]) for score in RANKING_COLUMNS]
            sizes = [str(counts.get(key, "-")) for key in ("queries", "valid_queries", "gallery")]
            rows.append([name, *rates, *sizes])
        header = ["protocol", *(score.heading for score in RANKING_COLUMNS), "queries", "valid", "gallery"]
        notes = [f"{protocol.name}: {protocol.note}" for protocol in self.protocols if protocol.note]
        shots = [f"gallery: {SHOTS[self.shots]}"] if self.shots else []
        degraded = [f"degraded: {self.degraded}"] if self.degraded else []
        return "\n".join([table(rows, header=header), *notes, *shots, *degraded])


def evaluate(
    word: str,
    *,
    weights: str = "best",
    dataset: str | None = None,
    root: str | None = None,
    degrade: Degrade = Degrade(),  # noqa: B008 - a plain value
    shots: Shots | None = None,
    celeb_camera: CameraReading | None = None,
    console: Console | None = None,
) -> Evaluated:
    """Rank a data set with the weights of a run or of a folder. The numbers of a run are also logged in the run.

    `shots` (multi or single) overrides the run's data.prcc_shots, `celeb_camera` its data.celeb_camera.
    """
    if degrade.kind is None and degrade != Degrade():
        raise RlqError("--severity, --degrade and --artefact-seed need --artefact, which names the kind of degradation")
    folder, run = find_weights(word, weights, Path(TrackingSettings().folder))
    console = console or Console()
    with alone() as place:
        model = load_model(folder, place.device)
        settings = model.settings
        default = method_of(settings).reading(settings)
        reading = Reading(celeb_camera or default.celeb_camera, shots or default.shots)
        name, data_root = dataset or settings.data.dataset, Path(root or settings.data.root)
        data = rankable(read_set(name, data_root, console, place=place, celeb_camera=reading.celeb_camera))
        if shots == "single" and not data.single_shot:
            raise RlqError(f"--shots single is for PRCC's layout; leave it out for {name}")
        evaluator = Evaluator(
            data,
            features_of(model, place, console),
            place=place,
            shots=reading.shots,
            ranges=degrade.ranges(model.degradations),
            degraded=degrade.sides,
            seed=degrade.seed,
        )
        rankings = evaluator.rank()
    if run is not None:
        words = ["test" if dataset is None else name, weights, degrade.kind, *degrade.words, shots, celeb_camera]
        prefix = "-".join(word for word in words if word)
        _log_in_run(run, settings, {f"{prefix}/{key}": value for key, value in flat_metrics(rankings).items()})
    how = f"{degrade.kind} {' '.join(degrade.words)}" if degrade.words else None
    return Evaluated(rankings, data.protocols, reading.shots if data.single_shot else None, how)


def _log_in_run(run: Path, settings: ExperimentSettings, metrics: Mapping[str, float | None]) -> None:
    """Add the metrics of an evaluation to a run that has ended; it keeps its status."""
    if not (run / ABOUT).is_file():
        return
    about = read_about(run)
    if about.status == "RUNNING":
        return
    runs = run.parent.parent if about.kind == "teacher" else run.parent  # <runs>/teachers/<fingerprint>
    tracker = open_run(
        folder=run,
        uri=resolve_uri(runs),
        experiment=settings.tracking.experiment,
        run_name=about.name,
        tags={},
        resume_run_id=about.run_id,
    )
    tracker.log_metrics({name: value for name, value in metrics.items() if value is not None}, step=0)
    tracker.end(about.status)
