"""Make a report: gather rows, compare them, draw figures, and write everything into one folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rlq.ablation.run import RESULTS
from rlq.ablation.table import read_table_file, slug
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.files import write_file
from rlq.core.settings import TrackingSettings
from rlq.report import figures
from rlq.report import rows as gathering
from rlq.report.comparison import section
from rlq.report.content import Asked, Material, Report, Section
from rlq.report.writers import html, latex, markdown

FORMATS = ("md", "tex", "html")
OUTPUT = Path("build/reports")


@dataclass(frozen=True)
class Written:
    """What a report left behind."""

    folder: Path
    files: tuple[Path, ...]
    text: str  # the tables as Markdown, for the screen


def report(
    words: Sequence[str],
    *,
    base: Path | None = None,
    results: Path = RESULTS,
    protocols: Sequence[str] = (),
    asked: Asked | None = None,
    analyses: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    output: Path | None = None,
    command: str = "",
    seed: int = 0,
    console: Console | None = None,
) -> Written:
    """Report on a table file, or on runs (ids, prefixes, names or folders). Raises RlqError."""
    asked, console = asked or Asked(), console or Console()
    figures.check_names(analyses)
    files = [word for word in words if word.endswith((".yaml", ".yml"))]
    if files and len(words) > 1:
        raise RlqError(f"name one table file, or runs; not {files[0]} with {len(words) - 1} more")
    own = None
    if files:
        table = read_table_file(Path(files[0]))
        materials = gathering.of_table(table, base=base, results=results, protocols=protocols)
        name, title, own = table.name, _title(table.title, table.table, table.figure), table.analysis
    else:
        if base is not None:
            raise RlqError(f"--base {base} goes with a table file; runs have their own experiments")
        materials = [gathering.of_runs(words, Path(TrackingSettings().folder), protocols=protocols)]
        rows = [variant.name for variant in materials[0].wanted]
        name = slug(" ".join(rows))[:60].strip("-.") or "runs"
        title = f"{', '.join(rows)} on {materials[0].rows[0].dataset}"
    sections, drawings, remarks = [], [], []
    for material in materials:
        gathering.check_protocols(material)
        found = _section(material, asked)
        over_values = figures.over_values(found, material)
        undrawn = None if over_values and own == figures.OVER_VALUES else own
        made, left = figures.draw(found, own=undrawn, asked=analyses, seed=seed, console=console)
        sections.append(found)
        drawings += [*over_values, *made]
        remarks += left
    whole = Report(name, title, command, tuple(sections), tuple(drawings), tuple(remarks))
    return write(whole, output or OUTPUT / name, formats)


def write(report: Report, folder: Path, formats: Sequence[str] = FORMATS) -> Written:
    """Write a report's files, each whole or not at all; figures/ holds its drawings, numbers.json all numbers."""
    figures = {one.name: f"figures/{slug(one.name)}.png" for one in report.drawings}
    text = markdown.document(report, figures)
    written = [_written(folder / figures[one.name], one.png) for one in report.drawings]
    makers = {"md": lambda: text, "tex": lambda: latex.tables(report), "html": lambda: html.page(report)}
    written += [_written(folder / f"{report.name}.{name}", makers[name]().encode()) for name in formats]
    written.append(_written(folder / "numbers.json", f"{json.dumps(numbers(report), indent=1)}\n".encode()))
    shown = "\n\n".join(markdown.part(one) for one in report.sections)
    return Written(folder, tuple(written), "\n".join([shown, *(f"- {remark}" for remark in report.remarks)]))


def numbers(report: Report) -> dict[str, Any]:
    """Everything in a report for programs: fractions, and published numbers in percent as the paper has them."""
    return {
        "title": report.title,
        "command": report.command,
        "sections": [_section_numbers(one) for one in report.sections],
        "figures": {one.name: one.numbers for one in report.drawings},
        "remarks": list(report.remarks),
    }


def _section(material: Material, asked: Asked) -> Section:
    chosen = [row for row in material.rows if not asked.seeds or row.seed in asked.seeds]
    if not chosen:
        there = ", ".join(map(str, sorted({row.seed for row in material.rows})))
        raise RlqError(f"{material.base}: no row with seed {', '.join(map(str, asked.seeds))}; there are seeds {there}")
    return section(material, asked)


def _section_numbers(one: Section) -> dict[str, Any]:
    rows = {
        line.name: {
            "seeds": {str(seed): {"run_id": row.run_id, "folder": row.folder} for seed, row in line.found.items()},
            "missing_seeds": list(line.missing),
            "scores": {f"{protocol}/{metric}": asdict(score) for (protocol, metric), score in line.scores.items()},
            "published_percent": {name: dict(found) for name, found in line.published.items()},
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
    """With the number that it has in the paper."""
    number = f"table {table}" if table is not None else f"figure {figure}" if figure is not None else ""
    return f"{title} ({number} of the paper)" if number else title


def _written(path: Path, content: bytes) -> Path:
    write_file(path, content)
    return path
