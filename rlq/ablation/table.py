"""Table files: base experiments, their variants, and the published numbers of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, StrictInt, model_validator

from rlq.core.config import Settings, validate
from rlq.core.errors import SettingsError
from rlq.core.scores import ScoreTable, united
from rlq.core.yaml_file import read_yaml
from rlq.data.catalogue import CATALOGUE
from rlq.methods.catalogue import METHODS

Published = tuple[Annotated[float, Field(ge=0)], ...]  # one number per shown score of the method, in their order
LONGEST = 120  # bytes of a row's name


class Variant(Settings):
    """One row: what it changes in the base experiment, and the published numbers."""

    name: str
    settings: dict[str, Any] = Field(default_factory=dict)  # by dotted name
    published: dict[str, dict[str, Published]] = Field(default_factory=dict)  # data set -> protocol -> its numbers

    def wrong_numbers(self) -> Iterator[str]:
        """Yield what is wrong with published numbers: each protocol needs the shown scores of a method that has it."""
        for dataset, numbers in self.published.items():
            for protocol, values in numbers.items():
                name = f"published.{dataset}.{protocol}"
                shown = [method.scores.shown for method in METHODS.values() if protocol in method.scores.groups]
                fitting = [scores for scores in shown if len(scores) == len(values)]
                if shown and not fitting:
                    titles = ", ".join(score.title for score in shown[0])
                    yield f"{self.name}: {name} has {len(values)} numbers; expected are {titles}"
                for place, value in enumerate(values):
                    if value > 100 and fitting and all(scores[place].percent for scores in fitting):
                        yield f"{self.name}: {name}.{place} = {value:g}: should be a percentage"


class Table(Settings):
    """A table of arXiv 2505.12580 v1, or a figure that is an experiment; or your own table, which has no number."""

    file: Path
    table: StrictInt | None = None
    figure: str | StrictInt | None = None
    title: str
    bases: dict[str, tuple[str, ...]]  # experiment file, relative to the table's -> protocols that are shown
    protocols: tuple[str, ...] = ()  # that are shown for any other base; none: the first one of its method
    seeds: tuple[Annotated[StrictInt, Field(ge=0)], ...] = (1, 2)
    reference: str | None = None  # the row that the others are compared with; None: the first
    analysis: str | None = None  # of the rows' runs
    rows: tuple[Variant, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        names = [row.name for row in self.rows]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problems.append(f"names of rows should be unique; given twice: {', '.join(twice)}")
        slugs = [slug(name) for name in names]
        long = [name for name in slugs if len(name.encode()) > LONGEST]
        problems += [f"{name[:20]}... is too long for the name of a row, which names its file" for name in long]
        alike = [name for name in names if slugs.count(slug(name)) > 1 and name not in twice]
        if alike:
            problems.append(f"names of rows that differ only in signs: {', '.join(alike)}")
        if self.reference is not None and self.reference not in names:
            problems.append(f"reference = {self.reference}: there is no such row; the rows are {', '.join(names)}")
        if not self.bases:
            problems.append("bases names no experiment")
        groups = united(method.scores for method in METHODS.values()).groups
        shown = {*self.protocols, *(protocol for protocols in self.bases.values() for protocol in protocols)}
        unknown = sorted(shown - set(groups))
        problems += [f"{protocol} is no protocol; known: {', '.join(groups)}" for protocol in unknown]
        problems += [problem for row in self.rows for problem in row.wrong_numbers()]
        datasets = sorted({name for row in self.rows for name in row.published} - set(CATALOGUE))
        if datasets:
            problems.append(f"published numbers of unknown data sets: {', '.join(datasets)}")
        if not self.seeds:
            problems.append("seeds is empty")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def name(self) -> str:
        """The name in files and tags: the file's stem."""
        return self.file.stem

    def base_files(self) -> list[Path]:
        """The experiments that the rows are variants of."""
        return [(self.file.parent / base).resolve() for base in self.bases]

    def shown(self, base: Path, scores: ScoreTable) -> tuple[str, ...]:
        """Return the protocols that are shown of rows on a base, whose method has these scores."""
        listed = {(self.file.parent / name).resolve(): protocols for name, protocols in self.bases.items()}
        return listed.get(base.resolve(), self.protocols or scores.groups[:1])

    def row(self, name: str) -> Variant:
        """Return a row by its name. Raises SettingsError that lists the rows."""
        for row in self.rows:
            if name in (row.name, slug(row.name)):
                return row
        raise SettingsError(f"{self.file} has no row {name}; it has {', '.join(row.name for row in self.rows)}")


def read_table_file(path: Path) -> Table:
    """Read a table file. Raises SettingsError with every mistake."""
    tree = read_yaml(path)
    if "file" in tree:
        raise SettingsError(f"{path}: unknown setting file; a table has the name of its file")
    table = validate(Table, {**tree, "file": path}, str(path))
    missing = [str(base) for base in table.base_files() if not base.is_file()]
    if missing:
        raise SettingsError(f"{path}: there is no such base: {', '.join(missing)}")
    return table


def slug(name: str) -> str:
    """Return a row's name as part of a file name: "BM + G" -> bm-g."""
    words = "".join(c.lower() if c.isalnum() or c == "." else " " for c in name).split()
    return "-".join(words)
