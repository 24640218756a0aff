"""The figures of a report: analyses of its rows' runs, as far as their folders are here."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from rlq.ablation.table import slug
from rlq.analysis import ANALYSES, Source, source
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.evaluation.figures import value_figure
from rlq.report.content import Drawing, Material, Section
from rlq.runs.folder import ABOUT

ALWAYS = "curves"  # needs neither network nor pictures; it is large, so it comes last
OVER_VALUES = "sweep"  # the analysis of runs that over_values makes from rows, without their folders
DPI = 110


def check_names(names: Sequence[str]) -> None:
    """Raise RlqError that lists the known analyses unless all these are among them."""
    unknown = [name for name in names if name not in ANALYSES]
    if unknown:
        raise RlqError(f"there is no analysis {', '.join(unknown)}; known: {', '.join(ANALYSES)}")


def draw(
    section: Section, *, table_analysis: str | None, requested: Sequence[str], seed: int, console: Console
) -> tuple[list[Drawing], list[str]]:
    """Draw the curves, the table's own analysis and the `requested` ones, of the first seed's run of every row.

    Returns the drawings, and why others could not be made. Raises RlqError when a requested one cannot be made.
    """
    names = [*([table_analysis] if table_analysis else []), *requested]
    names = [name for name in dict.fromkeys(names) if name != ALWAYS] + [ALWAYS]
    check_names(names)
    local = {row: Path(folder) for row, folder in section.folders.items() if (Path(folder) / ABOUT).is_file()}
    drawings, remarks = [], []
    for name in names:
        try:
            drawings.append(_drawing(section.base, name, local, seed, console))
        except RlqError as error:
            if name in requested:
                raise RlqError(f"{name} of {section.base}: {error}") from error
            remarks.append(f"Not drawn, {name} of {section.base}: {error}.")
    absent = [row for row in section.folders if row not in local]
    if absent:
        remarks.append(
            f"Rows of {section.base} in no figure, because their run folders are not here: {', '.join(absent)}."
        )
    return drawings, remarks


def _drawing(base: str, name: str, folders: Mapping[str, Path], seed: int, console: Console) -> Drawing:
    """Draw one analysis of the runs in these folders, by row. Raises RlqError where it cannot be made."""
    analysis = ANALYSES[name]
    if len(folders) < analysis.least:
        least = "1 run" if analysis.least == 1 else f"{analysis.least} runs"
        raise RlqError(f"it needs the folders of {least} or more, and {len(folders)} are here")
    chosen = list(folders.items())[: analysis.most]
    console.line(f"figure   {base}: {name} of {', '.join(row for row, _ in chosen)}")
    sources = [_source(row, folder) for row, folder in chosen]
    figure, numbers, text = analysis.draw(sources, seed=seed, console=console, options={})
    omitted = [row for row in folders if row not in dict(chosen)]
    note = " ".join([analysis.note, *([f"Left out: {', '.join(omitted)}."] if omitted else [])]).strip()
    return Drawing(base, f"{base}-{name}", f"{analysis.title} ({base})", png(figure), numbers, text, note)


def over_values(section: Section, material: Material) -> list[Drawing]:
    """Draw each protocol's shown scores over a number, of a table whose rows are values of that number."""
    names = {name for variant in material.variants for name in variant.settings}
    if len(names) != 1:
        return []
    (setting,) = names
    values = {variant.name: variant.settings.get(setting) for variant in material.variants}
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values.values()):
        return []
    drawings = []
    for protocol in section.protocols:
        for score in section.scores.shown:
            spreads = {values[line.name]: line.scores[protocol, score.key].spread for line in section.lines}
            points = [(value, one.mean, one.sd) for value, one in sorted(spreads.items()) if one is not None]
            if len(points) > 1:
                metric = f"{protocol}/{score.key}"
                figure = value_figure(points, setting, metric, percent=score.percent, goal=score.goal)
                name = f"{section.base}-{slug(setting)}-{protocol}-{score.key}"
                title = f"{protocol} {score.title} over {setting} ({section.base})"
                numbers = {"setting": setting, "points": [list(point) for point in points]}
                drawings.append(Drawing(section.base, name, title, png(figure), numbers, "", ""))
    return drawings


def png(figure: Figure) -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def _source(row: str, folder: Path) -> Source:
    """Return a run under the name of its row."""
    return replace(source(folder, folder.parent), name=row)
