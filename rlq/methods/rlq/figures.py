"""The figures of a finished run: rank lists, artefacts, pose clusters, and the map of good and bad pictures."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.seeding import generator
from rlq.data.degradation import KINDS, DegradationRanges, degrade, draw_degradation, only
from rlq.data.picture_grid import picture_grid
from rlq.data.pictures import read_picture
from rlq.data.records import Record, ReidData
from rlq.data.transforms import resize
from rlq.evaluation.embed import embed_pictures
from rlq.evaluation.figures import rank_list_figure, tsne_figure
from rlq.evaluation.protocols import labels_of, of_cameras
from rlq.evaluation.rank_list import rank_list
from rlq.labels.cluster_sheet import SHOWN, cluster_sheet
from rlq.methods.rlq.inputs import Inputs
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings, artefact_ranges

QUERIES, TOP = 6, 8  # of a rank list
SAMPLES = 6  # pictures of a sheet's row
MAPPED = 300  # pictures of the map, each good and bad
WITHOUT_PEOPLE = ("figures/tsne.png",)


def draw(
    settings: RlqSettings,
    inputs: Inputs,
    network: RlqNetwork,
    tested: ReidData,
    query: np.ndarray,
    gallery: np.ndarray,
    *,
    place: Place,
    console: Console,
) -> dict[str, Figure]:
    """Figures by their artifact names, as far as the experiment has what they show.

    query [Q, D] and gallery [G, D] are the features of `tested`'s pictures.
    """
    figures = {"figures/rank_list.png": rank_lists(tested, query, gallery, seed=settings.seed)}
    if settings.tad.enabled:
        ranges = artefact_ranges(settings.tad)
        figures["figures/artefacts.png"] = artefact_sheet(inputs.external_train, ranges, seed=settings.seed)
        figures["figures/tsne.png"] = good_and_bad(settings, inputs, network, ranges, place=place, console=console)
    if inputs.poses is not None:
        poses = inputs.poses
        sheet = cluster_sheet(inputs.data.train, poses.train, poses.keypoints, seed=settings.seed)
        figures["figures/pose_clusters.png"] = sheet
    return figures


def shows_people(name: str) -> bool:
    """Whether a figure shows pictures of people, which `tracking.pictures: false` keeps on this machine."""
    return name not in WITHOUT_PEOPLE


def rank_lists(data: ReidData, query: np.ndarray, gallery: np.ndarray, *, seed: int) -> Figure:
    """Random queries of the first protocol that have a match, and what each finds."""
    protocol = data.protocols[0]
    rows, columns = of_cameras(data.query, protocol.query_cameras), of_cameras(data.gallery, protocol.gallery_cameras)
    chosen = np.sort(generator(seed, "rank list").permutation(rows)[:QUERIES])
    lists = rank_list(
        query[chosen],
        gallery[columns],
        labels_of(data.query, chosen, protocol.barrier),
        labels_of(data.gallery, columns, protocol.barrier),
        protocol.rule,
        TOP,
    )
    return rank_list_figure(
        [_shown(data.query[row]) for row in chosen],
        [[_shown(data.gallery[columns[i]]) for i in found.gallery] for found in lists],
        [found.hits.tolist() for found in lists],
    )


def artefact_sheet(records: list[Record], ranges: DegradationRanges, *, seed: int) -> Figure:
    """A row of good pictures, then a row of the same ones under each artefact of the mix."""
    rng = generator(seed, "artefact sheet")
    chosen = [records[i] for i in np.sort(rng.permutation(len(records))[:SAMPLES])]
    pictures = [read_picture(record.path) for record in chosen]
    rows, captions = [[resize(one, SHOWN) for one in pictures]], [["good"] * len(pictures)]
    for kind in (kind for kind in KINDS if ranges.mix.get(kind, 0) > 0):
        drawn = [draw_degradation(rng, only(ranges, kind)) for _ in pictures]
        rows.append([resize(degrade(one, how), SHOWN) for one, how in zip(pictures, drawn, strict=True)])
        captions.append([f"{kind} {how.size}" for how in drawn])
    return picture_grid(rows, captions)


def good_and_bad(
    settings: RlqSettings,
    inputs: Inputs,
    network: RlqNetwork,
    ranges: DegradationRanges,
    *,
    place: Place,
    console: Console,
) -> Figure:
    """The map of external pictures' features, each picture good and spoilt."""
    records = inputs.external_train
    chosen = np.sort(generator(settings.seed, "map").permutation(len(records))[:MAPPED])
    paths = [records[i].path for i in chosen]
    options: dict[str, Any] = {
        "size": settings.data.size,
        "batch": settings.data.test_batch,
        "workers": settings.data.workers,
        "patience": settings.data.patience,
        "place": place,
        "console": console,
    }
    good = embed_pictures(network.embed, paths, **options)
    bad = embed_pictures(network.embed, paths, artefacts=ranges, seed=settings.seed, **options)
    return tsne_figure(good, bad, seed=settings.seed)


def _shown(record: Record) -> np.ndarray:
    return resize(read_picture(record.path), SHOWN)
