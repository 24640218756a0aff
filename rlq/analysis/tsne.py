"""Maps of pictures and their degraded versions, one per run (RLQ, figure 7)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field, StrictInt

from rlq.analysis.base import Outcome
from rlq.analysis.retrieval import Agreement, agreement, mixed, sample
from rlq.analysis.runs import ModelOptions, OpenModel, Source, by_name, original_set
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.text import markdown, percent
from rlq.evaluation.figures import tsne
from rlq.weights.alone import alone


class Options(ModelOptions):
    """The options of this analysis."""

    pictures: Annotated[StrictInt, Field(ge=2)] = 300  # of the queries and gallery


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Embed the same pictures with every run, degraded by the mix and the ranges of the first run."""
    chosen = validate(Options, options, "tsne")
    ranges = sources[0].degradations
    maps: dict[str, tuple[NDArray, NDArray]] = {}
    agreements: dict[str, Agreement] = {}
    with alone() as place:
        data = original_set(sources, chosen, place, console)
        records = sample(data, chosen.pictures, seed)
        for name, one in by_name(sources).items():
            model = OpenModel(one, chosen.weights, place, console)
            clean, degraded = model.features(records), model.features(records, ranges=ranges, seed=seed)
            places = tsne(np.concatenate([clean, degraded]), seed=seed)  # [2N, 2]
            maps[name] = places[: len(records)], places[len(records) :]
            agreements[name] = agreement(clean, degraded)
    title = f"{len(records)} pictures of {data.name}"
    header = [title, "bad to good R-1", "cosine", "cosine of others"]
    rows = [[name, percent(one.rank1), f"{one.cosine:.3f}", f"{one.others:.3f}"] for name, one in agreements.items()]
    numbers = {
        "dataset": data.name,
        "pictures": len(records),
        "mix": dict(ranges.mix),
        "runs": {name: one._asdict() for name, one in agreements.items()},
    }
    captions = {name: f"{name}\ncosine {one.cosine:.2f}, found {one.rank1:.0%}" for name, one in agreements.items()}
    figure = maps_figure(maps, captions)
    figure.suptitle(f"{title}, each clean and degraded ({mixed(ranges)})", fontsize=9)
    return Outcome(figure, numbers, markdown(rows, header))


def maps_figure(maps: Mapping[str, tuple[NDArray, NDArray]], captions: Mapping[str, str]) -> Figure:
    """Draw maps side by side: places [N, 2] of pictures and of their degraded versions, each pair joined by a line."""
    figure = Figure(figsize=(4 * len(maps), 4.6), layout="constrained")
    for axes, (name, (clean, degraded)) in zip(
        figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True
    ):
        axes.plot(*np.stack([clean, degraded]).transpose(2, 0, 1), color="0.8", linewidth=0.5, zorder=0)
        axes.scatter(*clean.T, s=7, color="#1f77b4", label="clean")
        axes.scatter(*degraded.T, s=7, color="#ff7f0e", label="degraded")
        axes.set(xticks=[], yticks=[])
        axes.set_title(captions[name], fontsize=9)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, markerscale=2)
    return figure
