"""The notes under a table: what its numbers are, how to read them, and what is missing."""

from collections.abc import Iterator, Sequence

from rlq.ablation.rows import Row
from rlq.core.scores import ScoreTable
from rlq.report.content import Line, Material, ReportOptions

WHICH = {
    "best": "the epoch with the best {select}, all numbers of that one epoch",
    "last": "the last epoch",
    "paper": "each number's own best epoch, which flatters: {titles} may come from {count} epochs",
}


def section_notes(
    material: Material, scores: ScoreTable, lines: Sequence[Line], reference: str | None, options: ReportOptions
) -> list[str]:
    """Return the notes of a section, as sentences without any markup."""
    rows = [row for line in lines for row in line.rows.values()]
    notes = [_on_selection(rows, scores, options), _on_spread(lines)]
    if options.authors_way:
        notes.append(
            f"Best two: the mean of the two seeds with the best {scores.main.title}, as the authors report; of more "
            f"than two seeds it is {'higher' if scores.main.higher else 'lower'} than the mean by construction."
        )
    notes += _on_differences(material, lines, reference, options)
    notes += _on_published(lines, rows[0].dataset)
    fingerprints = sorted({row.data_fingerprint for row in rows})
    notes.append(f"Data: {rows[0].dataset}, fingerprint {', '.join(fingerprints)}.")
    return [*notes, *_on_missing(lines, material.how_to_run)]


def _on_selection(rows: Sequence[Row], scores: ScoreTable, options: ReportOptions) -> str:
    """Say which epoch is shown, and on which people it was chosen."""
    selects = sorted({str(row.settings.get("schedule.select", scores.default_metric)) for row in rows})
    titles, unit = list(scores.titles.values()), scores.percent_note
    which = WHICH[options.which].format(
        select=" or ".join(selects), titles=" and ".join(titles), count={2: "two"}.get(len(titles), "different")
    )
    numbers = "Numbers" + (", in percent" if unit == "percent" else f", {unit}" if unit else "")
    if options.which == "last":
        return f"{numbers}: {which}, on the test set (last/...)."
    places: dict[tuple[str, ...], str] = {
        ("test",): f"the test set itself, as the paper chooses ({options.which}/...)",
        ("holdout",): "held-out training people, then measured on the test set (test/...)",
    }
    place = places.get(tuple(sorted({row.selection for row in rows})), "the test set or held-out people")
    return f"{numbers}: {which}, chosen on {place}."


def _on_spread(lines: Sequence[Line]) -> str:
    counts = sorted({len(line.rows) for line in lines if line.rows})
    if counts[-1] == 1:
        return "One seed each: the spread over seeds is not known."
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    return f"Mean ± standard deviation (n - 1) over {seeds} seeds."


def _on_differences(
    material: Material, lines: Sequence[Line], reference: str | None, options: ReportOptions
) -> Iterator[str]:
    compared = [score for line in lines for score in line.scores.values()]
    if any(score.gap for score in compared):
        yield (
            f"Difference to {reference}: 95 % interval of a paired bootstrap over the queries, and in round brackets "
            f"the percentage of resamples with the other sign. Grey or italic: the interval contains zero, or the "
            f"difference is below two standard errors of the seeds. The interval does not cover other seeds or other "
            f"people."
        )
    elif any(score.difference is not None for score in compared):
        reason = "no queries were kept" if options.which == "best" else "queries are kept of the best epoch only"
        yield (
            f"Difference to {reference}: of the means, without an interval ({reason}). Grey or italic: below two "
            f"standard errors of the seeds, or of a single seed."
        )
    elif material.reference and not reference:
        yield f"No differences: the reference row {material.reference} has not been run."


def _on_published(lines: Sequence[Line], dataset: str) -> Iterator[str]:
    others = sorted({name for line in lines for name in line.published} - {dataset})
    if others and not any(dataset in line.published for line in lines):
        yield f"Published numbers are of {', '.join(others)}: other data, so compare only the order of the rows."


def _on_missing(lines: Sequence[Line], how_to_run: str | None) -> Iterator[str]:
    """Yield one line for all rows that lack the same seeds."""
    lacking: dict[tuple[int, ...], list[str]] = {}
    for line in lines:
        if line.missing:
            lacking.setdefault(line.missing, []).append(line.name)
    for seeds, names in lacking.items():
        note = f"Missing: {', '.join(names)}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}."
        if how_to_run:
            only = "" if len(names) == len(lines) else "".join(f' --only "{name}"' for name in names)
            note += f" Run them: {how_to_run}{only} --seeds {','.join(map(str, seeds))}"
        yield note
