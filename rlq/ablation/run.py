"""Run the unfinished rows of a table, every row and seed once, also after a stop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from rlq.ablation.family import Family
from rlq.ablation.rows import Row, read_row, read_rows, row_file, row_of, write_row
from rlq.ablation.summary import summary
from rlq.ablation.table import Table, Variant, read_table_file
from rlq.core.console import Console
from rlq.core.errors import RlqError, SettingsError
from rlq.core.scores import ScoreTable
from rlq.core.text import table as screen_table
from rlq.methods.base import Loaded
from rlq.methods.catalogue import method_of
from rlq.runs import experiment
from rlq.runs.experiment import Membership
from rlq.runs.folder import ABOUT
from rlq.runs.load import fingerprint, load
from rlq.training.signals import Stopped

RESULTS = Path("docs/results/raw")


@dataclass(frozen=True)
class Job:
    """One row with one seed, on one base."""

    base: Path
    variant: Variant
    loaded: Loaded
    fingerprint: str
    file: Path  # of its row

    @property
    def seed(self) -> int:
        return self.loaded.settings.seed

    @property
    def scores(self) -> ScoreTable:
        return method_of(self.loaded.settings).scores

    @property
    def name(self) -> str:
        return f"{self.variant.name}, seed {self.seed}"

    @property
    def runs(self) -> Path:
        return Path(self.loaded.settings.tracking.folder)

    @property
    def folder(self) -> Path:
        """The folder of its run, named by all that shapes it, so that a later start finds it."""
        return self.runs / f"{self.file.parent.name}-{self.file.stem}-{self.fingerprint[:8]}"


def ablate(
    file: Path,
    *,
    base: Path | None = None,
    seeds: Sequence[int] = (),
    only: Sequence[str] = (),
    changes: Sequence[str] = (),
    results: Path = RESULTS,
    dry_run: bool = False,
    console: Console | None = None,
) -> str:
    """Run the rows that are not finished, one after the other, and return the table of finished rows.

    A row is finished when a file below `results`, of this table or another, has its fingerprint. With `dry_run`, only
    return what would be run. Raises RlqError before anything runs if a row's settings are wrong, and at the end, with
    the reasons, if runs failed. Raises Stopped when a signal stops it; the same call continues.
    """
    console = console or Console()
    table = read_table_file(file)
    jobs = plan(table, base=base, seeds=seeds, only=only, changes=changes, results=results)
    if not jobs:
        command = f"; rlq analyse {table.analysis} RUN draws it from a finished run" if table.analysis else ""
        raise RlqError(f"{file} has no rows to train{command}")
    if dry_run:
        return _plan_text(jobs, results)
    _reuse(jobs, table, results, console)
    waiting = [job for job in jobs if not _is_done(job)]
    first, bases = jobs[0].loaded.settings, list(dict.fromkeys(job.base for job in jobs))
    family = Family(table, bases, jobs[0].runs, first.tracking.experiment, console)
    if not waiting:
        console.line(f"every row is finished; {results} holds them")
        if not family.left_open:
            return _summary(table, jobs)
    with family:
        busy, failures = _run_all(waiting, table, family, console)
        text = _summary(table, jobs)
        chosen_on = "test" if first.data.selection == "holdout" else "best"
        metric = f"{chosen_on}/{first.schedule.select}"
        family.finish(text, whole=all(map(_is_done, jobs)), metric=metric, scores=jobs[0].scores)
    running = [job.name for job in busy if not _is_done(job)]  # others were finished meanwhile
    if running:
        text += f"\nbeing run by another process: {'; '.join(running)}"
    if failures:
        console.line(text)
        reasons = "\n".join(f"  {'; '.join(names)}: {reason}" for reason, names in failures.items())
        raise RlqError(f"{sum(map(len, failures.values()))} of {len(waiting)} runs failed:\n{reasons}")
    return text


def plan(
    table: Table,
    *,
    base: Path | None = None,
    seeds: Sequence[int] = (),
    only: Sequence[str] = (),
    changes: Sequence[str] = (),
    results: Path = RESULTS,
) -> list[Job]:
    """Return every run of a table, in order: base by base, seed by seed, row by row.

    Raises SettingsError that names all rows whose settings are not valid.
    """
    variants = list({row.name: row for row in map(table.row, only)}.values()) or list(table.rows)
    jobs, wrong = [], []
    for file in [base] if base is not None else table.base_files():
        for seed in dict.fromkeys(seeds or table.seeds):
            for variant in variants:
                values = {**variant.settings, "seed": seed, "variant": variant.name}
                try:
                    loaded = load(file, changes, values=values)
                    path = row_file(results, table.name, file.stem, variant.name, seed)
                    jobs.append(Job(file, variant, loaded, fingerprint(loaded), path))
                except SettingsError as error:
                    wrong.append(f"{variant.name} on {error}")
    wrong += _wrong_scores(jobs)
    if wrong:
        raise SettingsError(f"{table.file}: " + "\n  ".join(dict.fromkeys(wrong)))
    return jobs


def _run_all(
    jobs: Sequence[Job], table: Table, family: Family, console: Console
) -> tuple[list[Job], dict[str, list[str]]]:
    """Run jobs one after the other. Return those that other processes run, and of failed ones reason -> names."""
    busy: list[Job] = []
    failures: dict[str, list[str]] = {}
    for number, job in enumerate(jobs, start=1):
        console.line(f"\n== {table.name} on {job.base.stem}: {job.name} ({number} of {len(jobs)}) ==")
        try:
            if not _run(job, table, family, console):
                busy.append(job)
        except Stopped:
            raise
        except RlqError as error:  # a row that cannot be run does not prevent the others
            console.line(f"failed   {error}")
            failures.setdefault(str(error), []).append(job.name)
    return busy, failures


def _wrong_scores(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield the rows whose method has other scores than the first row of their base, which one table cannot show."""
    first: dict[Path, Job] = {}
    for job in jobs:
        other = first.setdefault(job.base, job)
        if job.scores != other.scores:
            one, two = (f"{each.variant.name} ({each.loaded.settings.method})" for each in (other, job))
            yield f"{one} and {two} on {job.base.name} have methods with different scores, which no table can show"


