"""A report as one HTML page that needs no network and no other file."""

import base64
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rlq.report.cells import Cell, grid
from rlq.report.content import Report, Section


def page(report: Report) -> str:
    """Return the page. All text is escaped, and the pictures are embedded."""
    environment = Environment(
        loader=PackageLoader("rlq.report.writers", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = [_table(section) for section in report.sections]
    return environment.get_template("page.html").render(report=report, tables=tables, embedded=_embedded)


def _table(section: Section) -> dict[str, Any]:
    table = grid(section)
    groups = [
        {"name": name, "width": len(list(columns))} for name, columns in groupby(table.columns, lambda c: c.group)
    ]
    firsts = [i == 0 or table.columns[i].group != table.columns[i - 1].group for i in range(len(table.columns))]
    rows = [
        {
            "name": name,
            "reference": name == section.reference,
            "cells": [
                {"cell": cell, "text": _signs(cell), "classes": _classes(cell, column.quiet, first)}
                for cell, column, first in zip(cells, table.columns, firsts, strict=True)
            ],
        }
        for name, cells in table.rows
    ]
    return {"section": section, "groups": groups, "columns": list(zip(table.columns, firsts)), "rows": rows}


def _signs(cell: Cell) -> str:
    """Return the text with minus signs as wide as plus signs; "-" alone stands for no number."""
    text = f"{cell.text} {cell.aside}".strip()
    return text.replace("-", "−") if cell.value is not None else text


def _classes(cell: Cell, quiet: bool, first: bool) -> str:
    better, worse = cell.better is True, cell.better is False
    marks = {"first": first, "best": cell.strong, "noise": cell.faint, "quiet": quiet, "up": better, "down": worse}
    return " ".join(name for name, on in marks.items() if on)


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
