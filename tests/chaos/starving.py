"""No room, no right to write, data that is gone: one clear line, nothing half-written, and once there is room again the
same command comes to the same end."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos.acts import WHOLE, check_whole, line_with, run_of, train_in_peace
from chaos.comparing import same_end, same_files, scratch
from chaos.faults import Fault, Outcome, not_tried
from chaos.moments import seen, slow_pictures, told
from chaos.room import BY_LIMIT, BY_MOUNT, Room, limited, may_mount, room
from chaos.scene import Scene
from chaos.workers import one_line

PLENTY = 1 << 30
FULL = ("No space left", "File too large", "full")
NO_MEANS = "root minds no modes of files, and may not mount here"


class Tight:
    """A folder with little room for what a command writes: `options` belong to its start."""

    def __init__(self, place: Room | None, size: int) -> None:
        self._place, self.how = place, BY_MOUNT if place else BY_LIMIT
        self.options: dict[str, Any] = {} if place else {"before": limited(size)}

    def free(self) -> None:
        """There is room again."""
        if self._place is not None:
            self._place.resize(PLENTY)


@contextmanager
def tight(folder: Path, size: int, longest: int) -> Iterator[Tight]:
    """Room for so many bytes in the folder; where nothing can be mounted, for files of at most `longest`."""
    if not may_mount():
        yield Tight(None, longest)
        return
    with room(folder, size) as place:
        yield Tight(place, size)


def full_runs(scene: Scene) -> Outcome:
    """The disk with the runs is full at a random moment: checkpoints, weights, MLflow's data, result."""
    peace = scene.undisturbed("train", train_in_peace)
    whole, longest = sizes(peace.folder / "runs")
    share = float(scene.random("full runs").uniform(0.05, 0.95))
    with tight(scene.folder / "runs", int(share * whole), int(share * longest)) as disk:
        process = scene.start("train", "train.yaml", **disk.options)
        status, shown = scene.finish(process), scene.output(process)
        runs = [path.parent for path in scene.folder.glob("runs/*/run.json")]
        for run in runs:
            check_whole(run)
        disk.free()
        if status:
            line = one_line(scene, process)
            assert any(word in line for word in FULL), line
            scene.run("train", *(("--resume", runs[0]) if runs else ("train.yaml",)))
        else:  # there was room for the run, and none for what MLflow keeps of it
            line = line_with(shown, "rlq track sync")
            scene.run("track", "sync", runs[0])
        run = run_of(scene)
        same_end(scene, run, peace, run_of(peace))
        assert not scratch(run), f"temporary files stay: {scratch(run)}"
    details = {"how": disk.how, "share": round(share, 2), "line": line, "begun": bool(runs), "status": status}
    return Outcome(1, f"one line, whole files; then {WHOLE}", details)


def full_store(scene: Scene) -> Outcome:
    """No room for MLflow's SQLite file: the run ends well and says how to send its data later."""
    if not may_mount() and os.geteuid() == 0:
        return not_tried(NO_MEANS)
    peace = scene.undisturbed("train", train_in_peace)
    store = scene.folder / "store"
    address = {"MLFLOW_TRACKING_URI": f"sqlite:///{store}/runs/mlflow.db"}
    (store / "runs").mkdir(parents=True)
    little = int(scene.random("full store").integers(0, 20)) * 16384  # of an empty one's 800 kB
    with nothing_to_write(store, little) as how:
        shown = scene.run("train", "train.yaml", env=address)
        line = line_with(shown, "rlq track sync")
    shutil.rmtree(store)
    run = run_of(scene)
    sent = [scene.run("track", "sync", run, env=address).strip() for _ in range(2)]
    same_end(replace(scene, folder=store), run, peace, run_of(peace))
    return Outcome(
        1, f"the run ends well; sent later, twice: {WHOLE}", {"how": how, "bytes": little, "line": line, "sent": sent}
    )


def full_cache(scene: Scene) -> Outcome:
    """No room for decoded pictures: the run says so and does without."""
    if not may_mount() and os.geteuid() == 0:
        return not_tried(NO_MEANS)
    peace = scene.undisturbed("train", train_in_peace)
    cache = scene.folder / "runs" / ".cache"
    little = int(scene.random("full cache").integers(1, 20)) * 16384
    with nothing_to_write(cache, little) as how:
        shown = scene.run("train", "train.yaml", "--set", "data.cache=true")
        line = line_with(shown, "data.cache: ")
    ours, theirs = (home / "last" / "model.safetensors" for home in (run_of(scene), run_of(peace)))
    assert ours.read_bytes() == theirs.read_bytes(), "the weights differ"
    return Outcome(1, "the run ends well, its weights bit for bit", {"how": how, "bytes": little, "line": line})


