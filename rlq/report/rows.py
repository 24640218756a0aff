"""The rows of a report: the finished rows of a table file, or runs."""

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

RUNS = "runs"  # the name of the table and of the base of runs without a table


def of_table(table: Table, *, base: Path | None, results: Path, protocols: Sequence[str] = ()) -> list[Material]:
    """Return the finished rows on each of a table's bases, or on `base`.

    Bases without any row are left out. Raises RlqError that names the bases with rows when all bases are left out.
    """
    finished = read_rows(results, table.name)
    files = [base] if base is not None else table.base_files()
    names = {variant.name for variant in table.rows}
    materials = []
    for file in files:
        rows = tuple(row for row in finished if row.base == file.stem and row.row in names)
        if rows:
            seeds = sorted({*table.seeds, *(row.seed for row in rows)})
            jobs = plan(table, base=file, seeds=seeds, results=results)
            expected = {
                (job.variant.name, job.seed): Expected(job.fingerprint, flatten(job.loaded.settings)) for job in jobs
            }
            shown = tuple(protocols) or table.shown(file, scores_of(rows))
            reference = table.reference or table.rows[0].name
            run = _how_to_run(table, file, results)
            materials.append(Material(file.stem, table.rows, rows, shown, table.seeds, reference, run, expected))
    if not materials:
        others = sorted({row.base for row in finished})
        elsewhere = f"there are rows on {', '.join(others)} (--base)" if others else f"{results / table.name} has none"
        bases = ", ".join(_short_path(file) for file in files)
        raise RlqError(
            f"{table.file} has no finished row on {bases}; {elsewhere}; "
            f"{_how_to_run(table, files[0], results)} runs its rows"
        )
    return materials


def of_runs(words: Sequence[str], runs: Path, *, protocols: Sequence[str] = ()) -> Material:
    """Return finished runs as rows of a table, in the order of the words; runs that differ only in seed are one row.

    Raises RlqError for a run that is unknown or not finished, and for two runs of one row with the same seed.
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
    """Raise RlqError unless every protocol that is to be shown was measured in some row."""
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
            f"{about.name} in {folder} is {about.status}, but a report needs finished runs; "
            f"rlq train --resume {folder} continues it"
        )
    result, settings = read_result(folder), load(folder / SETTINGS)
    row = row_of(result, table=RUNS, base=RUNS, row=result.settings.title, fingerprint=fingerprint(settings))
    tags = _tags(folder)  # the commit of the run, not of the checkout that makes the report
    dirty = "+" if tags.get("git.dirty") == "true" else ""
    return replace(row, commit=tags.get("mlflow.source.git.commit", "") + dirty)


def _tags(folder: Path) -> Mapping[str, str]:
    """Return the tags of a run, as its journal has them."""
    tags: dict[str, str] = {}
    for event in Journal(folder / EVENTS).rows:
        tags |= {"open": event.get("tags", {}), "tags": event.get("values", {})}.get(event["kind"], {})
    return tags


def _named(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with unique names: the title, and the settings in which runs of the same title differ.

    Raises RlqError for two runs of one name and seed.
    """
    titles: dict[str, list[Row]] = {}
    for row in rows:
        titles.setdefault(row.row, []).append(row)
    named = []
    for row in rows:
        names = _differing(titles[row.row])
        values = ", ".join(f"{name}={row.settings.get(name)}" for name in names)
        named.append(replace(row, row=f"{row.row} ({values})" if values else row.row))
    first: dict[tuple[str, int], Row] = {}
    for row in named:
        other = first.setdefault((row.row, row.seed), row)
        if other is not row:
            raise RlqError(
                f"{row.row} has two runs with seed {row.seed}, {other.run_id[:8]} and {row.run_id[:8]}; "
                f"a mean takes one run per seed, so leave one out"
            )
    return named


def _differing(rows: Sequence[Row]) -> list[str]:
    """Return the settings, seeds aside, in which the rows differ."""
    trees = [shaping(row.settings) for row in rows]
    names = sorted({name for settings in trees for name in settings})
    return [name for name in names if len({repr(settings.get(name)) for settings in trees}) > 1]


def _how_to_run(table: Table, base: Path, results: Path) -> str:
    """Return the command that runs a table's rows on a base."""
    where = [] if results == RESULTS else ["--results", _short_path(results)]
    alone = table.base_files() == [base.resolve()]
    return shlex.join(
        ["rlq", "ablate", _short_path(table.file), *([] if alone else ["--base", _short_path(base)]), *where]
    )


def _short_path(path: Path) -> str:
    """Return a path relative to the working folder where it lies below it."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else path)
