"""The content of a report, before it is written as Markdown, LaTeX or a page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rlq.ablation.rows import Row, scores_of
from rlq.ablation.table import Variant
from rlq.core.scores import ScoreTable
from rlq.report.statistics import Gap, Spread

Key = tuple[str, str]  # protocol and key of a score


@dataclass(frozen=True)
class ReportOptions:
    """Options that decide which numbers of the rows are shown."""

    which: str = "best"  # epoch: best, last or paper
    seeds: tuple[int, ...] = ()  # empty: all that have been run
    authors_way: bool = False


class Expected(NamedTuple):
    """The experiment that a row would be if it were run now."""

    fingerprint: str
    settings: Mapping[str, Any]  # by dotted name


@dataclass(frozen=True)
class Material:
    """The input of a section: the variants to show, and the finished rows."""

    base: str  # stem of the base experiment; RUNS for runs without a table
    variants: tuple[Variant, ...]
    rows: tuple[Row, ...]
    protocols: tuple[str, ...]
    seeds: tuple[int, ...]  # that every row should have
    reference: str | None  # the row that the others are compared with
    how_to_run: str | None = None  # the command that runs rows, to which --only and --seeds are added
    expected: Mapping[tuple[str, int], Expected] = field(default_factory=dict)  # by row and seed

    @property
    def scores(self) -> ScoreTable:
        """The scores of the rows' methods. Raises DataError for methods with different scores."""
        return scores_of(self.rows)


@dataclass(frozen=True)
class Comparison:
    """One score of one row and its difference to the reference row, as measured; None where it is not known."""

    spread: Spread | None = None
    best_two: float | None = None  # the authors' way
    difference: float | None = None  # to the reference row
    gap: Gap | None = None  # the same with its interval, where both rows have numbers of the same queries
    seed_error: float | None = None  # standard error of the difference over seeds
    clear: bool = False  # whether the difference exceeds the noise that can be measured


@dataclass(frozen=True)
class Line:
    """One row of a table."""

    name: str
    rows: Mapping[int, Row]  # the finished ones by seed
    missing: tuple[int, ...]  # seeds
    scores: Mapping[Key, Comparison]
    published: Mapping[str, Mapping[str, tuple[float, ...]]]  # data set -> protocol -> shown scores, as in the paper


@dataclass(frozen=True)
class Section:
    """The table on one base."""

    base: str
    dataset: str
    scores: ScoreTable
    reference: str | None
    protocols: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]  # how to read it
    warnings: tuple[str, ...]  # what makes its rows hard to compare

    @property
    def folders(self) -> dict[str, str]:
        """Row -> run folder of its first seed, of the rows that were run."""
        return {line.name: line.rows[min(line.rows)].folder for line in self.lines if line.rows}


@dataclass(frozen=True)
class Drawing:
    """A figure of a report, drawn from the runs of one section."""

    base: str
    name: str  # of its file, without .png
    title: str
    png: bytes
    numbers: Mapping[str, Any]
    text: str  # the numbers as a Markdown table
    note: str


@dataclass(frozen=True)
class Report:
    """A whole report."""

    name: str  # of files
    title: str
    command: str  # that makes this report again
    sections: tuple[Section, ...]
    drawings: tuple[Drawing, ...] = ()
    remarks: tuple[str, ...] = ()  # about the report as a whole, such as figures that could not be drawn