def full_output(scene: Scene) -> Outcome:
    """No room for what `rlq embed` and `rlq data make-synthetic` write: what was there stays, nothing half is there."""
    embed = ("embed", "teacher", "data/synthetic/Celeb-reID/query", "--output", "out/features.npz")
    make = ("data", "make-synthetic", "--root", "out", "--layout", "last", "--people", "4")

    def act(quiet: Scene) -> None:
        quiet.run(*embed)
        quiet.run(*make)

    peace = scene.undisturbed("outputs", act)
    chance, output, lines = scene.random("full output"), scene.folder / "out", []
    for command in (embed, make):
        whole, longest = sizes(peace.folder / "out") if command is make else sizes(peace.folder / "out", "*.npz")
        old = sizes(output)[0] if output.is_dir() else 0
        share = float(chance.uniform(0.05, 0.9))
        with tight(output, old + int(share * (whole - old)), int(share * longest)) as disk:
            process = scene.start(*command, **disk.options)
            assert scene.finish(process) == 1, f"it ended well: {scene.output(process)[-1000:]}"
            lines.append(one_line(scene, process))
            left = {path.name for path in output.rglob("*") if path.is_file()} - {
                "features.npz",
                ".features.npz.lock",
                ".last.lock",
            }
            assert not left, f"half-written: {sorted(left)[:5]}"
            disk.free()
            scene.run(*command)
    same_files(output, peace.folder / "out")
    return Outcome(2, "one line, nothing half-written; then the same files", {"how": disk.how, "lines": lines})


def read_only_runs(scene: Scene) -> Outcome:
    """A run that was killed, in a folder that nobody may write to any more."""
    if not may_mount() and os.geteuid() == 0:
        return not_tried(NO_MEANS)
    peace = scene.undisturbed("train", train_in_peace)
    process = scene.start("train", "train.yaml", before=slow_pictures)
    scene.wait_for(told(scene, process, "run", 1), process)
    assert scene.kill_at(process, seen(scene, process, int(scene.random("read-only").integers(1, 150))))
    with nobody_writes(scene.folder / "runs"):
        refused = scene.start("train", "--resume", run_of(scene))
        assert scene.finish(refused) == 1, scene.output(refused)[-2000:]
        line = one_line(scene, refused)
        assert "Read-only file system" in line or "Permission denied" in line, line
    scene.run("train", "--resume", run_of(scene))
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(1, f"one line; resumed: {WHOLE}", {"line": line})


def read_only_data(scene: Scene) -> Outcome:
    """Data sets that nobody may write to: a run needs not."""
    if not may_mount() and os.geteuid() == 0:
        return not_tried(NO_MEANS)
    peace = scene.undisturbed("train", train_in_peace)
    with nobody_writes(scene.folder / "data"):
        scene.run("train", "train.yaml")
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(1, WHOLE)


def data_gone(scene: Scene) -> Outcome:
    """The data set's folder disappears in the middle of training, and comes back."""
    peace = scene.undisturbed("train", train_in_peace)
    folder = scene.folder / "data" / "synthetic" / "prcc"
    aside = folder.with_name("elsewhere")
    process = scene.start("train", "train.yaml", before=slow_pictures)
    scene.wait_for(told(scene, process, "run", 1), process)
    scene.wait_for(seen(scene, process, int(scene.random("data gone").integers(1, 150))), process)
    folder.rename(aside)
    assert scene.finish(process) == 1, f"nobody missed the data: {scene.output(process)[-1000:]}"
    line = one_line(scene, process)
    assert ".jpg" in line and "No such file" in line, line
    aside.rename(folder)
    scene.run("train", "--resume", run_of(scene))
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(1, f"one line that names the picture; resumed: {WHOLE}", {"line": line})


@contextmanager
def nothing_to_write(folder: Path, little: int) -> Iterator[str]:
    """Room for a few bytes in a folder; for somebody who may not mount, none at all."""
    if may_mount():
        with room(folder, little + 4096 * 4):
            yield BY_MOUNT
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            yield "by modes of files"


@contextmanager
def nobody_writes(folder: Path) -> Iterator[None]:
    """The folder is read-only."""
    if may_mount():
        with room(folder, PLENTY) as place:
            place.resize(PLENTY, read_only=True)
            yield
    else:
        with locked(folder):
            yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody but root may write here."""
    places = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for place in places:
        place.chmod(0o555)
    try:
        yield
    finally:
        for place in places:
            place.chmod(0o755)


def sizes(folder: Path, pattern: str = "*") -> tuple[int, int]:
    """Bytes of all files below a folder, and of the longest."""
    found = [-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob(pattern) if path.is_file()]
    return sum(found), max(found, default=0)


FAULTS = [
    Fault("full disk", "starve", full_runs, short=True),
    Fault("full tracking store", "starve", full_store),
    Fault("full cache", "starve", full_cache),
    Fault("full output", "starve", full_output),
    Fault("read-only runs", "starve", read_only_runs),
    Fault("read-only data", "starve", read_only_data),
    Fault("data gone", "starve", data_gone, short=True),
]
