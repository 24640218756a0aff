"""Text for people: suggestions, shortened lists, numbers and tables. Only the standard library is loaded."""

import difflib
from collections.abc import Iterable, Sequence

SIMILAR = 0.5  # similarity from which a known word is suggested, from 0 to 1


def nearest(word: str, known: Iterable[str], *, similar: float = SIMILAR) -> str | None:
    """Return the known word that is most similar to `word`, or None. Case is ignored, and - equals _."""
    plain = {_plain(candidate): candidate for candidate in known}
    names = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=similar)
    return plain[names[0]] if names else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known word, or "" if no known word is similar.

    >>> did_you_mean("optim.lrr", ["optim.lr", "seed"])
    'did you mean optim.lr?'
    """
    name = nearest(word, known)
    return f"did you mean {name}?" if name else ""


def listed(items: Iterable[object], most: int, separator: str = ", ") -> str:
    """Join at most `most` items and count the others.

    >>> listed(range(5), 3)
    '0, 1, 2 and 2 more'
    """
    texts = [str(item) for item in items]
    rest = len(texts) - most
    return separator.join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def lines_of(items: Iterable[object], most: int) -> list[str]:
    """Return at most `most` items as indented lines, and one line that counts the others."""
    texts = [str(item) for item in items]
    rest = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return [f"  {text}" for text in texts[:most] + rest]


def percent(fraction: float | None) -> str:
    """Return a fraction as percent with one decimal; "-" for None."""
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def mean_and_sd(mean: float | None, sd: float | None) -> str:
    """Return a mean and its standard deviation, both fractions, in percent; without a deviation the mean alone.

    >>> mean_and_sd(0.4567, 0.0123), mean_and_sd(0.5, None), mean_and_sd(None, None)
    ('45.7 ± 1.2', '50.0', '-')
    """
    return percent(mean) if mean is None or sd is None else f"{percent(mean)} ± {percent(sd)}"


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str]) -> str:
    """Return a table for a screen: the first column is aligned to the left, the others to the right."""
    to_right = [False] + [True] * (len(header) - 1)
    widths = _widths([header, *rows])
    lines = ["  ".join(_padded(row, widths, to_right)).rstrip() for row in (header, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def markdown(rows: Sequence[Sequence[str]], header: Sequence[str], *, to_right: Sequence[bool] | None = None) -> str:
    """Return a Markdown table whose source is aligned too.

    `to_right` has an entry per column: whether it is aligned to the right. By default all but the first are.
    """
    to_right = [False] + [True] * (len(header) - 1) if to_right is None else to_right
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(3, width) for width in _widths(cells)]
    rule = ["-" * (width - 1) + ("-:"[right]) for width, right in zip(widths, to_right, strict=True)]
    lines = [f"| {' | '.join(_padded(row, widths, to_right))} |" for row in cells]
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]


def _padded(row: Sequence[str], widths: Sequence[int], to_right: Sequence[bool]) -> list[str]:
    """Return the cells of one row, each as wide as its column."""
    cells = zip(row, widths, to_right, strict=True)
    return [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells]
