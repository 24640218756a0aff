"""Repeat a run with the settings in the tracking store, and compare the scores."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock

from rlq.core.console import Console
from rlq.core.distributed import Place, type_name, usable_device
from rlq.core.errors import RlqError
from rlq.core.text import lines_of
from rlq.methods.base import Loaded
from rlq.runs import experiment
from rlq.runs.folder import SETTINGS, find_run
from rlq.runs.load import fingerprint, load
from rlq.runs.record import Membership, data_tags, device_name
from rlq.runs.result import Result
from rlq.synthetic.provide import ALONE
from rlq.tracking import (
    StoredRun,
    fetch_files,
    find_stored_run,
    git_tags,
    library_versions,
    resolve_uri,
    source_digest,
    store_of,
)

SETTINGS_FOLDER = ".reruns"  # below the runs folder: the settings of repeated runs
LIBRARIES = ("torch", "torchvision", "timm", "albumentations", "numpy", "scikit-learn")  # which shape results
SCORES = ("best/", "last/", "paper/", "test/")
UNKNOWN = "not recorded by the run, which an earlier version of rlq made"
SHOWN = 10  # differing metrics that are listed


class Rerun(NamedTuple):
    """The result of a repeated run, compared with the original."""

    result: Result
    equal: int  # number of metrics that are equal to the last bit
    different: tuple[str, ...]  # a line for each other metric


class Original(NamedTuple):
    """A run in the store, and its experiment as loaded here."""

    stored: StoredRun
    loaded: Loaded


def find(word: str, runs: Path) -> Original:
    """Return a run by its id, a prefix of it, its name or its folder, from the store that has it.

    Raises RlqError if there is no such run, or if it has no experiment, like the parent run of a sweep.
    """
    uri, word = _place_of(word, runs)
    stored = find_stored_run(uri, word)
    folder = runs / SETTINGS_FOLDER / stored.run_id
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        files = fetch_files(uri, stored.run_id, folder, (".yaml", ".yml"))
    if folder / SETTINGS not in files:
        raise RlqError(
            f"the run {stored.name} ({stored.run_id[:8]}) has no {SETTINGS} in the store; repeat a parent run by the "
            "command that started it, and send a run that the store has only in part by rlq track sync"
        )
    return Original(stored, load(folder / SETTINGS))


def differences(original: Original, console: Console | None = None) -> list[str]:
    """Return a line for everything that differs from the time of the run; without any, equal scores are expected.

    Reads the data. Raises DataError if some of it is missing.
    """
    settings = original.loaded.settings
    inputs = experiment.gather(original.loaded, ALONE, console or Console(quiet=True))
    now = {
        "rlq.source": source_digest(),
        "rlq.settings_fingerprint": fingerprint(original.loaded._replace(settings=inputs.settings)),
        **data_tags(inputs),
    }
    words = {
        "rlq.source": f"the code of rlq ({_commits(original.stored)})",
        "rlq.settings_fingerprint": "the run's settings as this version of rlq reads them",
        "rlq.labels_fingerprint": f"the labels of {settings.data.dataset}, such as poses, genders or masks",
        "rlq.data_fingerprint": f"the pictures or lists of {settings.data.dataset} in {inputs.sources[0].root}",
        **{f"rlq.{source.role}_fingerprint": f"the pictures of {source.name}" for source in inputs.sources[1:]},
    }
    return [*_changed(original.stored.tags, now, words), *_machine_differences(original)]


def rerun(original: Original, *, console: Console | None = None) -> Rerun:
    """Repeat it as a new run with the tag `rlq.rerun_of`, and compare the scores. Raises RlqError as a run does."""
    stored = original.stored
    member = Membership(name=stored.name, tags={"rlq.rerun_of": stored.run_id})
    result = experiment.run(original.loaded, console=console, member=member)
    names = sorted(name for name in {*stored.metrics, *result.metrics} if name.startswith(SCORES))
    different = [
        f"{name}: {stored.metrics.get(name)} there, {result.metrics.get(name)} here"
        for name in names
        if stored.metrics.get(name) != result.metrics.get(name)
    ]
    return Rerun(result, len(names) - len(different), tuple(different))


def comparison_text(original: Original, repeated: Rerun) -> str:
    """Return the last lines of `rlq rerun`."""
    first = f"{original.stored.name} ({original.stored.run_id[:8]})"
    if not repeated.equal and not repeated.different:
        return f"compared {first} has no scores in the store; it ended as {original.stored.status}"
    if not repeated.different:
        return f"compared all {repeated.equal} scores equal those of {first}, to the last bit"
    total = repeated.equal + len(repeated.different)
    head = f"compared {len(repeated.different)} of {total} scores differ from {first}:"
    return "\n".join([head, *lines_of(repeated.different, SHOWN)])


def _place_of(word: str, runs: Path) -> tuple[str, str]:
    """Return the store of a run and the word for the run there; a run folder here decides both."""
    try:
        folder = find_run(word, runs)
    except RlqError:  # perhaps the run of another machine
        return resolve_uri(runs), word
    uri, run_id = store_of(folder)
    if not run_id:
        raise RlqError(f"{folder} is not in its store yet; send it first: rlq track sync {folder}")
    return uri, run_id


def _changed(tags: dict[str, str], now: dict[str, str], words: dict[str, str]) -> Iterator[str]:
    for name, value in now.items():
        if name not in tags:
            yield f"{words[name]}: {UNKNOWN}"
        elif tags[name] != value:
            yield f"{words[name]}: {tags[name]} there, {value} here"


def _machine_differences(original: Original) -> Iterator[str]:
    tags, versions = original.stored.tags, library_versions()
    for library in LIBRARIES:
        before, here = tags.get(f"version.{library}", "none"), versions.get(library, "none")
        if before != here:
            yield f"{library}: version {before} there, {here} here"
    compute = original.loaded.settings.compute
    device = torch.device(usable_device(compute.device))
    now = {
        "rlq.device": device_name(Place(device)),
        "rlq.compute_type": type_name(compute.precision, device),
    }
    yield from _changed(tags, now, {"rlq.device": "the device", "rlq.compute_type": "the arithmetic"})
    processes = os.environ.get("WORLD_SIZE", "1")
    if tags.get("rlq.processes", processes) != processes:
        yield f"the number of processes: {tags['rlq.processes']} there, {processes} here"


def _commits(stored: StoredRun) -> str:
    here = git_tags(Path(__file__).parent)
    return f"commit {_commit(stored.tags)} there, {_commit(here)} here"


def _commit(tags: dict[str, str]) -> str:
    commit = tags.get("mlflow.source.git.commit")
    if commit is None:
        return "unknown"
    return commit[:10] + (" with changes" if tags.get("git.dirty") == "true" else "")
