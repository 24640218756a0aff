"""Warnings about rows that are hard to compare: other data, other code, settings that no row names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rlq.ablation.rows import Row
from rlq.core.settings import is_place
from rlq.core.text import listed
from rlq.report.content import Line, Material

SHOWN = 5  # settings per warning
NO_SHAPE = ("seed", "variant", "tad.external_root")  # settings that make no other experiment


def comparability_warnings(material: Material, lines: Sequence[Line]) -> list[str]:
    """Return warnings for the reader of a table; none when all rows can be compared."""
    rows = [row for line in lines for row in line.rows.values()]
    return [
        *_mixed("data fingerprints", rows, lambda row: row.data_fingerprint, "the pictures differ"),
        *_mixed("choices of the epoch", rows, lambda row: row.selection, "test against holdout"),
        *_mixed("commits", rows, lambda row: _short(row.commit), "the code may differ"),
        *_mixed("devices", rows, lambda row: row.device, "rounding differs, and times cannot be compared"),
        *_outdated(material, rows),
        *_unnamed(material, rows),
        *_other_queries(material, rows),
    ]


def shaping(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, seeds aside, that can change a result; of a teacher's file only the name."""
    kept = {name: value for name, value in settings.items() if name not in NO_SHAPE and not is_place(name)}
    if "tad.teacher" in kept:
        kept["tad.teacher"] = Path(str(kept["tad.teacher"])).name
    return kept


def _short(commit: str) -> str:
    """Return the first digits of a commit, with the + of uncommitted changes."""
    return commit[:8] + "+" * (commit.endswith("+") and len(commit) > 8) or "unknown"


def _mixed(what: str, rows: Sequence[Row], value_of: Callable[[Row], str], consequence: str) -> Iterable[str]:
    """Yield one line when rows differ in something that should be the same for all."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(value_of(row), []).append(row.row)
    if len(groups) > 1:
        yield f"The rows mix {what} ({consequence}): {_grouped(groups)}."


def _grouped(groups: Mapping[str, Sequence[str]]) -> str:
    """Return values with the names of their rows."""
    return "; ".join(f"{value}: {', '.join(dict.fromkeys(names))}" for value, names in sorted(groups.items()))


def _outdated(material: Material, rows: Sequence[Row]) -> Iterable[str]:
    """Yield rows whose settings are not those of the files any more, so that rlq ablate would run them again."""
    outdated: dict[str, list[str]] = {}
    for row in rows:
        now = material.expected.get((row.row, row.seed))
        if now is None or now.fingerprint == row.fingerprint:
            continue
        then = shaping(row.settings)
        other = [name for name, value in sorted(shaping(now.settings).items()) if then.get(name, value) != value]
        changed = listed((f"{name} = {then[name]} instead of {now.settings[name]}" for name in other), SHOWN)
        outdated.setdefault(changed or "those of the teacher", []).append(f"{row.row} (seed {row.seed})")
    for changed, names in outdated.items():
        yield f"Run with other settings than the files have now: {changed}; {', '.join(names)}."


def _unnamed(material: Material, rows: Sequence[Row]) -> Iterable[str]:
    """Yield settings that differ between rows although no row names them.

    A setting that an older row lacks counts as the same, because the default of a later setting changes nothing.
    """
    named = {name for variant in material.variants for name in variant.settings}
    values: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for name, value in shaping(row.settings).items():
            values.setdefault(name, {}).setdefault(repr(value), []).append(row.row)
    unnamed = {name: groups for name, groups in sorted(values.items()) if len(groups) > 1 and name not in named}
    for name, groups in list(unnamed.items())[:SHOWN]:
        yield f"The rows differ in {name}, which no row names: {_grouped(groups)}."
    if len(unnamed) > SHOWN:
        yield f"They differ in {len(unnamed) - SHOWN} more such settings: {', '.join(list(unnamed)[SHOWN:])}."


def _queries_of(protocol: str, row: Row) -> str:
    return str(row.per_query[protocol]["queries"])


def _other_queries(material: Material, rows: Sequence[Row]) -> Iterable[str]:
    """Yield protocols whose numbers are of different queries."""
    for protocol in material.protocols:
        with_queries = [row for row in rows if protocol in row.per_query]
        queries_of = partial(_queries_of, protocol)
        yield from _mixed(f"{protocol} queries", with_queries, queries_of, "there is no interval between them")
