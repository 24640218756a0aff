"""Runs that are killed: the same command, or the one that goes on, has to come to the same end."""

import json
import shutil

from chaos.acts import (
    RUN,
    WHOLE,
    check_whole,
    ended,
    evaluate_in_peace,
    is_finished,
    run_of,
    take_runs,
    teach_in_peace,
    train_in_peace,
)
from chaos.comparing import result, same_end, scratch, tracked
from chaos.faults import Fault, Outcome
from chaos.moments import halt_at_word, halt_in_file, halted, seen, slow_pictures
from chaos.processes import members
from chaos.scene import Scene

ORPHANS = 60.0  # seconds in which data workers of a killed process must have noticed; torch looks every 5
EPOCH = 82  # pictures that an epoch of training and its evaluation read


def training(scene: Scene) -> Outcome:
    """SIGKILL of the process or its whole group at random pictures, again and again while it resumes."""
    peace = scene.undisturbed("train", train_in_peace)
    chance, killed, orphans = scene.random("training"), [], 0
    command: tuple[object, ...] = ("train", "train.yaml")
    for most in (2 * EPOCH, EPOCH, EPOCH):
        process = scene.start(*command, before=slow_pictures)
        scene.wait_for(scene.exists(RUN), process)
        group = bool(chance.random() < 0.5)
        if not scene.kill_at(process, seen(scene, process, int(chance.integers(1, most))), group=group):
            break
        killed.append(process)
        orphans += not group
        command = ("train", "--resume", run_of(scene))
        if is_finished(run_of(scene)):
            break
    if not is_finished(run_of(scene)):
        scene.run(*command)
    same_end(scene, run_of(scene), peace, run_of(peace))
    scene.wait_for(lambda: not any(map(members, killed)), timeout=ORPHANS)
    return Outcome(len(killed), WHOLE, {"parents_alone": orphans})


def writing(scene: Scene) -> Outcome:
    """SIGKILL while a file of the run is half on the disk: three kinds of them."""
    peace = scene.undisturbed("train", train_in_peace)
    files = ["best/model.safetensors", "best/config.json", "last.pt", "last/model.safetensors", "result.json"]
    chance = scene.random("writing")
    chosen = sorted(chance.permutation(files)[:3], key=files.index)  # in the order in which they are written
    command: tuple[object, ...] = ("train", "train.yaml")
    left = 0
    for name in chosen:
        folder, _, file = name.rpartition("/")
        partial = f"{folder}{'/' if folder else ''}.????????.{file}"
        trained = "runs/*/best/config.json" if name == "last.pt" else ""  # not the one before the first step
        halt = halt_in_file(partial, float(chance.random()), once=trained)
        process = scene.start(*command, before=halt)
        killed = scene.kill_at(process, halted(scene, process))
        assert killed, f"it ended before it wrote {name}: {scene.output(process)[-500:]}"
        left += len(scratch(run_of(scene)))
        check_whole(run_of(scene))
        command = ("train", "--resume", run_of(scene))
    scene.run(*command)
    same_end(scene, run_of(scene), peace, run_of(peace))
    assert not scratch(run_of(scene)), f"temporary files stay: {scratch(run_of(scene))}"
    assert left == len(chosen), f"{left} half-written files lay there after {len(chosen)} kills"
    return Outcome(len(chosen), f"old or new file, never half; {WHOLE}; nothing temporary stays", {"files": chosen})


def closing(scene: Scene) -> Outcome:
    """SIGKILL between the last epoch and the end of the run, between two words to the tracker."""
    peace = scene.undisturbed("train", train_in_peace)
    chance, kills = scene.random("closing"), 0
    command: tuple[object, ...] = ("train", "train.yaml")
    for _ in range(2):
        halt = halt_at_word(int(chance.integers(1, 6)), once="runs/*/last/config.json")
        process = scene.start(*command, before=halt)
        if not scene.kill_at(process, halted(scene, process)):
            ended(scene, process)
            break
        kills += 1
        command = ("train", "--resume", run_of(scene))
    if not is_finished(run_of(scene)):
        scene.run(*command)
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(kills, WHOLE)


