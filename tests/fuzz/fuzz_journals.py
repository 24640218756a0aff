"""What runs leave behind and later runs read: results, identities, metrics, progress, rows of tables."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from fuzz_settings import SETTINGS, WHOLE
from fuzz_side_files import json_file, near
from fuzzing import Files, Target
from hypothesis import strategies as st
from mutations import changed_seeds, json_values, one_of

from rlq.ablation.rows import Row, read_rows, write_row
from rlq.core.config import flatten
from rlq.runs.folder import About, find_run, read_about, write_about
from rlq.runs.result import read_result
from rlq.sweep.spec import Heartbeat
from rlq.sweep.storage import open_storage
from rlq.tracking import logged_metrics
from rlq.tracking.journal import Journal, Progress

ABOUT = About("0123456789abcdef", "pose off", "run", "experiments/prcc.yaml --set seed=2", "FINISHED")
RESULT = {
    "run_id": ABOUT.run_id,
    "metrics": {"best/CC/rank1": 0.5, "last/CC/mAP": 0.25},
    "evaluations": {"3": {"CC/rank1": 0.5, "CC/mAP": 0.25}, "7": {"CC/rank1": 0.4}},
    "best_epoch": 3,
    "seconds": {"data": 0.5, "training": 12.0},
    "data_fingerprint": "0123456789abcdef",
    "device": "cpu",
}
ROW = Row(
    table="components",
    base="prcc",
    row="BM + G",
    seed=1,
    dataset="prcc",
    selection="test",
    fingerprint="0123456789abcdef",
    data_fingerprint="0123456789abcdef",
    settings=flatten(SETTINGS),
    metrics={"best/CC/rank1": 0.5},
    seconds={"training": 12.0},
    run_id=ABOUT.run_id,
    folder="runs/x",
    commit="abc",
    versions={"torch": "2.11"},
    device="cpu",
    finished="2025-01-01T00:00:00+00:00",
    per_query={"CC": {"queries": "0123456789abcdef", "ap": [0.5, None], "first_match": [1, 0]}},
)
LOGGED = b"".join(
    json.dumps({"name": "loss/id", "value": value, "step": step, "time": 1_700_000_000_000 + step}).encode() + b"\n"
    for step, value in enumerate((3.5, 2.25, 1.0))
)
PROGRESS = {
    "uri": "sqlite:////runs/mlflow.db",
    "stores": {"sqlite:////runs/mlflow.db": {"run_id": "1", "experiment_id": "2", "metrics": 3, "events": [0]}},
}


def _left_by(write: Callable[[Path], object]) -> Files:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        found = sorted(path for path in Path(name).rglob("*") if path.is_file())
        return {path.relative_to(name).as_posix(): path.read_bytes() for path in found}


def _progress(folder: Path) -> None:
    """As a resumed run uses it."""
    progress = Progress(folder)
    entry = progress.store("sqlite:////runs/mlflow.db")
    str(progress.uri), entry["run_id"], entry["metrics"] + 1, list(entry["events"])


def _metrics(folder: Path) -> None:
    """As a run that continues another one uses them."""
    rows = sorted(logged_metrics(folder), key=lambda row: row["step"])
    [(row["name"], row["value"], row["time"]) for row in rows]


def _events(folder: Path) -> None:
    [dict(row) for row in Journal(folder / "tracking.jsonl").rows]


def _finished(folder: Path) -> None:
    result = read_result(folder)
    _ = sorted(result.metrics.items()), result.history.best_epoch


def _study(folder: Path) -> None:
    open_storage(f"journal:{folder / 'study.log'}", Heartbeat(), lambda *_: None)


def _with(files: Files, name: str, content: st.SearchStrategy[bytes]) -> st.SearchStrategy[Files]:
    return content.map(lambda found: {**files, name: found})


def _lines() -> st.SearchStrategy[bytes]:
    value = one_of(LOGGED.splitlines()).flatmap(near) | json_file(json_values()) | st.just(LOGGED[:-1])
    return st.lists(value, max_size=4).map(lambda lines: b"".join(line + b"\n" for line in lines))


RUN = _left_by(lambda folder: write_about(folder, ABOUT))
FINISHED: Files = {**RUN, "experiment.yaml": WHOLE, "result.json": json.dumps(RESULT).encode()}
ROWS = _left_by(lambda folder: write_row(folder, ROW))
(ROW_NAME,) = ROWS
METRICS: Files = {"metrics.jsonl": LOGGED}
EVENTS: Files = {"tracking.jsonl": b'{"kind": "tags", "tags": {"rlq.kind": "run"}, "id": "1"}\n'}
SENT: Files = {"tracking.json": json.dumps(PROGRESS).encode()}
OTHER: Files = {f"runs/a/{name}": content for name, content in RUN.items()}
STUDY: Files = {
    "study.log": b'{"op_code": 0, "worker_id": "a", "study_name": "pose_k", "directions": [2]}\n'
    b'{"op_code": 4, "worker_id": "a", "study_id": 0, "datetime_start": "2025-01-01T00:00:00.000000"}\n'
}
RESULT_TREE = near(FINISHED["result.json"])  # type: ignore[arg-type]

TARGETS = (
    Target(
        "result",
        _finished,
        changed_seeds(({"result.json": FINISHED["result.json"]},)).map(lambda files: {**FINISHED, **files})
        | _with(FINISHED, "result.json", RESULT_TREE),
        (FINISHED,),
        share=0.7,
    ),
    Target(
        "run",
        lambda folder: find_run(str(folder), folder) and read_about(folder).run_id.startswith("0123"),
        changed_seeds((RUN,)) | _with(RUN, "run.json", near(RUN["run.json"])),  # type: ignore[arg-type]
        (RUN,),
    ),
    Target(
        "runs",
        lambda folder: find_run("0123", folder / "runs"),
        changed_seeds((OTHER,)) | _with(OTHER, "runs/a/run.json", near(RUN["run.json"])),  # type: ignore[arg-type]
        (OTHER,),
        share=0.5,
    ),
    Target("metrics", _metrics, changed_seeds((METRICS,)) | _with(METRICS, "metrics.jsonl", _lines()), (METRICS,)),
    Target("events", _events, changed_seeds((EVENTS,)) | _with(EVENTS, "tracking.jsonl", _lines()), (EVENTS,)),
    Target(
        "progress",
        _progress,
        changed_seeds((SENT,)) | _with(SENT, "tracking.json", near(SENT["tracking.json"])),  # type: ignore[arg-type]
        (SENT,),
    ),
    Target(
        "row",
        read_rows,
        changed_seeds((ROWS,)) | _with(ROWS, ROW_NAME, near(ROWS[ROW_NAME])),  # type: ignore[arg-type]
        (ROWS,),
    ),
    Target(
        "study_journal",
        _study,
        changed_seeds((STUDY,)) | _with(STUDY, "study.log", st.lists(json_file(json_values())).map(b"\n".join)),
        (STUDY,),
        share=0.5,
    ),
)
