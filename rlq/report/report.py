"""Reports: collect rows, compare them, draw figures, and write everything into one folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rlq.ablation.run import RESULTS
from rlq.ablation.table import read_table_file, slug
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.files import write_file
from rlq.core.settings import TrackingSettings
from rlq.report import figures
from rlq.report.comparison import section
from rlq.report.content import Material, Report, ReportOptions, Section
from rlq.report.rows import RUNS, check_protocols, of_runs, of_table
from rlq.report.writers import html, latex, markdown

FORMATS = ("md", "tex", "html")
OUTPUT = Path("build/reports")


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    folder: Path
    files: tuple[Path, ...]
    text: str  # the tables as Markdown, for the screen


class _Subject(NamedTuple):
    """What a report is about."""

    name: str  # of its files
    title: str
    materials: list[Material]
    analysis: str | None  # that the table names


def report(
    words: Sequence[str],
    *,
    base: Path | None = None,
    results: Path = RESULTS,
    protocols: Sequence[str] = (),
    options: ReportOptions | None = None,
    analyses: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    output: Path | None = None,
    command: str = "",
    seed: int = 0,
    console: Console | None = None,
) -> Written:
    """Report on a table file, or on runs (ids, prefixes, names or folders). Raises RlqError."""
    options, console = options or ReportOptions(), console or Console()
    figures.check_names(analyses)
    subject = _subject(words, base, results, protocols)
    sections, drawings, remarks = [], [], []
    for material in subject.materials:
        check_protocols(material)
        table = _section(material, options)
        over_values = figures.over_values(table, material)
        analysis = None if over_values and subject.analysis == figures.OVER_VALUES else subject.analysis
        drawn, not_drawn = figures.draw(table, table_analysis=analysis, requested=analyses, seed=seed, console=console)
        sections.append(table)
        drawings += [*over_values, *drawn]
        remarks += not_drawn
    whole = Report(subject.name, subject.title, command, tuple(sections), tuple(drawings), tuple(remarks))
    return write(whole, output or OUTPUT / subject.name, formats)


def _subject(words: Sequence[str], base: Path | None, results: Path, protocols: Sequence[str]) -> _Subject:
    """Collect the rows of the table file, or of the runs, that the words name."""
    files = [word for word in words if word.endswith((".yaml", ".yml"))]
    if files and len(words) > 1:
        raise RlqError(f"name one table file, or runs; not {files[0]} with {len(words) - 1} more")
    if files:
        table = read_table_file(Path(files[0]))
        materials = of_table(table, base=base, results=results, protocols=protocols)
        return _Subject(table.name, _title(table.title, table.table, table.figure), materials, table.analysis)
    if base is not None:
        raise RlqError(f"--base {base} goes with a table file; runs have their own experiments")
    material = of_runs(words, Path(TrackingSettings().folder), protocols=protocols)
    names = [variant.name for variant in material.variants]
    title = f"{', '.join(names)} on {material.rows[0].dataset}"
    return _Subject(slug(" ".join(names))[:60].strip("-.") or RUNS, title, [material], None)


def write(report: Report, folder: Path, formats: Sequence[str] = FORMATS) -> Written:
    """Write a report's files, each whole or not at all: figures/ with its drawings, numbers.json with all numbers."""
    files = {one.name: f"figures/{slug(one.name)}.png" for one in report.drawings}
    text = markdown.document(report, files)
    written = [_written(folder / files[one.name], one.png) for one in report.drawings]
    makers = {"md": lambda: text, "tex": lambda: latex.tables(report), "html": lambda: html.page(report)}
    written += [_written(folder / f"{report.name}.{name}", makers[name]().encode()) for name in formats]
    written.append(_written(folder / "numbers.json", f"{json.dumps(numbers(report), indent=1)}\n".encode()))
    shown = "\n\n".join(markdown.part(one) for one in report.sections)
    return Written(folder, tuple(written), "\n".join([shown, *(f"- {remark}" for remark in report.remarks)]))


def numbers(report: Report) -> dict[str, Any]:
    """Return all numbers of a report for programs: scores as measured, published ones as the paper has them."""
    return {
        "title": report.title,
        "command": report.command,
        "sections": [_section_numbers(one) for one in report.sections],
        "figures": {one.name: one.numbers for one in report.drawings},
        "remarks": list(report.remarks),
    }


def _section(material: Material, options: ReportOptions) -> Section:
    seeds = sorted({row.seed for row in material.rows})
    if options.seeds and not set(seeds) & set(options.seeds):
        missing, listed = (", ".join(map(str, numbers)) for numbers in (options.seeds, seeds))
        raise RlqError(f"{material.base}: no row has seed {missing}; there are rows of seeds {listed}")
    return section(material, options)


def _section_numbers(one: Section) -> dict[str, Any]:
    rows = {
        line.name: {
            "seeds": {str(seed): {"run_id": row.run_id, "folder": row.folder} for seed, row in line.rows.items()},
            "missing_seeds": list(line.missing),
            "scores": {f"{protocol}/{metric}": asdict(score) for (protocol, metric), score in line.scores.items()},
            "published_percent": {name: dict(values) for name, values in line.published.items()},
        }
        for line in one.lines
    }
    return {
        "base": one.base,
        "dataset": one.dataset,
        "reference": one.reference,
        "rows": rows,
        "notes": list(one.notes),
        "warnings": list(one.warnings),
    }


def _title(title: str, table: int | None, figure: str | int | None) -> str:
    """Return a table's title with its number in the paper."""
    number = f"table {table}" if table is not None else f"figure {figure}" if figure is not None else ""
    return f"{title} ({number} of the paper)" if number else title


def _written(path: Path, content: bytes) -> Path:
    write_file(path, content)
    return path
