"""The result of a finished run, and its file in the run's folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rlq.core.config import complaints
from rlq.core.errors import RlqError
from rlq.core.files import parsed_json, write_file
from rlq.runs.folder import SETTINGS, read_about
from rlq.runs.load import load
from rlq.training.loop import History

RESULT = "result.json"


@dataclass(frozen=True)
class _Content:
    """The content of the file."""

    run_id: str
    metrics: dict[str, float | None]
    evaluations: dict[str, dict[str, float | None]]
    best_epoch: int | None
    seconds: dict[str, float]
    data_fingerprint: str
    device: str


_CONTENT = TypeAdapter(_Content)


@dataclass(frozen=True)
class Result:
    """The result of a finished run."""

    folder: Path
    run_id: str
    settings: Any  # of the method's own class
    metrics: dict[str, float]  # best/..., last/..., paper/..., test/... under data.selection = holdout, model/...
    history: History
    seconds: dict[str, float] = field(default_factory=dict)  # data, teacher, training, closing
    data_fingerprint: str = ""
    device: str = ""


def write_result(result: Result) -> None:
    """Write the file that read_result reads, in the run's folder."""
    tree = {
        "run_id": result.run_id,
        "metrics": result.metrics,
        "evaluations": {str(epoch): metrics for epoch, metrics in result.history.evaluations.items()},
        "best_epoch": result.history.best_epoch,
        "seconds": result.seconds,
        "data_fingerprint": result.data_fingerprint,
        "device": result.device,
    }
    write_file(result.folder / RESULT, json.dumps(tree, indent=1) + "\n")


def read_result(folder: Path) -> Result:
    """Read the result of a finished run from its folder. Raises RlqError if there is none."""
    try:
        tree = parsed_json((folder / RESULT).read_text())
        _CONTENT.validate_python(tree)
        history = History({int(epoch): scores for epoch, scores in tree["evaluations"].items()}, tree["best_epoch"])
        run_id = read_about(folder).run_id  # after an outage of the server, it is known after the result
        return Result(
            folder=folder,
            run_id=run_id,
            settings=load(folder / SETTINGS).settings,
            metrics=tree["metrics"],
            history=history,
            seconds=tree["seconds"],
            data_fingerprint=tree["data_fingerprint"],
            device=tree["device"],
        )
    except (OSError, ValueError) as error:
        reason = complaints(error) if isinstance(error, ValidationError) else error
        raise RlqError(f"{folder} holds no result of a finished run: {RESULT}: {reason}") from error
