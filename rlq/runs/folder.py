"""Run folders, with the settings and weights of a run, and the words that name a run."""

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
FOREIGN = {  # files that are not weights of rlq -> what to do
    ".onnx": "ONNX files are for other programs; name the run, its folder or a .safetensors of rlq weights export",
    ".tar": "rlq weights import turns it into a folder first",
    ".pth": "rlq weights import turns it into a folder first",
}


@dataclass(frozen=True)
class About:
    """The identity and state of a run, stored in its folder."""

    run_id: str
    name: str
    kind: str  # run, teacher, variant, ablation, ...
    origin: str  # what follows `rlq train` to run it again
    status: Status | Literal["RUNNING"]


def write_about(folder: Path, about: About) -> None:
    """Write the file that read_about reads."""
    write_file(folder / ABOUT, json.dumps(asdict(about), indent=1) + "\n")


def read_about(folder: Path) -> About:
    """Read the identity and state of a run. Raises RlqError if the folder is not that of a run."""
    try:
        about = About(**parsed_json((folder / ABOUT).read_text()))
        wrong = [name for name, value in asdict(about).items() if not isinstance(value, str)]
        if wrong:
            raise ValueError(f"{wrong[0]} is not text")
        return about
    except (OSError, ValueError, TypeError) as error:
        raise RlqError(f"{folder} is not the folder of a run: its {ABOUT} cannot be read ({error})") from error


def find_run(word: str, runs: Path) -> Path:
    """Return the folder of a run, by folder, MLflow run id, unique prefix of an id (from 4 characters) or name.

    Raises RlqError that lists the runs, or the runs that the word fits.
    """
    if (Path(word) / ABOUT).is_file():
        return Path(word)
    folders = sorted(path.parent for path in (*runs.glob(f"*/{ABOUT}"), *runs.glob(f"teachers/*/{ABOUT}")))
    abouts = {folder: read_about(folder) for folder in folders}
    exact = [folder for folder, about in abouts.items() if word in (about.run_id, about.name, folder.name)]
    by_prefix = [folder for folder, about in abouts.items() if len(word) >= 4 and about.run_id.startswith(word)]
    matches = exact or by_prefix
    if len(matches) == 1:
        return matches[0]
    if matches:
        choice = ", ".join(_short(abouts[folder]) for folder in matches)
        raise RlqError(f"{word} fits several runs: {choice}; give more of the id")
    existing = ", ".join(_short(about) for about in abouts.values()) or "none"
    raise RlqError(f"there is no run {word} in {runs}; existing runs: {existing}; name a run elsewhere by its folder")


def _short(about: About) -> str:
    return f"{about.run_id[:8]} ({about.name})"


def find_weights(word: str, which: str, runs: Path) -> tuple[Path, Path | None]:
    """Return the weights that a word names, as load_model takes them, and the run's folder if the word names a run.

    The word is a weights folder, its model.safetensors, an exported .safetensors file, or a run, of which the `which`
    weights (best or last) are used. Raises RlqError for anything else.
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
        raise RlqError(f"the run {read_about(run).name} in {run} has no {which} weights yet; continue it first")
    return run / which, run


def _has_config(folder: Path) -> bool:
    return (folder / CONFIG).is_file()
