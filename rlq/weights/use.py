"""Use weights that exist: evaluate them on a data set, or compute features of a folder's pictures."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlq.core import distributed
from rlq.core.console import Console, percent, table
from rlq.core.distributed import Place
from rlq.core.errors import DataError, RlqError
from rlq.core.files import remove_partial
from rlq.core.settings import TrackingSettings
from rlq.data.degradation import Kind, at_severity, only
from rlq.data.image_check import look_at
from rlq.data.readers.celeb_reid import CameraReading
from rlq.data.readers.listing import PICTURES
from rlq.data.records import Protocol, ReidData
from rlq.evaluation.embed import Embed, embed_pictures
from rlq.evaluation.evaluator import Degraded, Evaluator, Results, flat
from rlq.evaluation.single_shot import SHOTS
from rlq.methods.rlq.fast import quicken
from rlq.methods.rlq.settings import RlqSettings, artefact_ranges
from rlq.methods.rlq.weights import load_network
from rlq.runs.folder import ABOUT, find_weights, read_about
from rlq.synthetic.provide import read_set
from rlq.tracking import open_run, resolve_uri
from rlq.training.checkpoint import write_whole


@dataclass(frozen=True)
class Evaluated:
    """Numbers of every protocol."""

    rankings: Mapping[str, Results]
    protocols: tuple[Protocol, ...]
    shots: str | None = None  # multi or single, of a data set whose papers know both
    spoilt: str | None = None  # how pictures were spoilt first, where more than the artefact was asked for

    def to_json(self) -> str:
        """One object, protocol -> numbers; fractions in full precision, General as GENERAL."""
        names = {protocol.name: protocol.name.upper() for protocol in self.protocols}
        return json.dumps({names[name]: ranking.summary() for name, ranking in self.rankings.items()}, allow_nan=False)

    def to_table(self) -> str:
        """Percent with one decimal, and how many queries had a match."""
        rows = []
        for name, ranking in self.rankings.items():
            counts = ranking.summary()
            rates = [percent(ranking.cmc(k)) for k in (1, 5, 10, 20)]
            asked = [str(counts.get(key, "-")) for key in ("queries", "valid_queries", "gallery")]
            rows.append([name, *rates, percent(ranking.mAP), *asked])
        header = ["protocol", "R-1", "R-5", "R-10", "R-20", "mAP", "queries", "valid", "gallery"]
        notes = [f"{protocol.name}: {protocol.note}" for protocol in self.protocols if protocol.note]
        shots = [f"gallery: {SHOTS[self.shots]}"] if self.shots else []
        spoilt = [f"spoilt first: {self.spoilt}"] if self.spoilt else []
        return "\n".join([table(rows, header=header), *notes, *shots, *spoilt])


def evaluate(
    word: str,
    *,
    weights: str = "best",
    dataset: str | None = None,
    root: str | None = None,
    artefact: Kind | None = None,
    severity: int | None = None,
    degrade: Degraded = "both",
    artefact_seed: int = 0,
    shots: str | None = None,
    celeb_camera: CameraReading | None = None,
    console: Console | None = None,
) -> Evaluated:
    """Rank a data set with the weights of a run or of a folder; numbers of a run go into the run as well.

    `artefact` spoils the pictures that `degrade` names, as strongly as `severity` (1 to 5) says, or by chance within
    the run's ranges; `artefact_seed` decides what chance does. `shots` (multi or single) overrules the run's
    data.prcc_shots, `celeb_camera` its data.celeb_camera.
    """
    if artefact is None and (severity, degrade, artefact_seed) != (None, "both", 0):
        raise RlqError("--severity, --degrade and --artefact-seed say how pictures are spoilt; --artefact says by what")
    folder, run = find_weights(word, weights, Path(TrackingSettings().folder))
    with alone() as place:
        network, settings = load_network(folder, place.device)
        name = dataset or settings.data.dataset
        data_root = Path(root or settings.data.root)
        console = console or Console()
        camera = celeb_camera or settings.data.celeb_camera
        data = rankable(read_set(name, data_root, console, place=place, celeb_camera=camera))
        if shots == "single" and not data.single_shot:
            raise RlqError(f"--shots single is for PRCC's layout; {name} has one way to rank its gallery")
        options = settings.data.model_copy(update={"prcc_shots": shots}) if shots else settings.data
        ranges = artefact_ranges(settings.tad)
        if artefact is not None:
            ranges = only(ranges, artefact) if severity is None else at_severity(ranges, artefact, severity)
        evaluator = Evaluator(
            data,
            options,
            place=place,
            console=console,
            artefacts=None if artefact is None else ranges,
            degraded=degrade,
            seed=artefact_seed,
        )
        rankings = evaluator.rank(network.embed)
    spoilt = [
        *([str(severity)] if severity is not None else []),
        *([degrade] if degrade != "both" else []),
        *([f"seed{artefact_seed}"] if artefact_seed else []),
    ]
    if run is not None:
        words = [
            "test" if dataset is None else name,
            weights,
            *(word for word in (artefact, *spoilt, shots, celeb_camera) if word),
        ]
        _into_run(run, settings, {f"{'-'.join(words)}/{key}": value for key, value in flat(rankings).items()})
    how = f"{artefact} {' '.join(spoilt)}" if spoilt else None
    return Evaluated(rankings, data.protocols, options.prcc_shots if data.single_shot else None, how)


def rankable(data: ReidData) -> ReidData:
    """The same data set. Raises DataError unless features of single pictures can rank it."""
    if data.holds_tracklets:
        raise DataError(f"{data.name} holds tracklets; these weights give a feature per picture")
    if not data.query or not data.gallery:
        raise DataError(
            f"{data.name} in {data.root} has {len(data.query)} queries and {len(data.gallery)} gallery pictures"
        )
    return data


def embed_folder(
    word: str, folder: Path, output: Path, *, weights: str = "best", skip_bad: bool = False, fast: bool = False
) -> tuple[int, int, int]:
    """Write names and features of every picture below a folder; return how many, how wide, and how many were bad.

    `fast` computes in bfloat16 where the hardware does, with batch norms folded: features near the exact ones.

    names: POSIX paths relative to the folder, sorted; features float32 [n, D]. Raises DataError that lists the
    pictures that cannot be read, unless `skip_bad`.
    """
    if output.suffix != ".npz":
        raise RlqError(f"--output {output} should end in .npz")
    source, _ = find_weights(word, weights, Path(TrackingSettings().folder))
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if _is_picture(path, folder)}
    if not paths:
        raise DataError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    bad = {name: reason for name in sorted(paths) if (reason := look_at(paths[name]).reason)}
    if bad and not skip_bad:
        listed = "\n".join(f"  {name}: {reason}" for name, reason in bad.items())
        raise DataError(f"{len(bad)} of {len(paths)} pictures cannot be read (--skip-bad leaves them out):\n{listed}")
    names = sorted(name for name in paths if name not in bad)
    if not names:
        raise DataError(f"none of the {len(paths)} pictures in {folder} can be read")
    with alone() as place:
        network, settings = load_network(source, place.device)
        embed = quicken(network, settings.data.size, place.device) if fast else network.embed
        features = _features(embed, settings, [paths[name] for name in names], place)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, names=np.array(names), features=features)

    remove_partial(output.parent, output.name, older=3600)  # of a process that was killed
    write_whole(output, write)
    return len(names), features.shape[1], len(bad)


@contextmanager
def alone() -> Iterator[Place]:
    """A place of its own, for commands that several processes would not speed up."""
    place = distributed.start()
    try:
        if place.world > 1:
            raise RlqError("this command runs in one process; torchrun is for rlq train")
        yield place
    finally:
        distributed.stop()


def _features(embed: Embed, settings: RlqSettings, paths: list[Path], place: Place) -> np.ndarray:
    return embed_pictures(
        embed,
        paths,
        size=settings.data.size,
        batch=settings.data.test_batch,
        workers=settings.data.workers,
        patience=settings.data.patience,
        place=place,
        console=Console(),
    )


def _into_run(run: Path, settings: RlqSettings, metrics: Mapping[str, float | None]) -> None:
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


def _is_picture(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in PICTURES and path.is_file() and not hidden
