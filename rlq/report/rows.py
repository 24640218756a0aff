"""Where the rows of a report come from: the finished rows of a table file, or run folders."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rlq.ablation.rows import Row, read_rows, row_of, scores_of
from rlq.ablation.run import RESULTS, plan
from rlq.ablation.table import Table, Variant
from rlq.core.config import flatten
from rlq.core.errors import RlqError
from rlq.report.content import Expected, Material
from rlq.report.warnings import shaping
from rlq.runs.folder import SETTINGS, find_run, read_about
from rlq.runs.load import fingerprint, load
from rlq.runs.result import read_result
from rlq.tracking.journal import EVENTS, Journal

RUNS = "runs"  # what stands in the place of a table's and a base's name where there is none


def of_table(table: Table, *, base: Path | None, results: Path, protocols: Sequence[str] = ()) -> list[Material]:
    """The rows that have been run on each of a table's bases, or on `base`.

    Bases without any row are left out. Raises RlqError when that is all of them, saying on which bases there are rows.
    """
    everything = read_rows(results, table.name)
    files = [base] if base is not None else table.base_files()
    found = []
    for file in files:
        rows = tuple(row for row in everything if row.base == file.stem and row.row in {v.name for v in table.rows})
        if rows:
            seeds = sorted({*table.seeds, *(row.seed for row in rows)})
            jobs = plan(table, base=file, seeds=seeds, results=results)
            expected = {
                (job.variant.name, job.seed): Expected(job.fingerprint, flatten(job.loaded.settings)) for job in jobs
            }
            shown = tuple(protocols) or table.shown(file, scores_of(rows))
            reference = table.reference or table.rows[0].name
            run = _how_to_run(table, file, results)
            found.append(Material(file.stem, table.rows, rows, shown, table.seeds, reference, run, expected))
    if not found:
        others = sorted({row.base for row in everything})
        there = f"rows are there of {', '.join(others)} (--base)" if others else f"{results / table.name} holds none"
        bases = ", ".join(_shown(file) for file in files)
        raise RlqError(
            f"{table.file} has no finished row on {bases}; {there}; "
            f"{_how_to_run(table, files[0], results)} runs its rows"
        )
    return found


def of_runs(words: Sequence[str], runs: Path, *, protocols: Sequence[str] = ()) -> Material:
    """Finished runs as rows of a table; runs that differ in their seed alone are one row, in the order of the words.

    Raises RlqError for a run that is unknown, not finished or given twice.
    """
    folders = list(dict.fromkeys(find_run(word, runs) for word in words))
    rows = _named([_row(folder) for folder in folders])
    names = list(dict.fromkeys(row.row for row in rows))
    selected = [str(row.settings["schedule.select"]).partition("/")[0] for row in rows]
    shown = tuple(protocols) or tuple(dict.fromkeys(selected))
    differing = _differing(rows)
    firsts = [next(row for row in rows if row.row == name) for name in names]
    variants = tuple(
        Variant(name=row.row, settings={name: row.settings.get(name) for name in differing}) for row in firsts
    )
    return Material(RUNS, variants, tuple(rows), shown, (), names[0])


def check_protocols(material: Material) -> None:
    """Raises RlqError unless some row has numbers of every protocol that is to be shown."""
    main = material.scores.main.key
    measured = {name.split("/")[1] for row in material.rows for name in row.metrics if name.endswith(f"/{main}")}
    missing = [protocol for protocol in material.protocols if protocol not in measured]
    if missing:
        listed = ", ".join(material.scores.order(sorted(measured))) or "no protocol"
        raise RlqError(f"{material.base}: no row has numbers of {', '.join(missing)}; there are those of {listed}")


def _row(folder: Path) -> Row:
    about = read_about(folder)
    if about.status != "FINISHED":
        raise RlqError(
            f"{about.name} in {folder} is {about.status}, a report takes finished runs; "
            f"rlq train --resume {folder} goes on with it"
        )
    result, settings = read_result(folder), load(folder / SETTINGS)
    row = row_of(result, table=RUNS, base=RUNS, row=result.settings.title, fingerprint=fingerprint(settings))
    tags = _tags(folder)  # the run's own commit, not that of the checkout which makes the report
    dirty = "+" if tags.get("git.dirty") == "true" else ""
    return replace(row, commit=tags.get("mlflow.source.git.commit", "") + dirty)


def _tags(folder: Path) -> Mapping[str, str]:
    """What the run was tagged with, from its own journal."""
    found: dict[str, str] = {}
    for event in Journal(folder / EVENTS).rows:
        found |= {"open": event.get("tags", {}), "tags": event.get("values", {})}.get(event["kind"], {})
    return found


def _named(rows: Sequence[Row]) -> list[Row]:
    """Rows with names that tell them apart: the title, and what runs of the same title differ in."""
    titles: dict[str, list[Row]] = {}
    for row in rows:
        titles.setdefault(row.row, []).append(row)
    named = []
    for row in rows:
        own = _differing(titles[row.row])
        told = ", ".join(f"{name}={row.settings.get(name)}" for name in own)
        named.append(replace(row, row=f"{row.row} ({told})" if told else row.row))
    seen: dict[tuple[str, int], Row] = {}
    for row in named:
        other = seen.setdefault((row.row, row.seed), row)
        if other is not row:
            raise RlqError(
                f"{row.row} with seed {row.seed} is there twice, {other.run_id[:8]} and {row.run_id[:8]}; "
                f"a mean takes one run per seed, leave one out"
            )
    return named


def _differing(rows: Sequence[Row]) -> list[str]:
    """The settings, seeds aside, that some of the rows have another value of."""
    found = [shaping(row.settings) for row in rows]
    names = sorted({name for settings in found for name in settings})
    return [name for name in names if len({repr(settings.get(name)) for settings in found}) > 1]


def _how_to_run(table: Table, base: Path, results: Path) -> str:
    where = [] if results == RESULTS else ["--results", _shown(results)]
    alone = table.base_files() == [base.resolve()]
    return shlex.join(["rlq", "ablate", _shown(table.file), *([] if alone else ["--base", _shown(base)]), *where])


def _shown(path: Path) -> str:
    """As one would type it here."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else path)
