"""Figures of an evaluation, as matplotlib Figure objects that the caller saves or logs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from rlq.core.scores import Goal
from rlq.core.shapes import check_shapes
from rlq.data.picture_grid import Picture, picture_grid

HIT, MISS = "#2e8b57", "#c0392b"


def rank_list_figure(
    queries: Sequence[Picture], ranked: Sequence[Sequence[Picture]], hits: Sequence[Sequence[bool]]
) -> Figure:
    """Draw one row per query: the query, then its ranking, best first; green frames are matches, red ones are not."""
    if not len(queries) == len(ranked) == len(hits):
        raise ValueError(f"{len(queries)} queries, {len(ranked)} rows of pictures, {len(hits)} rows of hits")
    captions = [["query", *(f"{i + 1}" for i in range(len(row)))] for row in ranked]
    figure = picture_grid([[query, *row] for query, row in zip(queries, ranked, strict=True)], captions)
    columns = 1 + max((len(row) for row in ranked), default=0)
    for row, of_row in enumerate(hits):
        if len(of_row) != len(ranked[row]):
            raise ValueError(f"row {row} has {len(ranked[row])} pictures and {len(of_row)} hits")
        for column, hit in enumerate(of_row):
            axes = figure.axes[row * columns + column + 1]
            for spine in axes.spines.values():
                spine.set(visible=True, color=HIT if hit else MISS, linewidth=3)
    return figure


def tsne_figure(hq_features: NDArray, lq_features: NDArray, *, seed: int = 0) -> Figure:
    """Draw pictures and their degraded versions [N, D] on one map; a line joins the two versions of a picture."""
    sizes = check_shapes(hq_features=(hq_features, "N D"), lq_features=(lq_features, "N D"))
    places = tsne(np.concatenate([hq_features, lq_features]), seed=seed)  # [2N, 2]
    hq, lq = places[: sizes["N"]], places[sizes["N"] :]
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot(*np.stack([hq, lq]).transpose(2, 0, 1), color="0.85", linewidth=0.5, zorder=0)
    axes.scatter(hq[:, 0], hq[:, 1], s=8, color="#1f77b4", label="high quality")
    axes.scatter(lq[:, 0], lq[:, 1], s=8, color="#ff7f0e", label="low quality")
    axes.set(xticks=[], yticks=[])
    axes.legend()
    return figure


def tsne(features: NDArray, *, seed: int = 0) -> NDArray[np.float32]:
    """Return places on a map, [N, D] -> [N, 2]: at most 50 principal components, then t-SNE (Maaten, Hinton 2008)."""
    check_shapes(features=(features, "N D"))
    if len(features) < 4:
        raise ValueError(f"a map needs at least 4 features, found {len(features)}")
    random, width = np.random.RandomState(seed), min(50, *features.shape)
    pca = PCA(width, svd_solver="randomized", iterated_power=2, random_state=random)
    components = pca.fit_transform(features.astype(np.float32))  # [N, <= 50]
    # Half the default iterations and a coarser tree do not change the neighbourhoods of thousands of pictures.
    perplexity = min(30.0, (len(features) - 1) / 3)
    layout = TSNE(perplexity=perplexity, init="pca", max_iter=500, angle=0.8, random_state=random)
    with threadpool_limits(1, user_api="openmp"):  # the order of sums of several threads varies
        return layout.fit_transform(components)


def value_figure(
    points: Sequence[tuple[Any, float, float | None]],
    name: str,
    metric: str,
    *,
    percent: bool = False,
    goal: Goal = "maximize",
) -> Figure:
    """Draw a metric over the values of one setting, each (value, mean, standard deviation or None); mark the best.

    Values that are not numbers are drawn side by side in the given order. With `percent`, the metric is a fraction.
    """
    if not points:
        raise ValueError(f"no values of {name} to draw")
    scale = 100 if percent else 1
    values = [value for value, _, _ in points]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    places = values if numbers else list(range(len(values)))
    means = [scale * mean for _, mean, _ in points]
    best = means.index(max(means) if goal == "maximize" else min(means))
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    spread = [0.0 if sd is None else scale * sd for _, _, sd in points]
    axes.errorbar(
        places, means, yerr=spread if any(spread) else None, marker="o", capsize=3, linestyle="-" if numbers else "none"
    )
    axes.plot(places[best], means[best], marker="o", markersize=9, color="C1", label=f"best: {values[best]}")
    if not numbers or len(values) <= 12:
        axes.set_xticks(places, [f"{value:g}" if numbers else str(value) for value in values])
    axes.set(xlabel=name, ylabel=f"{metric}, %" if percent else metric)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return figure
