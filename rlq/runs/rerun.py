"""Start a run again from what the tracking store holds of it, and see whether it gives the same numbers."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock

from rlq.core.console import Console
from rlq.core.distributed import Place, type_name, usable_device
from rlq.core.errors import RlqError
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

KEPT = ".reruns"  # below the runs folder: the settings of runs that were started again
SHAPING = ("torch", "torchvision", "timm", "albumentations", "numpy", "scikit-learn")  # libraries whose version counts
SCORES = ("best/", "last/", "paper/", "test/")
UNKNOWN = "not said by the run, which an earlier rlq has made"
SHOWN = 10  # metrics named that differ


class Rerun(NamedTuple):
    """A run that was started again, and how it ended beside the first."""

    result: Result
    equal: int  # metrics that are the same to the last bit
    different: tuple[str, ...]  # the others, in words


class Found(NamedTuple):
    """A run of the store, and its experiment as it can be loaded here."""

    stored: StoredRun
    loaded: Loaded


def find(word: str, runs: Path) -> Found:
    """A run by its id, the start of one, its name or its folder, from the store that has it.

    Raises RlqError where there is no such run, or it holds no experiment, as the run of a whole sweep.
    """
    uri, word = _place_of(word, runs)
    stored = find_stored_run(uri, word)
    folder = runs / KEPT / stored.run_id
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        files = fetch_files(uri, stored.run_id, folder, (".yaml", ".yml"))
    if folder / SETTINGS not in files:
        raise RlqError(
            f"the run {stored.name} ({stored.run_id[:8]}) has no {SETTINGS} in the store; a run of runs is begun again "
            "by the command that began it, and a run whose store was away by rlq track sync first"
        )
    return Found(stored, load(folder / SETTINGS))


def differences(found: Found, console: Console | None = None) -> list[str]:
    """What is not as it was when the run was made, a line each; empty where the same numbers may be expected.

    Reads the data. Raises DataError where some of it is missing.
    """
    settings = found.loaded.settings
    inputs = experiment.gather(found.loaded, ALONE, console or Console(quiet=True))
    now = {
        "rlq.source": source_digest(),
        "rlq.settings_fingerprint": fingerprint(found.loaded._replace(settings=inputs.settings)),
        **data_tags(inputs),
    }
    words = {
        "rlq.source": f"the code of rlq ({_commits(found.stored)})",
        "rlq.settings_fingerprint": "what this rlq reads out of the run's settings",
        "rlq.labels_fingerprint": f"the labels of {settings.data.dataset}, such as poses, genders or masks",
        "rlq.data_fingerprint": f"the pictures or lists of {settings.data.dataset} in {inputs.sources[0].root}",
        **{f"rlq.{one.role}_fingerprint": f"the pictures of {one.name}" for one in inputs.sources[1:]},
    }
    return [*_changed(found.stored.tags, now, words), *_other_machine(found)]


def rerun(found: Found, *, console: Console | None = None) -> Rerun:
    """Run it again as a new run with the tag `rlq.rerun_of`, and compare the scores. Raises RlqError as a run does."""
    stored = found.stored
    member = Membership(name=stored.name, tags={"rlq.rerun_of": stored.run_id})
    result = experiment.run(found.loaded, console=console, member=member)
    names = sorted(name for name in {*stored.metrics, *result.metrics} if name.startswith(SCORES))
    different = [
        f"{name}: {stored.metrics.get(name)} there, {result.metrics.get(name)} here"
        for name in names
        if stored.metrics.get(name) != result.metrics.get(name)
    ]
    return Rerun(result, len(names) - len(different), tuple(different))


def closing_words(found: Found, again: Rerun) -> str:
    """What `rlq rerun` says at its end."""
    first = f"{found.stored.name} ({found.stored.run_id[:8]})"
    if not again.equal and not again.different:
        return f"compared {first} has no scores in the store; it ended as {found.stored.status}"
    if not again.different:
        return f"compared all {again.equal} scores are those of {first}, to the last bit"
    more = [f"and {len(again.different) - SHOWN} more"] if len(again.different) > SHOWN else []
    lines = [*again.different[:SHOWN], *more]
    total = again.equal + len(again.different)
    return "\n".join(
        [f"compared {len(again.different)} of {total} scores differ from {first}:", *(f"  {n}" for n in lines)]
    )


def _place_of(word: str, runs: Path) -> tuple[str, str]:
    """The store to ask, and the word for it there: that of the run's folder, if there is one here."""
    try:
        folder = find_run(word, runs)
    except RlqError:  # perhaps made on another machine
        return resolve_uri(runs), word
    uri, run_id = store_of(folder)
    if not run_id:
        raise RlqError(f"{folder} has never reached its store; rlq track sync {folder} sends it, then it can run again")
    return uri, run_id


def _changed(tags: dict[str, str], now: dict[str, str], words: dict[str, str]) -> Iterator[str]:
    for name, value in now.items():
        if name not in tags:
            yield f"{words[name]}: {UNKNOWN}"
        elif tags[name] != value:
            yield f"{words[name]}: {tags[name]} there, {value} here"


def _other_machine(found: Found) -> Iterator[str]:
    tags, versions = found.stored.tags, library_versions()
    for library in SHAPING:
        before, here = tags.get(f"version.{library}", "none"), versions.get(library, "none")
        if before != here:
            yield f"{library}: version {before} there, {here} here"
    compute = found.loaded.settings.compute
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
