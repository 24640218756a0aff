"""The figures of a report: analyses of its rows' runs, where their folders are at hand."""

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from rlq.ablation.table import slug
from rlq.analysis import ANALYSES, Source, source
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.evaluation.figures import value_figure
from rlq.report.content import Drawing, Material, Section
from rlq.runs.folder import ABOUT

ALWAYS = "curves"  # needs neither network nor pictures; large, so it comes last
OVER_VALUES = "sweep"  # the analysis of runs that over_values makes of rows, without their folders
DPI = 110


def check_names(names: Sequence[str]) -> None:
    """Raises RlqError that lists the analyses there are."""
    unknown = [name for name in names if name not in ANALYSES]
    if unknown:
        raise RlqError(f"there is no analysis {', '.join(unknown)}; known: {', '.join(ANALYSES)}")


def draw(
    section: Section, *, own: str | None, asked: Sequence[str], seed: int, console: Console
) -> tuple[list[Drawing], list[str]]:
    """Curves, the table's `own` analysis and those that were `asked` for, of the first seed's run of every row.

    Returns the drawings, and why others were not made. Raises RlqError when one that was asked for cannot be made.
    """
    names = [name for name in dict.fromkeys([*([own] if own else []), *asked]) if name != ALWAYS] + [ALWAYS]
    check_names(names)
    here = {name: Path(folder) for name, folder in section.folders.items() if (Path(folder) / ABOUT).is_file()}
    away = [name for name in section.folders if name not in here]
    drawings, remarks = [], []
    for name in names:
        analysis = ANALYSES[name]
        try:
            if len(here) < analysis.least:
                least = "1 run" if analysis.least == 1 else f"{analysis.least} runs"
                raise RlqError(f"it takes {least} or more, and the folders of {len(here)} are here")
            chosen = list(here.items())[: analysis.most]
            console.line(f"figure   {section.base}: {name} of {', '.join(row for row, _ in chosen)}")
            sources = [_source(row, folder) for row, folder in chosen]
            figure, numbers, text = analysis.draw(sources, seed=seed, console=console, options={})
        except RlqError as error:
            if name in asked:
                raise RlqError(f"{name} of {section.base}: {error}") from error
            remarks.append(f"Not drawn, {name} of {section.base}: {error}.")
            continue
        left = [row for row in here if row not in dict(chosen)]
        note = " ".join([analysis.note, *([f"Left out: {', '.join(left)}."] if left else [])]).strip()
        title = f"{analysis.title} ({section.base})"
        drawings.append(Drawing(section.base, f"{section.base}-{name}", title, png(figure), numbers, text, note))
    if away:
        remarks.append(f"Rows of {section.base} without a run folder here, so in no figure: {', '.join(away)}.")
    return drawings, remarks


def over_values(section: Section, material: Material) -> list[Drawing]:
    """Of a table whose rows are values of one number: each protocol's shown scores over that number."""
    names = {name for variant in material.wanted for name in variant.settings}
    if len(names) != 1:
        return []
    (setting,) = names
    values = {variant.name: variant.settings.get(setting) for variant in material.wanted}
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values.values()):
        return []
    drawings = []
    for protocol in section.protocols:
        for score in section.scores.shown:
            spreads = {values[line.name]: line.scores[protocol, score.key].spread for line in section.lines}
            points = [(value, found.mean, found.sd) for value, found in sorted(spreads.items()) if found is not None]
            if len(points) > 1:
                metric = f"{protocol}/{score.key}"
                figure = value_figure(points, setting, metric, percent=score.percent, goal=score.goal)
                name = f"{section.base}-{slug(setting)}-{protocol}-{score.key}"
                whole = f"{protocol} {score.title} over {setting} ({section.base})"
                numbers = {"setting": setting, "points": [list(point) for point in points]}
                drawings.append(Drawing(section.base, name, whole, png(figure), numbers, "", ""))
    return drawings


def png(figure: Figure) -> bytes:
    """The same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def _source(row: str, folder: Path) -> Source:
    """A run under the name of its row."""
    found = source(folder, folder.parent)
    return Source(row, found.folder, found.settings, found.run_id)
