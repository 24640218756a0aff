"""From finished rows to a table: means, differences to the reference row, how to read it, what is missing."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rlq.ablation.rows import Row, scores_of
from rlq.core.errors import DataError, RlqError
from rlq.core.scores import Score, ScoreTable
from rlq.report.content import Asked, Comparison, Line, Material, Section
from rlq.report.statistics import best_two, paired_bootstrap, seed_error, spread, stands_out
from rlq.report.warnings import doubts

WHICH = {
    "best": "the epoch with the best {select}, all numbers of that one epoch",
    "last": "the last epoch",
    "paper": "each number's own best epoch, which flatters: {titles} may come from {count} epochs",
}
OF_QUERIES = {  # key of a score that is a mean over queries -> each query's part, of its first match and precision
    "rank1": lambda first, precision: (first == 1).astype(np.float64),
    "mAP": lambda first, precision: precision,
}


def section(material: Material, asked: Asked) -> Section:
    """Put the finished rows of one base into a table.

    Raises RlqError for rows of different data sets, or whose numbers answer another question than `asked`.
    """
    found = {
        variant.name: {row.seed: row for row in material.rows if row.row == variant.name and _chosen(row.seed, asked)}
        for variant in material.wanted
    }
    kept = [row for of_row in found.values() for row in of_row.values()]
    dataset = _one_dataset(material.base, kept)
    _check_which(kept, asked.which)
    reference = material.reference if material.reference and found.get(material.reference) else None
    lines = []
    table = scores_of(kept)
    for variant in material.wanted:
        mine = dict(sorted(found[variant.name].items()))
        against = found[reference] if reference not in (None, variant.name) else {}
        scores = {
            (protocol, score.key): _compare(mine, against, protocol, score, table, asked)
            for protocol in material.protocols
            for score in table.shown
        }
        missing = tuple(seed for seed in (asked.seeds or material.seeds) if seed not in mine)
        lines.append(Line(variant.name, mine, missing, scores, variant.published))
    notes, warnings = _notes(material, table, lines, kept, reference, asked), doubts(material, lines)
    return Section(
        material.base, dataset, table, reference, material.protocols, tuple(lines), tuple(notes), tuple(warnings)
    )


def per_query(rows: Mapping[int, Row], protocol: str, key: str) -> tuple[str, NDArray[np.float64]] | None:
    """The digest of the queries' names and what each query scores [Q], averaged over seeds; nan: it has no match.

    None unless all of the seeds have kept it of the same queries, and for scores that are no mean over queries.
    """
    entries = [row.per_query[protocol] for row in rows.values() if protocol in row.per_query]
    if (
        key not in OF_QUERIES
        or not entries
        or len(entries) < len(rows)
        or len({entry["queries"] for entry in entries}) > 1
    ):
        return None
    first = np.array([entry["first_match"] for entry in entries])  # [seeds, Q]
    precision = np.array([entry["ap"] for entry in entries], np.float64)  # [seeds, Q]; None becomes nan
    return entries[0]["queries"], np.where(first > 0, OF_QUERIES[key](first, precision), np.nan).mean(axis=0)


def _compare(
    ours: Mapping[int, Row], against: Mapping[int, Row], protocol: str, score: Score, table: ScoreTable, asked: Asked
) -> Comparison:
    def of_seeds(rows: Mapping[int, Row], name: str) -> dict[int, float]:
        found = {seed: row.score(protocol, name, asked.which) for seed, row in rows.items()}
        return {seed: number for seed, number in found.items() if number is not None}

    mine, theirs = of_seeds(ours, score.key), of_seeds(against, score.key)
    if not mine:
        return Comparison()
    whole = spread(list(mine.values()))
    chosen = best_two(of_seeds(ours, table.main.key), higher=table.main.higher) if asked.authors_way else ()
    authors = float(np.mean([mine[seed] for seed in chosen])) if chosen else None
    if not theirs:
        return Comparison(whole, authors)
    other = spread(list(theirs.values()))
    error = seed_error(whole, other)
    one, another = per_query(ours, protocol, score.key), per_query(against, protocol, score.key)
    # queries are kept of the best epoch only
    if asked.which != "best" or one is None or another is None or one[0] != another[0]:
        apart = whole.mean - other.mean
        return Comparison(whole, authors, apart, seed_error=error, clear=error is not None and abs(apart) > 2 * error)
    gap = paired_bootstrap(one[1], another[1])
    return Comparison(whole, authors, gap.difference, gap, error, stands_out(gap, error))


def _chosen(seed: int, asked: Asked) -> bool:
    return not asked.seeds or seed in asked.seeds


def _one_dataset(base: str, rows: Sequence[Row]) -> str:
    of = {row.dataset: row.row for row in rows}
    if len(of) > 1:
        listed = ", ".join(f"{name} ({row})" for name, row in sorted(of.items()))
        raise DataError(f"{base}: rows of different data sets cannot stand in one table: {listed}; report each alone")
    return next(iter(of), "")


def _check_which(rows: Sequence[Row], which: str) -> None:
    held_out = sorted({row.row for row in rows if row.selection == "holdout"})
    if which != "best" and held_out:
        raise RlqError(
            f"{', '.join(held_out)} chose on held-out people, and {which}/... was measured on those only; "
            f"--which best takes the test numbers of the epoch that they chose"
        )


def _notes(
    material: Material,
    table: ScoreTable,
    lines: Sequence[Line],
    rows: Sequence[Row],
    reference: str | None,
    asked: Asked,
) -> list[str]:
    notes = [_selection_note(rows, table, asked)]
    counts = sorted({len(line.found) for line in lines if line.found})
    several = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else f"{counts[0]} seed{'s' * (counts[0] > 1)}"
    notes.append(
        f"Mean ± standard deviation (n - 1) over {several}."
        if counts[-1] > 1
        else "One seed each: how far seeds lie apart is not known."
    )
    if asked.authors_way:
        notes.append(
            f"Best two: the mean of the two seeds with the best {table.main.title}, as the authors report; of more "
            f"than two seeds it is {'higher' if table.main.higher else 'lower'} than the mean by construction."
        )
    scores = [score for line in lines for score in line.scores.values()]
    if any(score.gap for score in scores):
        notes.append(
            f"Difference to {reference}: 95 % interval of a paired bootstrap over the queries, and in round brackets "
            f"the percentage of resamples with the other sign. Grey or italic: the interval holds zero, or the "
            f"difference is below two standard errors of the seeds. The interval knows nothing of other seeds or "
            f"other people."
        )
    elif any(score.difference is not None for score in scores):
        why = "no queries were kept" if asked.which == "best" else "queries are kept of the best epoch only"
        notes.append(
            f"Difference to {reference}: of the means, without an interval ({why}). Grey or italic: below two standard "
            f"errors of the seeds, or of a single seed."
        )
    elif material.reference and not reference:
        notes.append(f"No differences: the row {material.reference} that they would be taken to has not been run.")
    elsewhere = sorted({name for line in lines for name in line.published} - {row.dataset for row in rows})
    if elsewhere and not any(rows[0].dataset in line.published for line in lines):
        notes.append(f"Published numbers are of {', '.join(elsewhere)}: other data; only the order of rows compares.")
    prints = sorted({row.data_fingerprint for row in rows})
    notes.append(f"Data: {rows[0].dataset}, fingerprint {', '.join(prints)}.")
    return notes + _missing_notes(lines, material.how_to_run)


def _selection_note(rows: Sequence[Row], table: ScoreTable, asked: Asked) -> str:
    selects = sorted({str(row.settings.get("schedule.select", table.default_metric)) for row in rows})
    titles = list(table.titles.values())
    which = WHICH[asked.which].format(
        select=" or ".join(selects), titles=" and ".join(titles), count={2: "two"}.get(len(titles), "different")
    )
    note = table.percent_note
    numbers = "Numbers" + (", in percent" if note == "percent" else f", {note}" if note else "")
    chosen = {row.selection for row in rows}
    if asked.which == "last":
        return f"{numbers}: {which}, on the test set (last/...)."
    where: dict[tuple[str, ...], str] = {
        ("test",): f"the test set itself, as the paper chooses ({asked.which}/...)",
        ("holdout",): "held-out training people, then measured on the test set (test/...)",
    }
    told = where.get(tuple(sorted(chosen)), "the test set or held-out people")
    return f"{numbers}: {which}, chosen on {told}."


def _missing_notes(lines: Sequence[Line], how_to_run: str | None) -> list[str]:
    """One line for all rows that lack the same seeds."""
    lacking: dict[tuple[int, ...], list[str]] = {}
    for line in lines:
        if line.missing:
            lacking.setdefault(line.missing, []).append(line.name)
    notes = []
    for seeds, names in lacking.items():
        told = f"Missing: {', '.join(names)}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}."
        if how_to_run:
            only = "" if len(names) == len(lines) else "".join(f' --only "{name}"' for name in names)
            told += f" Run them: {how_to_run}{only} --seeds {','.join(map(str, seeds))}"
        notes.append(told)
    return notes
