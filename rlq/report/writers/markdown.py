"""A report as Markdown, for terminals and browsers."""

from collections.abc import Mapping

from rlq.core.text import markdown
from rlq.report.cells import Cell, grid
from rlq.report.content import Report, Section


def document(report: Report, figures: Mapping[str, str]) -> str:
    """Return the whole report; `figures` maps the name of a drawing to its file, relative to the document."""
    parts = [f"# {escaped(report.title)}"]
    if report.command:
        parts.append(f"    {report.command}")
    for section in report.sections:
        parts.append(part(section))
        for drawing in (d for d in report.drawings if d.base == section.base):
            parts.append(f"### {escaped(drawing.title)}\n\n![{escaped(drawing.title)}]({figures[drawing.name]})")
            parts += [text for text in (drawing.note, drawing.text) if text]
    if report.remarks:
        parts.append("\n".join(f"- {escaped(remark)}" for remark in report.remarks))
    return "\n\n".join(parts) + "\n"


def part(section: Section) -> str:
    """Return one table with its warnings and notes."""
    warnings = [f"- **Careful:** {escaped(warning)}" for warning in section.warnings]
    notes = [f"- {escaped(note)}" for note in section.notes]
    return "\n\n".join([f"## {escaped(section.base)}", table(section), "\n".join([*warnings, *notes])])


def table(section: Section) -> str:
    """Return an aligned table: the best in bold, differences that do not exceed the noise in italics."""
    whole = grid(section)
    titles = [f"{column.group} {column.title}".strip() for column in whole.columns]
    rows = [[escaped(name), *map(_cell, cells)] for name, cells in whole.rows]
    return markdown(rows, ["row", *map(escaped, titles)])


def escaped(text: str) -> str:
    """Escape text for Markdown. Underscores within words have no meaning there; `table` escapes |."""
    return "".join(f"\\{sign}" if sign in "\\`*<" else sign for sign in text)


def _cell(cell: Cell) -> str:
    text = escaped(f"{cell.text} {cell.aside}".strip())
    return f"**{text}**" if cell.strong else f"*{text}*" if cell.faint else text
