"""Other commands that are killed: what they write is the old or the new, and the same command comes to the same end."""

import shutil
from pathlib import Path

from chaos.acts import WHOLE, ablate_in_peace, rows_of, sweep_in_peace, trials_of
from chaos.comparing import contents, runs_of, same_end, same_files
from chaos.faults import Fault, Outcome
from chaos.moments import counted_pictures, halt_at_rename, halt_at_word, halt_in_file, halted, seen, slow_disk
from chaos.scene import Scene

LITTLE = counted_pictures(0.002)  # seconds more per picture
TRIAL = 168  # pictures that a trial, or a row of the table, reads


def clusters(scene: Scene) -> Outcome:
    """SIGKILL of `rlq pose cluster`: its file is the old or the new one."""
    words = ("pose", "cluster", "--data", "synthetic", "--k", "5", "--output", "out/clusters.csv")
    return _one_file(scene, "clusters", words, "out/.????????.clusters.csv", stays=False)


def embedding(scene: Scene) -> Outcome:
    """SIGKILL of `rlq embed`: no half .npz."""
    words = ("embed", "teacher", "data/synthetic/Celeb-reID/query", "--output", "out/features.npz")
    return _one_file(scene, "embedding", words, "out/.????????.features.npz", stays=True)  # for an hour


def synthetic(scene: Scene) -> Outcome:
    """SIGKILL of `rlq data make-synthetic` in place of an older set: never half of one, nothing stays beside it."""
    words = ("data", "make-synthetic", "--root", "made", "--layout", "last", "--people", "4")
    older, output = (*words, "--seed", "2"), scene.folder / "made"
    peace = scene.undisturbed("synthetic", lambda quiet: quiet.run(*words) and None)
    before = scene.undisturbed("synthetic-older", lambda quiet: quiet.run(*older) and None)
    shutil.copytree(before.folder / "made", output)
    whole = [contents(home.folder / "made") for home in (before, peace)]
    chance, kills = scene.random("synthetic"), 0
    process = scene.start(*words, before=slow_disk)
    kills += scene.kill_at(process, scene.exists("made/.last.*/*/*/*.jpg"))
    assert contents(output) == whole[0], "the old set is not as it was"
    for rename in (1, 2):  # before the old set steps aside, before the new one steps in
        process = scene.start(*words, before=halt_at_rename(int(rename)))
        kills += scene.kill_at(process, halted(scene, process))
        assert contents(output) == (whole[0] if rename == 1 else {}), f"half a set is there after rename {rename}"
    kills += scene.kill_at(scene.start(*words), float(chance.uniform(0, 0.8 * peace.seconds)))
    assert contents(output) in (*whole, {}), "half a set is there"
    scene.run(*words)
    same_files(output, peace.folder / "made")
    left = _left(output)
    assert not left, f"temporary files stay: {left}"
    return Outcome(kills, "every file: of the old or the new set, or none, after each; of the new one in the end")


def sweep(scene: Scene) -> Outcome:
    """SIGKILL of a worker: the same command ends with each trial complete once, and with the same values."""
    peace = scene.undisturbed("sweep", sweep_in_peace)
    chance, kills = scene.random("sweep"), 0
    for most in (2 * TRIAL, TRIAL):
        process = scene.start("sweep", "sweep.yaml", "--json", before=LITTLE)
        kills += scene.kill_at(process, seen(scene, process, int(chance.integers(1, most))))
    told = scene.run("sweep", "sweep.yaml", "--json")
    mine, yours = trials_of(scene), trials_of(peace)
    assert mine == yours, f"the trials are {mine}, in peace {yours}; {told[-1500:]}"
    return Outcome(kills, "parameters and values of every complete trial, each once", {"trials": len(yours)})


def ablation(scene: Scene) -> Outcome:
    """SIGKILL of `rlq ablate`: the same command ends with the same rows."""
    peace = scene.undisturbed("ablation", ablate_in_peace)
    chance, kills = scene.random("ablation"), 0
    words = ("ablate", "table.yaml", "--results", "raw")
    process = scene.start(*words, before=halt_at_word(int(chance.integers(1, 15))))
    kills += scene.kill_at(process, halted(scene, process))
    process = scene.start(*words, before=LITTLE)
    kills += scene.kill_at(process, seen(scene, process, int(chance.integers(1, TRIAL))))
    scene.run(*words)
    mine, yours = rows_of(scene), rows_of(peace)
    assert mine == yours, f"the rows are {mine}, in peace {yours}"
    for row in ("slow", "fast"):
        (one,), (other,) = (list(home.folder.glob(f"runs/table-*{row}*/run.json")) for home in (scene, peace))
        same_end(scene, one.parent, peace, other.parent)
    assert len(runs_of(scene.folder, kind="ablation")) == 1, "the table has several runs in MLflow"
    return Outcome(kills, f"rows; {WHOLE}")


def _one_file(scene: Scene, name: str, words: tuple[str, ...], partial: str, *, stays: bool) -> Outcome:
    """Kill a command half through its file, at first with none there, then with an older one, and at a random moment.

    `stays`: what was half-written is not removed by the next one.
    """
    peace = scene.undisturbed(name, lambda quiet: quiet.run(*words) and None)
    output, old = scene.folder / "out", b"an older file"
    (file,) = (path for path in contents(peace.folder / "out"))
    chance, kills = scene.random(name), 0
    for older in (False, True):
        if older and stays:  # a file of features is written anew; to a file of clusters, columns are added
            (output / file).write_bytes(old)
        process = scene.start(*words, before=halt_in_file(partial, float(chance.random())))
        kills += scene.kill_at(process, halted(scene, process))
        there = contents(output)
        assert there == ({file: old} if older and stays else {}), f"there is {sorted(there)} after a kill"
    kills += scene.kill_at(scene.start(*words), float(chance.uniform(0, 0.8 * peace.seconds)))
    scene.run(*words)
    same_files(output, peace.folder / "out")
    left = _left(output)
    assert stays or not left, f"temporary files stay: {left}"
    return Outcome(kills, "its file: the old one or none after each, the new one in the end", {"left": left})


def _left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if not path.name.endswith(".lock")]


FAULTS = [
    Fault("clustering killed", "kill", clusters),
    Fault("make-synthetic killed", "kill", synthetic),
    Fault("embed killed", "kill", embedding),
    Fault("sweep killed", "kill", sweep),
    Fault("ablation killed", "kill", ablation),
]
