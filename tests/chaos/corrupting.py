"""Files that were damaged while nobody looked: each is told by its name, or mended where nothing is lost by that."""

from pathlib import Path

from chaos.acts import WHOLE, run_of, take_runs, train_in_peace
from chaos.comparing import result, same_end
from chaos.faults import Fault, Outcome
from chaos.moments import seen, slow_pictures
from chaos.scene import Scene
from chaos.workers import one_line


def journals(scene: Scene) -> Outcome:
    """Half a line at the end of both journals of a killed run, as a power cut leaves it."""
    peace, run = scene.undisturbed("train", train_in_peace), _killed(scene, "journals")
    chance = scene.random("torn")
    for name in ("metrics.jsonl", "tracking.jsonl"):
        last = (run / name).read_bytes().splitlines()[-1]
        with (run / name).open("ab") as file:
            file.write(last[: int(chance.integers(1, len(last)))])
    scene.run("train", "--resume", run)
    same_end(scene, run, peace, run_of(peace))
    return Outcome(2, f"resumed: {WHOLE}")


def checkpoint(scene: Scene) -> Outcome:
    """The checkpoint of a killed run is cut short: told, and not trained on with; whole again, it goes on."""
    peace, run = scene.undisturbed("train", train_in_peace), _killed(scene, "checkpoint")
    line = _refused(scene, run / "last.pt", "train", "--resume", run)
    scene.run("train", "--resume", run)
    same_end(scene, run, peace, run_of(peace))
    return Outcome(1, f"one line that names the file; whole again, resumed: {WHOLE}", {"line": line})


def weights(scene: Scene) -> Outcome:
    """The weights of a finished run are cut short: told, and nothing is measured with them."""
    peace = scene.undisturbed("train", train_in_peace)
    take_runs(scene, peace)
    line = _refused(scene, run_of(scene) / "best" / "model.safetensors", "evaluate", run_of(scene))
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(1, "one line that names the file; the run as it was", {"line": line})


def cache(scene: Scene) -> Outcome:
    """A file of decoded pictures is cut short: it is written anew."""
    peace = scene.undisturbed("train", train_in_peace)
    words = ("train", "train.yaml", "--set", "data.cache=true")
    scene.run(*words)
    first = run_of(scene)
    first.rename(scene.folder / "first")
    files = {file: file.read_bytes() for file in sorted(scene.folder.glob("runs/.cache/*.pictures"))}
    for file, content in files.items():
        _cut(scene, file, content)
    scene.run(*words)
    weights = "last/model.safetensors"
    assert (run_of(scene) / weights).read_bytes() == (run_of(peace) / weights).read_bytes(), "the weights differ"
    assert result(run_of(scene))["metrics"] == result(run_of(peace))["metrics"]
    assert {file: file.read_bytes() for file in files} == files, "the files of decoded pictures differ"
    return Outcome(len(files), "weights and metrics of a run without cache; the files, written anew")


def picture(scene: Scene) -> Outcome:
    """A training picture is cut short: told before the training."""
    peace = scene.undisturbed("train", train_in_peace)
    pictures = sorted(scene.folder.glob("data/synthetic/prcc/rgb/train/*/*.jpg"))
    chosen = pictures[int(scene.random("picture").integers(len(pictures)))]
    line = _refused(scene, chosen, "train", "train.yaml")
    assert not list(scene.folder.glob("runs/*/last.pt")), "it began to train"
    scene.run("train", "train.yaml")
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(1, f"one line that names the picture; whole again: {WHOLE}", {"line": line})


def _killed(scene: Scene, name: str) -> Path:
    """A run that was killed in its training."""
    process = scene.start("train", "train.yaml", before=slow_pictures)
    scene.wait_for(scene.exists("runs/*/last.pt"), process)
    assert scene.kill_at(process, seen(scene, process, int(scene.random(name).integers(30, 200))))
    return run_of(scene)


def _refused(scene: Scene, file: Path, *words: object) -> str:
    """The one line that a command says of a file that was cut short, which is whole again afterwards."""
    content, times = file.read_bytes(), file.stat()
    _cut(scene, file, content)
    process = scene.start(*words)
    assert scene.finish(process) == 1, f"it ended well: {scene.output(process)[-1500:]}"
    line = one_line(scene, process)
    assert file.name in scene.output(process), scene.output(process)[-2000:]  # where there may be several: below it
    file.write_bytes(content)
    assert file.stat().st_size == times.st_size
    return line


def _cut(scene: Scene, file: Path, content: bytes) -> None:
    file.write_bytes(content[: int(scene.random("cut", file.name).uniform(0, 0.95) * len(content))])


FAULTS = [
    Fault("journals torn", "corrupt", journals, short=True),
    Fault("checkpoint cut short", "corrupt", checkpoint),
    Fault("weights cut short", "corrupt", weights, short=True),
    Fault("decoded pictures cut short", "corrupt", cache),
    Fault("picture cut short", "corrupt", picture),
]
