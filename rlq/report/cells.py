"""A section as columns and cells of text, from which the writers of Markdown, LaTeX and the page make tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rlq.core.scores import Score
from rlq.core.text import percent
from rlq.report.content import Comparison, Line, Section

NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """One column; columns of one group are side by side."""

    group: str
    title: str
    quiet: bool = False  # of other data: compare the order of the rows, not the numbers
    higher: bool = True  # whether the highest number is the best


@dataclass(frozen=True)
class Cell:
    """One cell. `text` has an ASCII minus, and ± between mean and deviation."""

    text: str
    aside: str = ""  # after the text, where there is room
    value: float | None = None  # what a column is sorted by
    strong: bool = False  # best of its column
    faint: bool = False  # a difference that does not exceed the noise
    better: bool | None = None  # whether a difference above the noise is for the better; None: no such difference
    hint: str = ""  # the cell in words, for a tooltip


@dataclass(frozen=True)
class Grid:
    """The columns, without that of the rows' names, and for every row its name and cells."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def grid(section: Section) -> Grid:
    """Return a section as a grid.

    Its columns are the seeds; per protocol the scores, the authors' way where it was chosen, and the differences; then
    the published numbers.
    """
    lines = section.lines
    columns = [(Column("", "seeds"), [_seeds(line) for line in lines])]
    for protocol in section.protocols:
        compared = {score: [line.scores[protocol, score.key] for line in lines] for score in section.scores.shown}
        for score, of_lines in compared.items():
            means = [_mean(one, score) for one in of_lines]
            columns.append((_column(protocol, score), _best_strong(means, score)))
        for score, of_lines in compared.items():
            authors = [_best_two(one, score, section.scores.main) for one in of_lines]
            if any(cell.value is not None for cell in authors):
                columns.append((_column(f"{protocol} best two", score), _best_strong(authors, score)))
        for score, of_lines in compared.items():
            apart = [_difference(one, score) for one in of_lines]
            if any(cell.value is not None for cell in apart):
                columns.append((_column(f"{protocol} against {section.reference}", score), apart))
    columns += _published(section)
    return Grid(
        tuple(column for column, _ in columns),
        tuple((line.name, tuple(cells[i] for _, cells in columns)) for i, line in enumerate(lines)),
    )


def _column(group: str, score: Score, *, quiet: bool = False) -> Column:
    return Column(group, score.title, quiet, score.higher)


def _seeds(line: Line) -> Cell:
    count = len(line.rows)
    return Cell(str(count), value=count, hint=f"seeds {', '.join(map(str, line.rows))}" if count else "not run yet")


def _mean(compared: Comparison, score: Score) -> Cell:
    spread = compared.spread
    if spread is None:
        return Cell(NOTHING)
    hint = "one seed" if spread.sd is None else f"mean ± standard deviation of {spread.seeds} seeds"
    return Cell(score.text(spread.mean, spread.sd), value=spread.mean, hint=hint)


def _best_two(compared: Comparison, score: Score, main: Score) -> Cell:
    mean = compared.best_two
    if mean is None:
        return Cell(NOTHING)
    return Cell(score.text(mean), value=mean, hint=f"mean of the two seeds with the best {main.title}")


def _difference(compared: Comparison, score: Score) -> Cell:
    difference, gap = compared.difference, compared.gap
    if difference is None:
        return Cell(NOTHING)
    text, aside, hint = score.signed(difference), "", "of the means, without an interval"
    if gap is not None:
        text += f" [{score.signed(gap.low)}, {score.signed(gap.high)}]"
        aside = f"({percent(gap.other_sign)})"
        hint = f"95 % interval over {gap.queries} queries; {percent(gap.other_sign)} % of resamples of the other sign"
        if compared.seed_error is not None:
            hint += f"; standard error over seeds {score.text(compared.seed_error)}"
    better = (difference > 0) == score.higher if compared.clear and text[0] in "+-" else None
    return Cell(text, aside, value=difference, faint=not compared.clear, better=better, hint=hint)


def _best_strong(cells: Sequence[Cell], score: Score) -> list[Cell]:
    """Mark the best number, and all that are printed like it; nothing where there is only one number."""
    values = [cell.value for cell in cells if cell.value is not None]
    if len(values) < 2:
        return list(cells)
    best = score.text(score.best(values))
    return [replace(cell, strong=cell.value is not None and score.text(cell.value) == best) for cell in cells]


def _published(section: Section) -> list[tuple[Column, list[Cell]]]:
    """Return the columns of the paper's numbers on this data set, or else on all data sets that it has numbers of."""
    lines = section.lines
    names = {name for line in lines for name in line.published}
    same = section.dataset in names
    columns = []
    for name in [section.dataset] if same else sorted(names):
        for protocol in section.protocols:
            for position, score in enumerate(section.scores.shown):
                cells = [_from_paper(line.published.get(name, {}).get(protocol, ()), position, score) for line in lines]
                if any(cell.value is not None for cell in cells):
                    group = f"{protocol} published" + ("" if same else f" ({name})")
                    columns.append((_column(group, score, quiet=not same), cells))
    return columns


def _from_paper(numbers: Sequence[float], position: int, score: Score) -> Cell:
    if position >= len(numbers):
        return Cell(NOTHING)
    number = numbers[position]
    return Cell(score.published(number), value=number / 100 if score.percent else number)
