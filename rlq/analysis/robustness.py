"""Rank-1 on degraded pictures, by kind and severity of the degradation, for several runs (RLQ, figure 8 left)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from matplotlib.figure import Figure
from pydantic import Field

from rlq.analysis.base import Outcome
from rlq.analysis.runs import ModelOptions, OpenModel, Source, by_name, common_set, protocol_of
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.scores import RANKING
from rlq.core.text import markdown, percent
from rlq.data.degradation import KINDS, SEVERITIES, DegradationRanges, Kind, Severity, at_severity, only
from rlq.evaluation.evaluator import Degraded
from rlq.weights.alone import alone

CLEAN: Literal["clean"] = "clean"
Condition = tuple[Kind | Literal["clean"], int]  # a kind of degradation and its severity, 0 for none
TITLES = {"pixelation": "pixelation", "motion": "motion blur", "gaussian": "out of focus"}


class Options(ModelOptions):
    """The options of this analysis."""

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = KINDS
    severities: tuple[Severity, ...] = SEVERITIES  # empty: random within the range
    degrade: Degraded = "both"  # which pictures are degraded
    protocol: str | None = None  # None: the data set's first


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Let every run rank the same degraded pictures, by the ranges of the first run and the seed."""
    chosen = validate(Options, options, "robustness")
    ranges = sources[0].degradations
    kinds, levels = tuple(dict.fromkeys(chosen.kinds)), sorted(set(chosen.severities))
    conditions: dict[Condition, DegradationRanges | None] = {(CLEAN, 0): None}
    for kind in kinds:
        conditions |= {(kind, level): at_severity(ranges, kind, level) for level in levels}
        conditions |= {} if levels else {(kind, 0): only(ranges, kind)}
    runs: dict[str, dict[Condition, dict[str, float | None]]] = {}
    with alone() as place:
        data = common_set(sources, chosen, place, console)
        protocol = protocol_of(data, chosen.protocol)
        for name, one in by_name(sources).items():
            model, runs[name] = OpenModel(one, chosen.weights, place, console), {}
            for condition, strengths in conditions.items():
                evaluator = model.evaluator(data, ranges=strengths, degraded=chosen.degrade, seed=seed)
                measured = evaluator.rank()[protocol.name].summary()
                runs[name][condition] = {score.key: measured[score.key] for score in RANKING.shown}
    rows = [
        [
            _in_words(condition, ranges),
            *(percent(of_run[condition][score.key]) for of_run in runs.values() for score in RANKING.shown),
        ]
        for condition in conditions
    ]
    header = [
        f"{data.name}, {protocol.name}",
        *(f"{name} {score.heading}" for name in runs for score in RANKING.shown),
    ]
    numbers = {
        "dataset": data.name,
        "protocol": protocol.name,
        "degraded": chosen.degrade,
        "strength": {_key(condition): strength(at, condition[0]) for condition, at in conditions.items() if at},
        "runs": {
            name: {_key(condition): values for condition, values in of_run.items()} for name, of_run in runs.items()
        },
    }
    figure = _lines(runs, kinds, levels, ranges) if levels else _bars(runs)
    figure.suptitle(f"rank-1 on {data.name} ({protocol.name}), %; degraded: {_sides(chosen.degrade)}", fontsize=10)
    return Outcome(figure, numbers, markdown(rows, header))


def strength(ranges: DegradationRanges, kind: str) -> str:
    """Return the size of a degradation in pixels, of a Gaussian blur with its sigma, or the ranges of both."""
    if kind == "pixelation":
        return f"side {_range(ranges.pixelation)}"
    if kind == "motion":
        return f"kernel {_range(ranges.motion_kernel)}"
    sigma = ranges.gaussian_sigma
    spread = "" if sigma == "from_kernel" else f", sigma {_range(tuple(round(end, 3) for end in sigma))}"
    return f"kernel {_range(ranges.gaussian_kernel)}{spread}"


def _range(ends: tuple[float, ...]) -> str:
    return f"{ends[0]:g}" if ends[0] == ends[1] else f"{ends[0]:g}-{ends[1]:g}"


def _key(condition: Condition) -> str:
    """Return clean, motion or motion-3."""
    return f"{condition[0]}-{condition[1]}" if condition[1] else condition[0]


def _in_words(condition: Condition, ranges: DegradationRanges) -> str:
    kind, level = condition
    if kind == CLEAN:
        return "as they are"
    at = at_severity(ranges, kind, level) if level else ranges
    return f"{TITLES[kind]}{f' {level}' if level else ''} ({strength(at, kind)})"


def _sides(degraded: str) -> str:
    return {"query": "queries", "gallery": "gallery", "both": "queries and gallery"}[degraded]


def _lines(runs: Mapping[str, Any], kinds: Sequence[Kind], levels: Sequence[int], ranges: DegradationRanges) -> Figure:
    """Draw a panel per kind of degradation, from clean pictures on the left to the highest severity."""
    figure = Figure(figsize=(3.1 * len(kinds), 3.2), layout="constrained")
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        for number, (name, values) in enumerate(runs.items()):
            rates = [values[CLEAN, 0][RANKING.main.key], *(values[kind, level][RANKING.main.key] for level in levels)]
            heights = [None if rate is None else 100 * rate for rate in rates]
            axes.plot([0, *levels], heights, color=f"C{number % 10}", marker="o", markersize=4, label=name)
        weakest, strongest = (strength(at_severity(ranges, kind, end), kind) for end in (levels[0], levels[-1]))
        axes.set_title(f"{TITLES[kind]}\n{weakest} to {strongest}", fontsize=8)
        axes.set_xticks([0, *levels], [CLEAN, *map(str, levels)], fontsize=8)
        axes.set_xlabel("severity", fontsize=8)
        axes.grid(alpha=0.25)
    panels[0].set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _bars(runs: Mapping[str, Any]) -> Figure:
    """Draw a group of bars per condition."""
    conditions = list(next(iter(runs.values())))
    figure = Figure(figsize=(1.6 * len(conditions) + 1.5, 3.4), layout="constrained")
    axes, width = figure.subplots(), 0.8 / len(runs)
    for number, (name, values) in enumerate(runs.items()):
        places = [place + (number - (len(runs) - 1) / 2) * width for place in range(len(conditions))]
        heights = [100 * (values[condition][RANKING.main.key] or 0) for condition in conditions]
        bars = axes.bar(places, heights, width, color=f"C{number % 10}", label=name)
        axes.bar_label(bars, fmt="%.1f", fontsize=7)
    axes.set_xticks(range(len(conditions)), [TITLES.get(kind, kind) for kind, _ in conditions], fontsize=8)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8)
    return figure
