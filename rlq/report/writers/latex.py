r"""A report's tables for LaTeX: \input them into a document that uses the package booktabs."""

from itertools import groupby

from rlq.report.cells import Cell, Grid, grid
from rlq.report.content import Report, Section

SIGNS = {  # characters with a meaning in LaTeX or outside its standard fonts -> LaTeX that prints them
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # after a \\ it would start an option
    "]": "{]}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "Δ": r"$\Delta$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
}


def tables(report: Report) -> str:
    """Return one table environment per section, with its notes and warnings as comments for the caption."""
    head = [
        f"% {line}"
        for line in (
            report.title,
            *([report.command] if report.command else []),
            r"needs \usepackage{booktabs}",
        )
    ]
    return "\n".join([*map(_one_line, head), *(table(report, section) for section in report.sections)])


def table(report: Report, section: Section) -> str:
    """Return the table of one section: the best in bold, differences that do not exceed the noise in italics.

    Published numbers of other data are left out, because a page of a paper has no room for them.
    """
    every = grid(section)
    shown = [i for i, column in enumerate(every.columns) if not column.quiet]
    columns = tuple(every.columns[i] for i in shown)
    whole = Grid(columns, tuple((name, tuple(cells[i] for i in shown)) for name, cells in every.rows))
    notes = [f"careful: {warning}" for warning in section.warnings] + list(section.notes)
    caption = escaped(f"{report.title}; {section.base}, data set {section.dataset}")
    return "\n".join(
        [
            "",
            *(_one_line(f"% {note}") for note in notes),
            r"\begin{table}",
            r"\centering" + (r"\footnotesize" if len(whole.columns) < 8 else r"\scriptsize"),
            r"\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{caption}}}",
            r"\makebox[\linewidth][c]{%",  # a wide table goes into both margins alike
            rf"\begin{{tabular}}{{l{'r' * len(whole.columns)}}}",
            r"\toprule",
            *_header(whole),
            r"\midrule",
            *(" & ".join([escaped(name), *map(_cell, cells)]) + r" \\" for name, cells in whole.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Escape text for LaTeX.

    >>> escaped("SS_MSE [NT] & 8%")
    'SS\\\\_MSE {[}NT{]} \\\\& 8\\\\%'
    """
    return "".join(SIGNS.get(sign, sign) for sign in text)


def _header(table: Grid) -> list[str]:
    """Return the groups over their columns, with a rule under each, then the titles of the columns."""
    groups, rules, at = [""], [], 2  # the first column holds the rows' names
    for name, columns in groupby(table.columns, key=lambda column: column.group):
        width = len(list(columns))
        groups.append(rf"\multicolumn{{{width}}}{{c}}{{{escaped(name)}}}" if name else " & ".join([""] * width))
        if name:
            rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    titles = ["", *(escaped(column.title) for column in table.columns)]
    return [" & ".join(groups) + r" \\", "".join(rules), " & ".join(titles) + r" \\"]


def _cell(cell: Cell) -> str:
    sign = "$-$" if cell.text.startswith("-") and cell.value is not None else ""
    text = escaped(cell.text.removeprefix("-") if sign else cell.text).replace("{[}-", "{[}$-$").replace(", -", ", $-$")
    text = sign + text
    return rf"\textbf{{{text}}}" if cell.strong else rf"\textit{{{text}}}" if cell.faint else text


def _one_line(text: str) -> str:
    """Join the lines of a comment."""
    return " ".join(text.split())
