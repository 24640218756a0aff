"""The figures of a finished run: rank lists, degradations, pose clusters, and a map of pictures and degraded ones."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.seeding import generator
from rlq.data.degradation import KINDS, DegradationRanges, Degrading, degrade, draw_degradation, only
from rlq.data.picture_grid import picture_grid
from rlq.data.pictures import read_picture
from rlq.data.records import Record, ReidData
from rlq.data.transforms import resize
from rlq.evaluation.figures import tsne_figure
from rlq.labels.cluster_sheet import SHOWN, cluster_sheet
from rlq.methods.ranking import DrawnFigure, PictureModel, rank_lists
from rlq.methods.rlq.inputs import Inputs
from rlq.methods.rlq.settings import RlqSettings

SAMPLES = 6  # pictures in a row of a sheet
MAPPED = 300  # pictures of the map, each also degraded


def figures(
    model: PictureModel,
    inputs: Inputs,
    tested: ReidData,
    features: tuple[np.ndarray, np.ndarray],
    *,
    place: Place,
    console: Console,
) -> Iterator[DrawnFigure]:
    """Draw rank lists; with TAD, degradations and a map of pictures and degraded ones; pose clusters if there are any.

    `features` are those of `tested`'s queries [Q, D] and gallery [G, D].
    """
    settings: RlqSettings = model.settings
    yield DrawnFigure("figures/rank_list.png", rank_lists(tested, *features, seed=settings.seed))
    if settings.tad.enabled:
        ranges = model.degradations
        sheet = degradation_sheet(inputs.external_train, ranges, seed=settings.seed)
        yield DrawnFigure("figures/artefacts.png", sheet)
        feature_map = map_of_degraded(model, inputs.external_train, place=place, console=console)
        yield DrawnFigure("figures/tsne.png", feature_map, shows_people=False)
    if inputs.poses is not None:
        poses = inputs.poses
        sheet = cluster_sheet(inputs.data.train, poses.train, poses.keypoints, seed=settings.seed)
        yield DrawnFigure("figures/pose_clusters.png", sheet)


def degradation_sheet(records: list[Record], ranges: DegradationRanges, *, seed: int) -> Figure:
    """Draw a row of pictures, then a row of the same ones under each degradation of the mix."""
    rng = generator(seed, "artefact sheet")
    chosen = [records[i] for i in np.sort(rng.permutation(len(records))[:SAMPLES])]
    pictures = [read_picture(record.path) for record in chosen]
    rows, captions = [[resize(picture, SHOWN) for picture in pictures]], [["good"] * len(pictures)]
    for kind in (kind for kind in KINDS if ranges.mix.get(kind, 0) > 0):
        drawn = [draw_degradation(rng, only(ranges, kind)) for _ in pictures]
        rows.append([resize(degrade(picture, how), SHOWN) for picture, how in zip(pictures, drawn, strict=True)])
        captions.append([f"{kind} {how.size}" for how in drawn])
    return picture_grid(rows, captions)


def map_of_degraded(model: PictureModel, records: list[Record], *, place: Place, console: Console) -> Figure:
    """Draw a map of the features of some pictures, each as it is and degraded."""
    seed = model.settings.seed
    chosen = np.sort(generator(seed, "map").permutation(len(records))[:MAPPED])
    samples = [records[i].pictures for i in chosen]
    plain = model.embed(samples, place=place, console=console)
    degraded = model.embed(samples, place=place, console=console, degrading=Degrading(model.degradations, seed))
    return tsne_figure(plain, degraded, seed=seed)