def _run(job: Job, table: Table, family: Family, console: Console) -> bool:
    """Run a job and write its row; return False if another process runs it."""
    job.runs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(job.runs / f".{job.folder.name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    with lock:
        if _is_done(job):
            return True  # another process has just finished it
        if job.file.is_file():
            console.line(f"row      {job.file} is of other settings and will be replaced")
        member = Membership(
            kind="variant",
            parent=family.run_id,
            name=job.name,
            tags={"rlq.table": table.name, "rlq.row": job.variant.name, "rlq.fingerprint": job.fingerprint},
            folder=job.folder,
        )
        result = experiment.run(job.loaded, console=console, member=member)
        row = row_of(result, table=table.name, base=job.base.stem, row=job.variant.name, fingerprint=job.fingerprint)
        console.line(f"row      {write_row(job.file.parent.parent, row)}")
    return True


def _reuse(jobs: list[Job], table: Table, results: Path, console: Console) -> None:
    """Copy rows that another table has run already: the same settings are the same experiment."""
    finished = {row.fingerprint: row for row in read_rows(results)}
    for job in jobs:
        row = finished.get(job.fingerprint)
        if row is not None and not _is_done(job):
            console.line(f"row      {job.name}: taken from {row.table}, {row.row}")
            write_row(results, replace(row, table=table.name, base=job.base.stem, row=job.variant.name))


def _is_done(job: Job) -> bool:
    return job.file.is_file() and read_row(job.file).fingerprint == job.fingerprint


def _finished(jobs: list[Job]) -> list[Row]:
    return [read_row(job.file) for job in jobs if _is_done(job)]


def _summary(table: Table, jobs: list[Job]) -> str:
    """Return one table per base."""
    texts = []
    for base in dict.fromkeys(job.base for job in jobs):
        of_base = [job for job in jobs if job.base == base]
        names = list(dict.fromkeys(job.variant.name for job in of_base))
        texts.append(summary(table, base, names, _finished(of_base), of_base[0].scores))
    return "\n\n".join(texts)


def _plan_text(jobs: list[Job], results: Path) -> str:
    finished = {row.fingerprint: row for row in read_rows(results)}
    cells = []
    for job in jobs:
        if _is_done(job):
            state = "finished"
        elif job.fingerprint in finished:
            state = f"finished as {finished[job.fingerprint].table}, {finished[job.fingerprint].row}"
        elif (job.folder / ABOUT).is_file():
            state = f"begun in {job.folder}"
        elif job.file.is_file():
            state = "to run (its file is of other settings and will be replaced)"
        else:
            state = "to run"
        cells.append([job.variant.name, job.base.stem, str(job.seed), job.fingerprint[:8], state])
    text = screen_table(cells, header=["row", "base", "seed", "settings", "state"])
    count = sum(row[-1].startswith(("to run", "begun")) for row in cells)
    return f"{text}\n{count} of {len(cells)} to run"
