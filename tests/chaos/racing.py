"""The same thing asked for twice at once: one does it and the other waits, or is refused with a clear word."""

import re
from pathlib import Path

from chaos.acts import (
    RUN,
    ablate_in_peace,
    line_with,
    rows_of,
    run_of,
    sweep_in_peace,
    teach_in_peace,
    train_in_peace,
    trials_of,
)
from chaos.comparing import result, same_end, same_files, scratch
from chaos.faults import Fault, Outcome
from chaos.moments import halt_at_word, halted, seen, slow_pictures
from chaos.processes import Process
from chaos.scene import Scene


def one_run(scene: Scene) -> Outcome:
    """One killed run is resumed by two: while one works the other is told so, or waits and finds it finished."""
    peace = scene.undisturbed("train", train_in_peace)
    process = scene.start("train", "train.yaml", before=slow_pictures)
    scene.wait_for(scene.exists(RUN), process)
    assert scene.kill_at(process, seen(scene, process, int(scene.random("one run").integers(1, 150))))
    command = ("train", "--resume", run_of(scene))
    works = scene.start(*command, before=halt_at_word(2))  # the first one says that it is resumed
    assert scene.wait_for(halted(scene, works), works), scene.output(works)[-2000:]
    line = line_with(scene.run(*command, status=1), run_of(scene).name)
    assert scene.kill_at(works, 0.0)
    both = _together(scene, command)
    statuses = [scene.finish(process) for process in both]
    assert 0 in statuses, f"neither came through: {[scene.output(process)[-800:] for process in both]}"
    for process, status in zip(both, statuses, strict=True):
        last = scene.output(process).strip().splitlines()[-1]
        # the run is in use, and named by its folder; or it is finished, and a new one is offered
        refused = status == 1 and last.startswith("Error") and (run_of(scene).name in last or "rlq train" in last)
        assert status == 0 or refused, f"the other ended with {status}: {last}"
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(2, "weights, result, MLflow: bit for bit; the other's word", {"statuses": statuses, "line": line})


def one_teacher(scene: Scene) -> Outcome:
    """Two runs need one teacher and one cache that nobody has made: they are made once."""
    peace = scene.undisturbed("teacher", teach_in_peace)
    both = _together(scene, ("train", "with_teacher.yaml", "--set", "data.cache=true"))
    _all_end(scene, both)
    teachers = [re.findall(r"^teacher .*runs/teachers/.*", scene.output(process), re.MULTILINE) for process in both]
    trained = [sum(".yaml" in line for line in lines) for lines in teachers]  # says from which file
    waited = [sum(".yaml" not in line for line in lines) for lines in teachers]
    mine, yours = scene.one("runs/teachers/*/run.json").parent, peace.one("runs/teachers/*/run.json").parent
    weights = "last/model.safetensors"
    assert (mine / weights).read_bytes() == (yours / weights).read_bytes(), "the teacher differs"
    runs = sorted(path.parent for path in scene.folder.glob(RUN))
    assert len(runs) == 2, f"{len(runs)} runs"
    for run in runs:
        assert (run / weights).read_bytes() == (run_of(peace) / weights).read_bytes(), f"{run} has other weights"
        assert result(run)["metrics"] == result(run_of(peace))["metrics"], f"{run} has other metrics"
    assert (sum(trained), sum(waited)) == (1, 1), f"trained by {trained}, waited for by {waited}"
    assert not scratch(scene.folder / "runs"), scratch(scene.folder / "runs")
    return Outcome(1, "teacher and students: bit for bit; trained once")


def one_set(scene: Scene) -> Outcome:
    """Two processes make one synthetic set: it is whole."""
    words = ("data", "make-synthetic", "--root", "made", "--layout", "last", "--people", "4")
    peace = scene.undisturbed("synthetic", lambda quiet: quiet.run(*words) and None)
    _all_end(scene, _together(scene, words))
    same_files(scene.folder / "made", peace.folder / "made")
    return Outcome(1, "every file of the set")


def one_file(scene: Scene) -> Outcome:
    """Two processes add clusterings to one file of pose clusters: it has both."""
    words = ("pose", "cluster", "--data", "synthetic", "--output", "out/clusters.csv")
    both = scene.undisturbed("both clusterings", lambda quiet: quiet.run(*words, "--k", "3:6") and None)
    _all_end(scene, [scene.start(*words, "--k", counts) for counts in ("3:4", "5:6")])
    assert _columns(scene.folder) == _columns(both.folder), "a column is missing or differs"
    return Outcome(1, "every column of the file")


def one_sweep(scene: Scene) -> Outcome:
    """Two workers begin one study: each trial is made once."""
    peace = scene.undisturbed("sweep", sweep_in_peace)
    _all_end(scene, _together(scene, ("sweep", "sweep.yaml", "--json")))
    mine, yours = trials_of(scene), trials_of(peace)
    assert mine == yours, f"the trials are {mine}, in peace {yours}"
    return Outcome(1, "parameters and values of every trial, each once")


def one_table(scene: Scene) -> Outcome:
    """Two processes run one table: each row is made once."""
    peace = scene.undisturbed("ablation", ablate_in_peace)
    _all_end(scene, _together(scene, ("ablate", "table.yaml", "--results", "raw")))
    assert rows_of(scene) == rows_of(peace), f"the rows are {rows_of(scene)}, in peace {rows_of(peace)}"
    made = sorted(scene.folder.glob("runs/table-*/result.json"))
    assert len(made) == len(rows_of(peace)), f"{len(made)} runs for {len(rows_of(peace))} rows"
    return Outcome(1, "rows, each made once")


def _together(scene: Scene, words: tuple[object, ...]) -> list[Process]:
    return [scene.start(*words), scene.start(*words)]


def _all_end(scene: Scene, processes: list[Process]) -> None:
    for process in processes:
        status = scene.finish(process)
        assert status == 0, f"one ended with {status}: {scene.output(process)[-2000:]}"


def _columns(folder: Path) -> dict[str, list[str]]:
    header, *rows = [line.split(",") for line in (folder / "out/clusters.csv").read_text().splitlines()]
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}


FAULTS = [
    Fault("one run resumed twice", "race", one_run),
    Fault("one teacher and cache", "race", one_teacher, short=True),
    Fault("one synthetic set", "race", one_set),
    Fault("one file of clusters", "race", one_file),
    Fault("one study", "race", one_sweep),
    Fault("one table", "race", one_table),
]
