"""What makes the rows of one table hard to compare: other data, other code, settings that no row names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rlq.ablation.rows import Row
from rlq.core.settings import PLACES
from rlq.core.text import listed
from rlq.report.content import Line, Material

SHOWN = 5  # settings per warning


def doubts(material: Material, lines: Sequence[Line]) -> list[str]:
    """Warnings, in words for the reader of a table; none when all rows can be compared."""
    rows = [row for line in lines for row in line.found.values()]
    return [
        *_mixed("data fingerprints", rows, lambda row: row.data_fingerprint, "the pictures differ"),
        *_mixed("choices of the epoch", rows, lambda row: row.selection, "test against holdout"),
        *_mixed("commits", rows, lambda row: _short(row.commit), "the code may differ"),
        *_mixed("devices", rows, lambda row: row.device, "rounding differs, and seconds do not compare"),
        *_outdated(material, rows),
        *_stray(material, rows),
        *_other_queries(material, rows),
    ]


def shaping(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, by dotted name, that can change a result and are no seed; of a teacher's file the name alone."""
    found = {name: value for name, value in settings.items() if not _of_place(name)}
    if "tad.teacher" in found:
        found["tad.teacher"] = Path(str(found["tad.teacher"])).name
    return found


def _of_place(name: str) -> bool:
    section, _, key = name.partition(".")
    keys = PLACES.get(section, ())
    return name in ("seed", "variant", "tad.external_root") or keys is None or key in keys


def _short(commit: str) -> str:
    """Of a commit, with the + of changes that were not committed."""
    return commit[:8] + "+" * (commit.endswith("+") and len(commit) > 8) or "unknown"


def _mixed(what: str, rows: Sequence[Row], of: Callable[[Row], str], so: str) -> Iterable[str]:
    """One line when rows differ in something that should be the same for all."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(of(row), []).append(row.row)
    if len(groups) > 1:
        listed = "; ".join(f"{value}: {', '.join(dict.fromkeys(names))}" for value, names in sorted(groups.items()))
        yield f"The rows mix {what} ({so}): {listed}."


def _outdated(material: Material, rows: Sequence[Row]) -> Iterable[str]:
    """Rows that were run with other settings than the files have now: rlq ablate would run them again."""
    found: dict[str, list[str]] = {}
    for row in rows:
        now = material.expected.get((row.row, row.seed))
        if now is None or now.fingerprint == row.fingerprint:
            continue
        then = shaping(row.settings)
        other = [name for name, value in sorted(shaping(now.settings).items()) if then.get(name, value) != value]
        changed = listed((f"{name} = {then[name]} instead of {now.settings[name]}" for name in other), SHOWN)
        found.setdefault(changed or "those of the teacher", []).append(f"{row.row} (seed {row.seed})")
    for changed, names in found.items():
        yield f"Run with other settings than the files have now: {changed}; {', '.join(names)}."


def _stray(material: Material, rows: Sequence[Row]) -> Iterable[str]:
    """Settings that differ between rows although no row names them. A setting that an older row does not know yet
    counts as the same: settings that come later mean "as before" by default."""
    named = {name for variant in material.wanted for name in variant.settings}
    values: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for name, value in shaping(row.settings).items():
            values.setdefault(name, {}).setdefault(repr(value), []).append(row.row)
    stray = {name: of for name, of in sorted(values.items()) if len(of) > 1 and name not in named}
    for name, of in list(stray.items())[:SHOWN]:
        listed = "; ".join(f"{value}: {', '.join(dict.fromkeys(names))}" for value, names in sorted(of.items()))
        yield f"The rows differ in {name}, which no row names: {listed}."
    if len(stray) > SHOWN:
        yield f"They differ in {len(stray) - SHOWN} more such settings: {', '.join(list(stray)[SHOWN:])}."


def _queries_of(protocol: str, row: Row) -> str:
    return str(row.per_query[protocol]["queries"])


def _other_queries(material: Material, rows: Sequence[Row]) -> Iterable[str]:
    for protocol in material.protocols:
        kept = [row for row in rows if protocol in row.per_query]
        yield from _mixed(
            f"{protocol} queries",
            kept,
            partial(_queries_of, protocol),
            "there is no interval between them",
        )
