"""Around the training: the yardsticks before it, the measurements and figures after it, and the summary."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rlq.core.console import Console, percent, table
from rlq.core.distributed import Place, share_from_main
from rlq.core.settings import TrackingSettings
from rlq.data.records import Protocol, ReidData
from rlq.evaluation.baselines import chance, histogram_features
from rlq.evaluation.evaluator import Evaluator, flat
from rlq.evaluation.metrics import Ranking
from rlq.evaluation.single_shot import SHOTS
from rlq.methods.rlq.attribute_metrics import attribute_metrics, gigaflops
from rlq.methods.rlq.inputs import Inputs
from rlq.methods.rlq.network import count_parameters
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.weights import load_network
from rlq.tracking import Tracker
from rlq.training.checkpoint import write_whole
from rlq.training.loop import History, Job, Metrics

YARDSTICKS = {"chance": "chance", "histogram": "colour histogram", "untrained": "untrained network"}
BASELINES = "baselines.json"
PER_QUERY = "eval/per_query.json"  # among a run's artifacts


def baselines(settings: RlqSettings, inputs: Inputs, job: Job, *, place: Place, console: Console) -> Metrics:
    """What the numbers must be read against, with schedule.baselines: chance, colour histograms, the network as it
    starts. Measured once per run, before its first step."""
    if not settings.schedule.baselines:
        return {}
    kept = job.folder / BASELINES
    found = share_from_main(json.loads(kept.read_text()) if place.is_main and kept.is_file() else None)
    if found is not None:
        return found
    untrained = job.evaluate()
    found = {f"untrained/{name}": value for name, value in untrained.items() if value is not None}
    if place.is_main:
        found |= _without_learning(settings, inputs, console)
        text = json.dumps(found)
        write_whole(kept, lambda temporary: temporary.write_text(text))
    return share_from_main(found)


def close(
    settings: RlqSettings,
    inputs: Inputs,
    job: Job,
    history: History,
    *,
    tracker: Tracker,
    console: Console,
    place: Place,
) -> Metrics:
    """Measure the best epoch's network more closely, draw the figures and hand everything to the tracker.

    Runs in the main process alone. Returns parameter counts, operations and the attributes' metrics.
    """
    alone = Place(place.device)
    network, _ = load_network(job.folder / "best", place.device)
    counts = count_parameters(network)
    found: Metrics = {
        "model/parameters": float(counts.whole),
        "model/parameters_as_paper": float(counts.paper),
        "model/parameters_inference": float(counts.inference),
        "model/gigaflops": gigaflops(network, settings.data.size),
    }
    found |= attribute_metrics(network, inputs, settings, alone, console)
    tested = inputs.own_test or inputs.data
    evaluator = Evaluator(tested, settings.data, place=alone, console=console)
    query, gallery = evaluator.features(network.embed)
    rankings = evaluator.rank_features(query, gallery)
    if inputs.own_test is not None:
        found |= {f"test/{name}": value for name, value in flat(rankings).items() if value is not None}
    tracker.log_dict(per_query(tested, rankings), PER_QUERY)
    tracker.log_metrics(found, step=0)
    if settings.tracking.figures:
        from rlq.methods.rlq import figures  # matplotlib and scikit-learn load here, not before the first step

        drawn = figures.draw(settings, inputs, network, tested, query, gallery, place=alone, console=console)
        for name, figure in drawn.items():
            figure.savefig(job.folder / f"{Path(name).name}", dpi=100)
            if settings.tracking.pictures or not figures.shows_people(name):
                tracker.log_figure(figure, name)
    params = {"data.dataset": settings.data.dataset, "variant": settings.title, "epoch": history.best_epoch}
    tracker.log_model(job.folder / "best", "rlq", params)
    return found


def per_query(data: ReidData, rankings: Mapping[str, Any]) -> dict[str, Any]:
    """Of every protocol's queries: the rank of the first match (0: no match there is) and the average precision."""
    found = {}
    for protocol in data.protocols:
        ranking = rankings[protocol.name]
        if isinstance(ranking, Ranking):  # single-shot means over draws have no ranks of their own
            chosen = [record for record in data.query if _asks(protocol, record.camera)]
            names = [record.path.relative_to(data.root).as_posix() for record in chosen]
            precision = [None if math.isnan(p) else p for p in ranking.average_precision.tolist()]
            found[protocol.name] = {"query": names, "first_match": ranking.first_match.tolist(), "ap": precision}
    return found


