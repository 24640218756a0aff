"""From finished rows to a table: means, differences to the reference row, how to read it, what is missing."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rlq.ablation.rows import Row
from rlq.core.errors import DataError, RlqError
from rlq.report.content import METRICS, Asked, Line, Material, Score, Section
from rlq.report.statistics import best_two, paired_bootstrap, seed_error, spread, stands_out
from rlq.report.warnings import doubts

WHICH = {
    "best": "the epoch with the best {select}, all numbers of that one epoch",
    "last": "the last epoch",
    "paper": "each number's own best epoch, which flatters: rank-1 and mAP may come from two epochs",
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
    for variant in material.wanted:
        mine = dict(sorted(found[variant.name].items()))
        against = found[reference] if reference not in (None, variant.name) else {}
        scores = {
            (protocol, metric): _score(mine, against, protocol, metric, asked)
            for protocol in material.protocols
            for metric in METRICS
        }
        missing = tuple(seed for seed in (asked.seeds or material.seeds) if seed not in mine)
        lines.append(Line(variant.name, mine, missing, scores, variant.published))
    notes, warnings = _notes(material, lines, kept, reference, asked), doubts(material, lines)
    return Section(material.base, dataset, reference, material.protocols, tuple(lines), tuple(notes), tuple(warnings))


def per_query(rows: Mapping[int, Row], protocol: str, metric: str) -> tuple[str, NDArray[np.float64]] | None:
    """The digest of the queries' names and what each query scores [Q], averaged over seeds; nan: it has no match.

    None unless all of the seeds know it, of the same queries.
    """
    entries = [row.per_query[protocol] for row in rows.values() if protocol in row.per_query]
    if not entries or len(entries) < len(rows) or len({entry["queries"] for entry in entries}) > 1:
        return None
    first = np.array([entry["first_match"] for entry in entries])  # [seeds, Q]
    precision = np.array([entry["ap"] for entry in entries], np.float64)  # [seeds, Q]; None becomes nan
    scored = precision if metric == "mAP" else (first == 1).astype(np.float64)
    return entries[0]["queries"], np.where(first > 0, scored, np.nan).mean(axis=0)


def _score(ours: Mapping[int, Row], against: Mapping[int, Row], protocol: str, metric: str, asked: Asked) -> Score:
    def of_seeds(rows: Mapping[int, Row], name: str) -> dict[int, float]:
        found = {seed: row.score(protocol, name, asked.which) for seed, row in rows.items()}
        return {seed: number for seed, number in found.items() if number is not None}

    mine, theirs = of_seeds(ours, metric), of_seeds(against, metric)
    if not mine:
        return Score()
    whole = spread(list(mine.values()))
    chosen = best_two(of_seeds(ours, "rank1"))
    authors = float(np.mean([mine[seed] for seed in chosen])) if asked.authors_way else None
    if not theirs:
        return Score(whole, authors)
    other = spread(list(theirs.values()))
    error = seed_error(whole, other)
    one, another = per_query(ours, protocol, metric), per_query(against, protocol, metric)
    # queries are kept of the best epoch only
    if asked.which != "best" or one is None or another is None or one[0] != another[0]:
        apart = whole.mean - other.mean
        return Score(whole, authors, apart, seed_error=error, clear=error is not None and abs(apart) > 2 * error)
    gap = paired_bootstrap(one[1], another[1])
    return Score(whole, authors, gap.difference, gap, error, stands_out(gap, error))


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
    material: Material, lines: Sequence[Line], rows: Sequence[Row], reference: str | None, asked: Asked
) -> list[str]:
    notes = [_selection_note(rows, asked)]
    counts = sorted({len(line.found) for line in lines if line.found})
    several = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else f"{counts[0]} seed{'s' * (counts[0] > 1)}"
    notes.append(
        f"Mean ± standard deviation (n - 1) over {several}."
        if counts[-1] > 1
        else "One seed each: how far seeds lie apart is not known."
    )
    if asked.authors_way:
        notes.append(
            "Best two: the mean of the two seeds with the best rank-1, as the authors report; of more than two seeds "
            "it is higher than the mean by construction."
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


def _selection_note(rows: Sequence[Row], asked: Asked) -> str:
    selects = sorted({str(row.settings.get("schedule.select", "CC/rank1")) for row in rows})
    which = WHICH[asked.which].format(select=" or ".join(selects))
    chosen = {row.selection for row in rows}
    if asked.which == "last":
        return f"Numbers, in percent: {which}, on the test set (last/...)."
    where: dict[tuple[str, ...], str] = {
        ("test",): f"the test set itself, as the paper chooses ({asked.which}/...)",
        ("holdout",): "held-out training people, then measured on the test set (test/...)",
    }
    told = where.get(tuple(sorted(chosen)), "the test set or held-out people")
    return f"Numbers, in percent: {which}, chosen on {told}."


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
