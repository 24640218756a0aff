"""A section as columns and cells of text, which Markdown, LaTeX and the page only have to draw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rlq.core.text import mean_and_sd, percent
from rlq.report.content import METRICS, Line, Score, Section

NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """One column; columns of one group stand side by side."""

    group: str
    title: str
    quiet: bool = False  # of other data: there to compare orders, not numbers


@dataclass(frozen=True)
class Cell:
    """One cell. `text` has plain signs: ASCII minus, ± between mean and deviation."""

    text: str
    aside: str = ""  # follows the text where there is room
    value: float | None = None  # what a column is sorted by
    strong: bool = False  # best of its column
    faint: bool = False  # not clear of noise
    hint: str = ""  # spelled out, for where a pointer can ask


@dataclass(frozen=True)
class Grid:
    """All columns but the rows' names, and for every row its name and cells."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def grid(section: Section) -> Grid:
    """Seeds; per protocol the numbers, the authors' way where asked for, the differences; then what was published."""
    lines = section.lines
    columns = [(Column("", "seeds"), [_seeds(line) for line in lines])]
    for protocol in section.protocols:
        for metric, title in METRICS.items():
            columns.append(
                (Column(protocol, title), _best_strong([_mean(line.scores[protocol, metric]) for line in lines]))
            )
        for metric, title in METRICS.items():
            authors = [_best_two(line.scores[protocol, metric]) for line in lines]
            if any(cell.value is not None for cell in authors):
                columns.append((Column(f"{protocol} best two", title), _best_strong(authors)))
        for metric, title in METRICS.items():
            apart = [_difference(line.scores[protocol, metric]) for line in lines]
            if any(cell.value is not None for cell in apart):
                columns.append((Column(f"{protocol} against {section.reference}", title), apart))
    columns += _published(section)
    return Grid(
        tuple(column for column, _ in columns),
        tuple((line.name, tuple(cells[i] for _, cells in columns)) for i, line in enumerate(lines)),
    )


def signed(fraction: float) -> str:
    """Percent points with their sign; what rounds to nothing has none.

    >>> signed(0.0123), signed(-0.0004)
    ('+1.2', '0.0')
    """
    text = f"{100 * fraction:+.1f}"
    return "0.0" if float(text) == 0 else text


def _seeds(line: Line) -> Cell:
    count = len(line.found)
    return Cell(str(count), value=count, hint=f"seeds {', '.join(map(str, line.found))}" if count else "not run yet")


def _mean(score: Score) -> Cell:
    found = score.spread
    if found is None:
        return Cell(NOTHING)
    hint = "one seed" if found.sd is None else f"mean ± standard deviation of {found.seeds} seeds"
    return Cell(mean_and_sd(found.mean, found.sd), value=found.mean, hint=hint)


def _best_two(score: Score) -> Cell:
    if score.best_two is None:
        return Cell(NOTHING)
    return Cell(percent(score.best_two), value=score.best_two, hint="mean of the two seeds with the best rank-1")


def _difference(score: Score) -> Cell:
    if score.difference is None:
        return Cell(NOTHING)
    gap = score.gap
    if gap is None:
        hint = "of the means, without an interval"
        return Cell(signed(score.difference), value=score.difference, faint=not score.clear, hint=hint)
    text, aside = f"{signed(gap.difference)} [{signed(gap.low)}, {signed(gap.high)}]", f"({percent(gap.other_sign)})"
    seeds = "" if score.seed_error is None else f"; standard error over seeds {percent(score.seed_error)}"
    hint = (
        f"95 % interval over {gap.queries} queries; {percent(gap.other_sign)} % of resamples of the other sign{seeds}"
    )
    return Cell(text, aside, value=gap.difference, faint=not score.clear, hint=hint)


def _best_strong(cells: Sequence[Cell]) -> list[Cell]:
    """The highest numbers strong, all that print alike; nothing where there is no choice."""
    there = [cell.value for cell in cells if cell.value is not None]
    if len(there) < 2:
        return list(cells)
    best = percent(max(there))
    return [replace(cell, strong=cell.value is not None and percent(cell.value) == best) for cell in cells]


def _published(section: Section) -> list[tuple[Column, list[Cell]]]:
    """The paper's numbers: on this data set, or else on its own ones, which only the order can be compared with."""
    names = {name for line in section.lines for name in line.published}
    same = section.dataset in names
    columns = []
    for name in [section.dataset] if same else sorted(names):
        for protocol in section.protocols:
            for position, title in enumerate(METRICS.values()):
                cells = [_from_paper(line, name, protocol, position) for line in section.lines]
                if any(cell.value is not None for cell in cells):
                    group = f"{protocol} published" + ("" if same else f" ({name})")
                    columns.append((Column(group, title, quiet=not same), cells))
    return columns


def _from_paper(line: Line, dataset: str, protocol: str, position: int) -> Cell:
    found = line.published.get(dataset, {}).get(protocol)
    return Cell(f"{found[position]:.1f}", value=found[position] / 100) if found else Cell(NOTHING)
