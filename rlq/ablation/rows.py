"""Finished rows: one small JSON file per row and seed, from which tables are made without the run's folder."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from rlq.ablation.table import slug
from rlq.core.config import complaints, flatten
from rlq.core.digest import short_digest
from rlq.core.errors import DataError
from rlq.core.files import parsed_json, write_file
from rlq.core.scores import ScoreTable
from rlq.evaluation.per_query import PER_QUERY
from rlq.methods.catalogue import method_of, named_in
from rlq.methods.ranking import RankingMethod
from rlq.runs.result import Result
from rlq.tracking import git_tags, library_versions

AP_DIGITS = 5


@dataclass(frozen=True)
class Row:
    """One variant, run with one seed."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # of what a file may hold

    table: str
    base: str  # stem of the base experiment's file
    row: str
    seed: int
    dataset: str
    selection: str  # test or holdout: which pictures chose the best epoch
    fingerprint: str  # of the settings that shape the result
    data_fingerprint: str
    settings: dict[str, Any]  # by dotted name
    metrics: dict[str, float]
    seconds: dict[str, float]
    run_id: str
    folder: str  # of the run, on the machine where it ran
    commit: str
    versions: dict[str, str]
    device: str
    finished: str  # ISO time
    per_query: dict[str, dict[str, Any]]  # protocol -> queries (digest of their names), ap, first_match

    @property
    def method(self) -> str:
        """The name of the method that was run."""
        return named_in(self.settings).name

    @property
    def scores(self) -> ScoreTable:
        """The scores of its method."""
        return named_in(self.settings).scores

    def score(self, protocol: str, key: str, which: str = "best") -> float | None:
        """Return a score as it was measured (fractions, not percent), None where it was not.

        `which` is `best` (the best epoch, on the test set whatever chose the epoch), `last` (the last epoch) or `paper`
        (the best value over all epochs).
        """
        prefix = "test" if which == "best" and self.selection == "holdout" else which
        return self.metrics.get(f"{prefix}/{protocol}/{key}")


_ROW = TypeAdapter(Row)


def scores_of(rows: Iterable[Row]) -> ScoreTable:
    """Return the scores of the rows' methods. Raises DataError for methods with different scores."""
    methods: dict[str, list[Row]] = {}
    for row in rows:
        methods.setdefault(row.method, []).append(row)
    first, *others = (of_method[0].scores for of_method in methods.values())
    if any(scores != first for scores in others):
        named = "; ".join(
            f"{method}: {', '.join(dict.fromkeys(row.row for row in of_method))}"
            for method, of_method in methods.items()
        )
        raise DataError(f"rows of methods with different scores cannot stand in one table ({named}); report each alone")
    return first


def row_file(results: Path, table: str, base: str, row: str, seed: int) -> Path:
    """Return the file of a row."""
    return results / table / f"{base}-{slug(row)}-seed{seed}.json"


def row_of(result: Result, *, table: str, base: str, row: str, fingerprint: str) -> Row:
    """Return a finished run as a row of a table."""
    settings, versions = result.settings, library_versions()
    git = git_tags(Path.cwd())
    commit = git.get("mlflow.source.git.commit", "") + ("+" if git.get("git.dirty") == "true" else "")
    return Row(
        table=table,
        base=base,
        row=row,
        seed=settings.seed,
        dataset=settings.data.dataset,
        selection=settings.data.selection,
        fingerprint=fingerprint,
        data_fingerprint=result.data_fingerprint,
        settings=flatten(settings),
        metrics=dict(sorted(result.metrics.items())),
        seconds={name: round(value, 2) for name, value in result.seconds.items()},
        run_id=result.run_id,
        folder=result.folder.as_posix(),
        commit=commit,
        versions=dict(sorted(versions.items())),
        device=result.device,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        per_query=_per_query(result),
    )


def write_row(results: Path, row: Row) -> Path:
    """Write a row's file, whole or not at all."""
    path = row_file(results, row.table, row.base, row.row, row.seed)
    write_file(path, _text(row))
    return path


def read_row(path: Path) -> Row:
    """Read a row's file. Raises DataError that names it."""
    try:
        return _ROW.validate_python(parsed_json(path.read_text()))
    except (OSError, ValueError) as error:
        why = complaints(error) if isinstance(error, ValidationError) else error
        raise DataError(f"{path} holds no row of a table ({why}); remove it, and rlq ablate runs it again") from error


def read_rows(results: Path, table: str | None = None) -> list[Row]:
    """Return all rows of a table, or of all tables, in the order of their files, without unfinished files."""
    files = sorted(results.glob(f"{table or '*'}/*.json"))
    return [read_row(path) for path in files if not path.name.startswith(".")]


def _per_query(result: Result) -> dict[str, dict[str, Any]]:
    """Return what each query of a run scored; nothing for a method that does not rank."""
    path = result.folder / "artifacts" / PER_QUERY
    if not path.is_file() and not isinstance(method_of(result.settings), RankingMethod):
        return {}
    try:
        tree = parsed_json(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} of a finished run cannot be read: {error}") from error
    return {
        protocol: {
            "queries": short_digest("\n".join(numbers["query"])),
            "ap": [None if value is None else round(value, AP_DIGITS) for value in numbers["ap"]],
            "first_match": numbers["first_match"],
        }
        for protocol, numbers in tree.items()
    }


def _text(row: Row) -> str:
    """Return JSON with one line per entry, lists of numbers included."""
    tree = asdict(row)
    per_query = tree.pop("per_query")
    head = json.dumps(tree, indent=1)[:-2]
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in sorted(per_query.items()))
    return f'{head},\n "per_query": {{\n{lines}\n }}\n}}\n'
