"""The table of a section: means over seeds, and differences to the reference row."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rlq.ablation.rows import Row, scores_of
from rlq.core.errors import DataError, RlqError
from rlq.core.scores import Score
from rlq.report.content import Comparison, Line, Material, ReportOptions, Section
from rlq.report.notes import section_notes
from rlq.report.statistics import Spread, best_two, paired_bootstrap, seed_error, spread, stands_out
from rlq.report.warnings import comparability_warnings

Floats = NDArray[np.float64]
PER_QUERY: dict[str, Callable[[NDArray[np.int64], Floats], Floats]] = {
    # key of a score that is a mean over queries -> what each query scores, from its first match and its precision
    "rank1": lambda first_match, precision: (first_match == 1).astype(np.float64),
    "mAP": lambda first_match, precision: precision,
}


def section(material: Material, options: ReportOptions) -> Section:
    """Put the finished rows of one base into a table.

    Raises RlqError for rows of different data sets or of different scores, and for held-out numbers where `options`
    need test numbers.
    """
    by_variant = {variant.name: _by_seed(material.rows, variant.name, options) for variant in material.variants}
    rows = [row for of_variant in by_variant.values() for row in of_variant.values()]
    dataset, scores = _one_dataset(material.base, rows), scores_of(rows)
    _check_which(rows, options.which)
    reference = material.reference if material.reference and by_variant.get(material.reference) else None
    lines = []
    for variant in material.variants:
        ours = by_variant[variant.name]
        theirs = by_variant[reference] if reference not in (None, variant.name) else {}
        compared = {
            (protocol, score.key): _compare(ours, theirs, protocol, score, scores.main, options)
            for protocol in material.protocols
            for score in scores.shown
        }
        missing = tuple(seed for seed in (options.seeds or material.seeds) if seed not in ours)
        lines.append(Line(variant.name, ours, missing, compared, variant.published))
    return Section(
        base=material.base,
        dataset=dataset,
        scores=scores,
        reference=reference,
        protocols=material.protocols,
        lines=tuple(lines),
        notes=tuple(section_notes(material, scores, lines, reference, options)),
        warnings=tuple(comparability_warnings(material, lines)),
    )


def per_query(rows: Mapping[int, Row], protocol: str, key: str) -> tuple[str, Floats] | None:
    """Return the digest of the queries' names, and what each query scores [Q], averaged over seeds.

    A query without a match is nan. None for a score that is no mean over queries, and unless all seeds have numbers
    of the same queries.
    """
    entries = [row.per_query[protocol] for row in rows.values() if protocol in row.per_query]
    complete = len(entries) == len(rows) and len({entry["queries"] for entry in entries}) == 1
    if key not in PER_QUERY or not complete:
        return None
    first = np.array([entry["first_match"] for entry in entries])  # [seeds, Q]
    precision = np.array([entry["ap"] for entry in entries], np.float64)  # [seeds, Q]; None becomes nan
    return entries[0]["queries"], np.where(first > 0, PER_QUERY[key](first, precision), np.nan).mean(axis=0)


def _by_seed(rows: Sequence[Row], name: str, options: ReportOptions) -> dict[int, Row]:
    """Return a variant's rows of the chosen seeds, in the order of the seeds."""
    chosen = [row for row in rows if row.row == name and (not options.seeds or row.seed in options.seeds)]
    return {row.seed: row for row in sorted(chosen, key=lambda row: row.seed)}


def _compare(
    ours: Mapping[int, Row],
    theirs: Mapping[int, Row],
    protocol: str,
    score: Score,
    main: Score,
    options: ReportOptions,
) -> Comparison:
    """Compare one score of a row with that of the reference row, which has no rows where there is no comparison."""

    def values(rows: Mapping[int, Row], key: str) -> dict[int, float]:
        measured = {seed: row.score(protocol, key, options.which) for seed, row in rows.items()}
        return {seed: value for seed, value in measured.items() if value is not None}

    our_values, their_values = values(ours, score.key), values(theirs, score.key)
    if not our_values:
        return Comparison()
    our_spread = spread(list(our_values.values()))
    seeds = best_two(values(ours, main.key), higher=main.higher) if options.authors_way else ()
    best = float(np.mean([our_values[seed] for seed in seeds])) if seeds else None
    if not their_values:
        return Comparison(our_spread, best)
    their_spread = spread(list(their_values.values()))
    queries = None
    if options.which == "best":  # queries are kept of the best epoch only
        queries = _same_queries(per_query(ours, protocol, score.key), per_query(theirs, protocol, score.key))
    return _difference(our_spread, their_spread, best, queries)


def _same_queries(ours: tuple[str, Floats] | None, theirs: tuple[str, Floats] | None) -> tuple[Floats, Floats] | None:
    """Return what each query scores in both rows, [Q] each; None unless both have numbers of the same queries."""
    if ours is None or theirs is None or ours[0] != theirs[0]:
        return None
    return ours[1], theirs[1]


def _difference(ours: Spread, theirs: Spread, best: float | None, queries: tuple[Floats, Floats] | None) -> Comparison:
    """Return the comparison with the difference, and with its interval where there are numbers of each query."""
    error = seed_error(ours, theirs)
    if queries is None:
        difference = ours.mean - theirs.mean
        clear = error is not None and abs(difference) > 2 * error
        return Comparison(ours, best, difference, seed_error=error, clear=clear)
    gap = paired_bootstrap(*queries)
    return Comparison(ours, best, gap.difference, gap, error, stands_out(gap, error))


def _one_dataset(base: str, rows: Sequence[Row]) -> str:
    """Return the rows' data set. Raises DataError for several."""
    names = {row.dataset: row.row for row in rows}
    if len(names) > 1:
        listed = ", ".join(f"{name} ({row})" for name, row in sorted(names.items()))
        raise DataError(f"{base}: rows of different data sets cannot stand in one table: {listed}; report each alone")
    return next(iter(names), "")


def _check_which(rows: Sequence[Row], which: str) -> None:
    """Raise RlqError where the numbers of `which` were measured on held-out people."""
    held_out = sorted({row.row for row in rows if row.selection == "holdout"})
    if which != "best" and held_out:
        raise RlqError(
            f"{', '.join(held_out)} chose the epoch on held-out people, and {which}/... was measured on those only; "
            f"--which best shows the test numbers of the chosen epoch"
        )
