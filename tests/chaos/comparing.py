"""Two runs that should have come to the same: to the last bit, but for clocks."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from chaos.scene import Scene

CLOCKS = ("speed/", "time/", "system/")
SCRATCH = re.compile(r"\.[0-9a-f]{8}\.|.*\.tmp$|\.run\.json$|\.(cache|work)\..*")


def same_end(scene: Scene, folder: Path, peace: Scene, other: Path, *, added: str = "") -> None:
    """The run in `folder` of the scene ended as the one in `other` did in peace: weights, result, and what the tracker
    holds, each value once. `added` is the prefix of metrics that only this one may have."""
    for weights in ("best/model.safetensors", "last/model.safetensors"):
        assert (folder / weights).read_bytes() == (other / weights).read_bytes(), f"{folder / weights} differs"
    here, there = result(folder), result(other)
    for key in ("metrics", "evaluations", "best_epoch", "data_fingerprint"):
        assert here[key] == there[key], f"{key} of {folder}: {differences(here[key], there[key])}"
    about = json.loads((folder / "run.json").read_text())
    assert about["status"] == "FINISHED", f"{folder} is {about['status']}"
    run_id = stored_id(folder)
    mine, yours = tracked(scene.folder, run_id), tracked(peace.folder, result(other)["run_id"])
    if added:
        mine["metrics"] = {key: value for key, value in mine["metrics"].items() if not key[0].startswith(added)}
    mine["tags"] = [tag for tag in mine["tags"] if tag != "rlq.ended_by"]  # of a run that failed and was resumed
    for key in yours:
        assert mine[key] == yours[key], f"{key} of {folder} in the tracker: {differences(mine[key], yours[key])}"
    unsent = logged(folder) - {(name, step) for name, step in tracked(scene.folder, run_id)["metrics"]}
    assert not unsent, f"logged and not in the tracker: {sorted(unsent)}"


def result(folder: Path) -> dict[str, Any]:
    """What a finished run's result.json says."""
    return json.loads((folder / "result.json").read_text())


def stored_id(folder: Path) -> str:
    """A run's id in its store, which a server that was away at the run's end has given only later."""
    (store,) = json.loads((folder / "tracking.json").read_text())["stores"].values()
    return store["run_id"]


def tracked(home: Path, run_id: str) -> dict[str, Any]:
    """A run as runs/mlflow.db has it: status, params, names of tags, metrics by name and step (no value where it is of
    a clock), artifacts, models, how many datasets. Fails if a metric has two values in one step."""
    with closing(sqlite3.connect(f"file:{home}/runs/mlflow.db?mode=ro", uri=True)) as store:
        (row,) = store.execute("select status, artifact_uri from runs where run_uuid = ?", (run_id,)).fetchall()
        metrics: dict[tuple[str, int], float | None] = {}
        for name, step, value in store.execute("select key, step, value from metrics where run_uuid = ?", (run_id,)):
            assert (name, step) not in metrics, f"{name} has several values in step {step}"
            metrics[name, step] = None if name.startswith(CLOCKS) else value
        tags = sorted(row[0] for row in store.execute("select key from tags where run_uuid = ?", (run_id,)))
        (datasets,) = store.execute("select count(*) from inputs where destination_id = ?", (run_id,)).fetchone()
        models = store.execute("select name, status from logged_models where source_run_id = ?", (run_id,)).fetchall()
        params = dict(store.execute("select key, value from params where run_uuid = ?", (run_id,)))
    served = row[1].removeprefix("mlflow-artifacts:/")  # by a server, which has them below runs/files
    artifacts = Path(row[1].removeprefix("file://")) if served == row[1] else home / "runs" / "files" / served
    files = sorted(path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file())
    found = {"status": row[0], "params": params, "metrics": metrics, "artifacts": files}
    return found | {"tags": tags, "datasets": datasets, "models": sorted(models)}


def runs_of(home: Path, **tags: str) -> list[str]:
    """The ids of the runs in runs/mlflow.db that have these tags; kind is the tag rlq.kind."""
    with closing(sqlite3.connect(f"file:{home}/runs/mlflow.db?mode=ro", uri=True)) as store:
        found = None
        for name, value in tags.items():
            rows = store.execute("select run_uuid from tags where key = ? and value = ?", (f"rlq.{name}", value))
            these = {row[0] for row in rows}
            found = these if found is None else found & these
    return sorted(found or ())


def logged(folder: Path) -> set[tuple[str, int]]:
    """Name and step of every metric in a run folder's own journal, where each stands once."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found = [(row["name"], row["step"]) for row in rows]
    assert len(found) == len(set(found)), f"{folder}/metrics.jsonl says something twice"
    return set(found)


def same_files(folder: Path, other: Path) -> None:
    """The same files with the same bytes, hidden ones apart."""
    here, there = contents(folder), contents(other)
    assert set(here) == set(there), f"{folder} has {sorted(set(here) ^ set(there))} more or less than {other}"
    changed = [name for name in sorted(here) if here[name] != there[name]]
    assert not changed, f"{changed} of {folder} differ from those of {other}"


def scratch(folder: Path) -> list[str]:
    """Temporary files that were left below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if SCRATCH.match(path.name))


def differences(mine: Any, yours: Any) -> str:
    """What differs between two values, in a line."""
    if isinstance(mine, dict) and isinstance(yours, dict):
        names = [n for n in (*yours, *(n for n in mine if n not in yours)) if mine.get(n, "-") != yours.get(n, "-")]
        return ", ".join(f"{n}: {mine.get(n, 'missing')}, in peace {yours.get(n, 'missing')}" for n in names[:8])
    return f"{str(mine)[:300]}, in peace {str(yours)[:300]}"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its name, hidden ones and those in hidden folders apart."""
    hidden = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in hidden
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
