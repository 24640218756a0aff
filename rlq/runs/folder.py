"""Run folders: where a run keeps its settings and weights, and how people name a run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rlq.core.errors import RlqError
from rlq.core.files import parsed_json, write_file
from rlq.methods.base import CONFIG, WEIGHTS
from rlq.tracking import Status

ABOUT = "run.json"
SETTINGS = "experiment.yaml"
FOREIGN = {  # files that people take for weights -> what to do
    ".onnx": "ONNX files are for other programs; name the run, its folder or a .safetensors of rlq weights export",
    ".tar": "rlq weights import turns it into a folder first",
    ".pth": "rlq weights import turns it into a folder first",
}


@dataclass(frozen=True)
class About:
    """What identifies a run; kept in its folder."""

    run_id: str
    name: str
    kind: str  # run, teacher or variant
    origin: str  # what follows `rlq train` to run it again
    status: Status | Literal["RUNNING"]


def write_about(folder: Path, about: About) -> None:
    """Write what read_about reads."""
    write_file(folder / ABOUT, json.dumps(asdict(about), indent=1) + "\n")


def read_about(folder: Path) -> About:
    """Raises RlqError when the folder is no run's."""
    try:
        about = About(**parsed_json((folder / ABOUT).read_text()))
        odd = [name for name, value in asdict(about).items() if not isinstance(value, str)]
        if odd:
            raise ValueError(f"{odd[0]} is no text")
        return about
    except (OSError, ValueError, TypeError) as error:
        raise RlqError(f"{folder} is not the folder of a run: its {ABOUT} cannot be read ({error})") from error


def find_run(word: str, runs: Path) -> Path:
    """The folder of a run, by folder, MLflow run id, unique prefix of one (4 characters or more) or name.

    Raises RlqError that lists what there is, or between what the word leaves the choice.
    """
    if (Path(word) / ABOUT).is_file():
        return Path(word)
    folders = sorted(path.parent for path in (*runs.glob(f"*/{ABOUT}"), *runs.glob(f"teachers/*/{ABOUT}")))
    known = {folder: read_about(folder) for folder in folders}
    exact = [f for f, about in known.items() if word in (about.run_id, about.name, f.name)]
    prefix = [f for f, about in known.items() if len(word) >= 4 and about.run_id.startswith(word)]
    found = exact or prefix
    if len(found) == 1:
        return found[0]
    if found:
        choice = ", ".join(f"{known[f].run_id[:8]} ({known[f].name})" for f in found)
        raise RlqError(f"{word} may be any of {choice}; say more of its id")
    there = ", ".join(f"{about.run_id[:8]} ({about.name})" for about in known.values()) or "none yet"
    raise RlqError(f"there is no run {word} in {runs}; runs there: {there}; a run elsewhere goes by its folder")


def find_weights(word: str, which: str, runs: Path) -> tuple[Path, Path | None]:
    """The weights that a word names, as load_network takes them, and the run's folder if the word names a run.

    The word is a folder of weights, its model.safetensors, an exported .safetensors file, or a run, whose `which` (best
    or last) weights are meant. Raises RlqError for anything else.
    """
    path = Path(word)
    if path.suffix.lower() in FOREIGN and path.is_file():
        raise RlqError(f"{word}: {FOREIGN[path.suffix.lower()]}")
    if path.suffix == ".safetensors" and path.is_file() and not (path.name == WEIGHTS and _has_config(path.parent)):
        return path, None
    for folder in (path, path.parent) if path.is_file() else (path,):
        if _has_config(folder):
            return folder, None
    run = find_run(word, runs)
    if not _has_config(run / which):
        raise RlqError(f"the run {read_about(run).name} in {run} has no {which} weights yet")
    return run / which, run


def _has_config(folder: Path) -> bool:
    return (folder / CONFIG).is_file()