def evaluation(scene: Scene) -> Outcome:
    """SIGKILL of `rlq evaluate` of a finished run: its numbers are in the run once, and the run's own are as before."""
    peace = scene.undisturbed("evaluate", evaluate_in_peace)
    take_runs(scene, scene.undisturbed("train", train_in_peace))
    run, words = run_of(scene), ("evaluate", run_of(scene), "--json")
    chance, kills = scene.random("evaluation"), 0
    for word in (int(chance.integers(1, 4)), 1):
        process = scene.start(*words, before=halt_at_word(word))
        kills += scene.kill_at(process, halted(scene, process))
    process = scene.start(*words, before=slow_pictures)
    kills += scene.kill_at(process, seen(scene, process, int(chance.integers(1, 19))))
    told = [scene.run(*words).splitlines()[-1] for _ in range(2)]
    expected = peace.run("evaluate", run_of(peace), "--json").splitlines()[-1]
    assert told == [expected, expected], f"it says {told}, in peace {expected}"
    mine, yours = (tracked(home.folder, result(run_of(home))["run_id"]) for home in (scene, peace))
    assert mine == yours, "the run in the tracker differs from one that was evaluated in peace"
    assert json.loads((run / "run.json").read_text())["status"] == "FINISHED"
    return Outcome(kills, "what it prints, and the run in MLflow, once each")


def caching(scene: Scene) -> Outcome:
    """SIGKILL while decoded pictures and marks of checked ones are written: the same command makes the same weights."""
    peace = scene.undisturbed("train", train_in_peace)
    chance, kills = scene.random("caching"), 0
    words = ("train", "train.yaml", "--set", "data.cache=true")
    halt = halt_in_file("runs/.cache/.????????.*.pictures", float(chance.random()))
    process = scene.start(*words, before=halt)
    kills += scene.kill_at(process, halted(scene, process))
    cache = scene.folder / "runs" / ".cache"
    assert scratch(cache), "no half-written file was left: the fault has shown nothing"
    for moment in (scene.exists("runs/.cache/*.pictures"), float(chance.uniform(0, 2))):
        kills += scene.kill_at(scene.start(*words), moment)
    for begun in scene.folder.glob("runs/[!.]*/tracking.jsonl"):  # runs that were begun are not this one
        shutil.rmtree(begun.parent)
    scene.run(*words)
    mine, yours = run_of(scene), run_of(peace)
    for weights in ("best/model.safetensors", "last/model.safetensors"):
        assert (mine / weights).read_bytes() == (yours / weights).read_bytes(), f"{weights} differ from uncached ones"
    assert result(mine)["metrics"] == result(yours)["metrics"]
    assert not scratch(cache), f"temporary files stay in the cache: {scratch(cache)}"
    return Outcome(kills, "weights and metrics of a run without cache; nothing temporary stays")


def teacher(scene: Scene) -> Outcome:
    """SIGKILL while the teacher of a run is begun, trained and ended: the same command goes on with it."""
    peace = scene.undisturbed("teacher", teach_in_peace)
    chance, kills = scene.random("teacher"), 0
    words, folder = ("train", "with_teacher.yaml"), "runs/teachers/*"
    moments: list[tuple[str, int]] = [("tracking.jsonl", 6), ("last.pt", 3), ("last/config.json", 7)]
    for place, most in moments:  # begun, in training, trained
        process = scene.start(*words, before=halt_at_word(int(chance.integers(1, most)), once=f"{folder}/{place}"))
        kills += scene.kill_at(process, halted(scene, process))
    scene.run(*words)
    mine, yours = scene.one(f"{folder}/run.json").parent, peace.one(f"{folder}/run.json").parent
    same_end(scene, mine, peace, yours)
    finished = list(scene.folder.glob("runs/*/result.json"))
    assert len(finished) == 1, f"{len(finished)} runs are finished"
    weights = "last/model.safetensors"
    assert (finished[0].parent / weights).read_bytes() == (run_of(peace) / weights).read_bytes(), "the student differs"
    return Outcome(kills, f"teacher: {WHOLE}; the student's weights")


FAULTS = [
    Fault("training killed", "kill", training, short=True),
    Fault("files being written killed", "kill", writing, short=True),
    Fault("closing killed", "kill", closing),
    Fault("evaluation killed", "kill", evaluation),
    Fault("cache building killed", "kill", caching),
    Fault("teacher killed", "kill", teacher, short=True),
]
