"""What an analysis is, and what it gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from matplotlib.figure import Figure

from rlq.analysis.runs import Source
from rlq.core.console import Console


class Drawn(NamedTuple):
    """The outcome of an analysis."""

    figure: Figure
    numbers: dict[str, Any]  # ready for JSON; rates are fractions
    text: str  # the numbers as a Markdown table; rates in percent


class Draw(Protocol):
    """Equal sources, seed and options give equal numbers. Raises SettingsError for an option that it does not know."""

    def __call__(
        self, sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]
    ) -> Drawn: ...


@dataclass(frozen=True)
class Analysis:
    """A question to finished runs."""

    title: str
    draw: Draw
    least: int  # runs
    most: int | None  # None: any number
    note: str = ""  # what the numbers do not say


def markdown(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """A Markdown table, padded to be read as it is; the first column to the left, the others to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])
