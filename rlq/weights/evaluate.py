"""Rank a data set with weights that exist."""

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
    """How the samples of an evaluation are degraded; no kind, not at all."""

    kind: Kind | None = None
    severity: int | None = None  # 1 to 5; None: by chance within the model's ranges
    sides: Degraded = "both"
    seed: int = 0  # decides what chance does

    @property
    def words(self) -> list[str]:
        """What tells it from the usual form of its kind, as metric names and tables have it."""
        return [
            *([str(self.severity)] if self.severity is not None else []),
            *([self.sides] if self.sides != "both" else []),
            *([f"seed{self.seed}"] if self.seed else []),
        ]

    def ranges(self, whole: DegradationRanges) -> DegradationRanges | None:
        """Return what is drawn from, out of a model's own ranges."""
        if self.kind is None:
            return None
        return only(whole, self.kind) if self.severity is None else at_severity(whole, self.kind, self.severity)


@dataclass(frozen=True)
class Evaluated:
    """Numbers of every protocol."""

    rankings: Mapping[str, Results]
    protocols: tuple[Protocol, ...]
    shots: str | None = None  # multi or single, of a data set whose papers know both
    degraded: str | None = None  # how samples were degraded, where more than the kind was given

    def to_json(self) -> str:
        """One object, protocol -> numbers; fractions in full precision, General as GENERAL."""
        names = {protocol.name: protocol.name.upper() for protocol in self.protocols}
        return json.dumps({names[name]: ranking.summary() for name, ranking in self.rankings.items()}, allow_nan=False)

    def to_table(self) -> str:
        """Percent with one decimal, and how many queries had a match."""
        rows = []
        for name, ranking in self.rankings.items():
            counts = ranking.summary()
            rates = [percent(counts[score.key]) for score in RANKING_COLUMNS]
            asked = [str(counts.get(key, "-")) for key in ("queries", "valid_queries", "gallery")]
            rows.append([name, *rates, *asked])
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
    """Rank a data set with the weights of a run or of a folder; numbers of a run go into the run as well.

    `shots` (multi or single) overrules the run's data.prcc_shots, `celeb_camera` its data.celeb_camera.
    """
    if degrade.kind is None and degrade != Degrade():
        raise RlqError(
            "--severity, --degrade and --artefact-seed say how pictures are degraded; --artefact names the kind"
        )
    folder, run = find_weights(word, weights, Path(TrackingSettings().folder))
    console = console or Console()
    with alone() as place:
        model = load_model(folder, place.device)
        settings = model.settings
        own = method_of(settings).reading(settings)
        reading = Reading(celeb_camera or own.celeb_camera, shots or own.shots)
        name, data_root = dataset or settings.data.dataset, Path(root or settings.data.root)
        data = rankable(read_set(name, data_root, console, place=place, celeb_camera=reading.celeb_camera))
        if shots == "single" and not data.single_shot:
            raise RlqError(f"--shots single is for PRCC's layout; {name} has one way to rank its gallery")
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
        _into_run(run, settings, {f"{prefix}/{key}": value for key, value in flat_metrics(rankings).items()})
    how = f"{degrade.kind} {' '.join(degrade.words)}" if degrade.words else None
    return Evaluated(rankings, data.protocols, reading.shots if data.single_shot else None, how)


def _into_run(run: Path, settings: ExperimentSettings, metrics: Mapping[str, float | None]) -> None:
    """Add an evaluation to a finished run; the run's own end stays its end."""
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
    found = {name: value for name, value in metrics.items() if value is not None}
    tracker.log_metrics(found, step=0)
    tracker.end(about.status)
