r"""A report's tables for LaTeX: \input them into a document that uses the package booktabs."""

from itertools import groupby

from rlq.report.cells import Cell, Grid, grid
from rlq.report.content import Report, Section

SIGNS = {  # what has a meaning in LaTeX or is not in its standard fonts -> what prints it
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
    """One table environment per section; its notes and warnings as comments, for whoever writes the caption."""
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
    """One section; best in bold, what is not clear of noise in italics. Published numbers of other data are left to
    the other formats: a page of a paper has no room for them."""
    whole = grid(section)
    kept = [i for i, column in enumerate(whole.columns) if not column.quiet]
    found = Grid(
        tuple(whole.columns[i] for i in kept),
        tuple((name, tuple(cells[i] for i in kept)) for name, cells in whole.rows),
    )
    notes = [f"careful: {warning}" for warning in section.warnings] + list(section.notes)
    caption = escaped(f"{report.title}; {section.base}, data set {section.dataset}")
    return "\n".join(
        [
            "",
            *(_one_line(f"% {note}") for note in notes),
            r"\begin{table}",
            r"\centering" + (r"\footnotesize" if len(found.columns) < 8 else r"\scriptsize"),
            r"\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{caption}}}",
            r"\makebox[\linewidth][c]{%",  # a wide table goes into both margins alike
            rf"\begin{{tabular}}{{l{'r' * len(found.columns)}}}",
            r"\toprule",
            *_header(found),
            r"\midrule",
            *(" & ".join([escaped(name), *map(_cell, cells)]) + r" \\" for name, cells in found.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Text as LaTeX prints it.

    >>> escaped("SS_MSE [NT] & 8%")
    'SS\\\\_MSE {[}NT{]} \\\\& 8\\\\%'
    """
    return "".join(SIGNS.get(sign, sign) for sign in text)


def _header(found: Grid) -> list[str]:
    """Groups over their columns, with a rule under each, then the columns' titles."""
    groups, rules, at = [""], [], 2  # the first column holds the rows' names
    for name, columns in groupby(found.columns, key=lambda column: column.group):
        width = len(list(columns))
        groups.append(rf"\multicolumn{{{width}}}{{c}}{{{escaped(name)}}}" if name else " & ".join([""] * width))
        if name:
            rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    titles = ["", *(escaped(column.title) for column in found.columns)]
    return [" & ".join(groups) + r" \\", "".join(rules), " & ".join(titles) + r" \\"]


def _cell(cell: Cell) -> str:
    sign = "$-$" if cell.text.startswith("-") and cell.value is not None else ""
    text = escaped(cell.text.removeprefix("-") if sign else cell.text).replace("{[}-", "{[}$-$").replace(", -", ", $-$")
    text = sign + text
    return rf"\textbf{{{text}}}" if cell.strong else rf"\textit{{{text}}}" if cell.faint else text


def _one_line(text: str) -> str:
    """A comment must not run into a second line."""
    return " ".join(text.split())
