"""The interface of an analysis, and its outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from matplotlib.figure import Figure

from rlq.analysis.runs import Source
from rlq.core.console import Console


class Outcome(NamedTuple):
    """A figure, and its numbers for programs and for people."""

    figure: Figure
    numbers: dict[str, Any]  # ready for JSON; rates are fractions
    text: str  # the numbers as a Markdown table; rates in percent


class Draw(Protocol):
    """Equal sources, seed and options give equal numbers. Raises SettingsError for an unknown option."""

    def __call__(
        self, sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]
    ) -> Outcome: ...


@dataclass(frozen=True)
class Analysis:
    """One way to examine finished runs."""

    title: str
    draw: Draw
    least: int  # runs
    most: int | None  # None: any number
    note: str = ""  # on how to read the numbers