def summary_table(metrics: Metrics, protocols: tuple[Protocol, ...], variant: str, epochs: int) -> str:
    """Rank-1 and mAP of every protocol, in percent: the yardsticks, then this run's best and last epoch."""
    rows = [(label, prefix) for prefix, label in YARDSTICKS.items()]
    best = int(metrics.get("best/epoch", 0)) + 1
    rows += [(f"{variant}, best epoch ({best})", "best"), (f"{variant}, last epoch ({epochs})", "last")]
    rows += [(f"{variant}, best epoch, on the test set", "test")]
    names = [protocol.name for protocol in protocols]
    cells = [
        [label, *(percent(metrics.get(f"{prefix}/{name}/{m}")) for name in names for m in ("rank1", "mAP"))]
        for label, prefix in rows
        if any(f"{prefix}/{name}/rank1" in metrics for name in names)
    ]
    text = table(cells, header=["", *(f"{name} {m}" for name in names for m in ("rank-1", "mAP"))])
    notes = [f"{protocol.name}: {protocol.note}" for protocol in protocols if protocol.note]
    if any(name.startswith("test/") for name in metrics):
        notes.append("held-out training people chose the epoch and gave the numbers above the last line's")
    return "\n".join([text, *notes])


def summary(
    metrics: Metrics,
    settings: RlqSettings,
    inputs: Inputs,
    *,
    folder: Path,
    run_id: str,
    seconds: Mapping[str, float],
    links: Mapping[str, str],
) -> str:
    """What a finished run prints: the table, what it cost, where it lies, what to do next."""
    times = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items() if value >= 0.5)
    usual = settings.tracking.folder == TrackingSettings().folder  # else ids and names are not looked up there
    word, ui = (run_id[:8], "make ui") if usual else (str(folder), f"make ui RUNS={settings.tracking.folder}")
    shots = [f"gallery: {SHOTS[settings.data.prcc_shots]}"] if inputs.data.single_shot else []
    lines = [
        "",
        summary_table(metrics, inputs.data.protocols, settings.title, settings.schedule.epochs),
        *shots,
        f"time     {times}",
        (
            f"model    {metrics['model/parameters_inference'] / 1e6:.3f} M parameters and "
            f"{metrics['model/gigaflops']:.3f} GFLOP per picture at inference"
        ),
        f"kept     {run_id} in {folder}",
        *(f"{name:<8} {address}" for name, address in links.items()),
        "",
        f"next     {ui:<42} all runs in the browser, at the addresses above",
        f"         {f'rlq evaluate {word}':<42} the protocols once more, or --data another set",
        f"         {f'rlq embed {word} FOLDER --output F.npz':<42} features of your own pictures",
    ]
    return "\n".join(lines)


def is_single_shot(settings: RlqSettings, data: ReidData) -> bool:
    """Whether the numbers are means over draws of one gallery picture per person."""
    return data.single_shot and settings.data.prcc_shots == "single"


def _without_learning(settings: RlqSettings, inputs: Inputs, console: Console) -> Metrics:
    data = inputs.data
    found: Metrics = {}
    for protocol in data.protocols:
        by_chance = chance(data.query, data.gallery, protocol, single_shot=is_single_shot(settings, data))
        for name, value in by_chance.items():
            found |= {f"chance/{protocol.name}/{name}": value} if value is not None else {}
    evaluator = Evaluator(data, settings.data, place=Place(torch.device("cpu")), console=console)
    rankings = evaluator.rank_features(histogram_features(data.query), histogram_features(data.gallery))
    return found | {f"histogram/{n}": value for n, value in flat(rankings).items() if value is not None}


def _asks(protocol: Protocol, camera: str) -> bool:
    return protocol.query_cameras is None or camera in protocol.query_cameras
