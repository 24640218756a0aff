"""How long commands take to answer, and how long training takes to its first step."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rlq.bench.measurement import Options, Times, take_turns, time_command
from rlq.bench.results import Goal, Results, Table
from rlq.core.console import Console
from rlq.synthetic.build import ensure_written
from rlq.synthetic.layouts.celeb_reid import CelebSpec
from rlq.synthetic.layouts.prcc import PrccSpec

Item = TypeVar("Item")
RLQ = ("-m", "rlq")
ANSWERS = ("rlq --help", "rlq train --help", "rlq score --help", "an argument error")
EXPERIMENT = Path(__file__).parents[2] / "experiments" / "synthetic.yaml"
# Two steps in each pass are enough; the rest of the experiment is unchanged.
CHANGES = (
    *("schedule.epochs=1", "schedule.max_steps=2", "schedule.clothes_from=0", "optim.milestones=[]"),
    "schedule.baselines=false",
)
STEPS = ("imports", "data and labels", "teacher", "record", "network", "first batch", "first step")


def bench(options: Options) -> Results:
    """Time commands in new processes, then training up to its first step with empty and with warm caches."""
    with tempfile.TemporaryDirectory() as folder:
        answer_table, goals = _answers(Path(folder), 2 if options.quick else max(options.rounds, 7))
        step_table, step_goals = _first_step(Path(folder), options)
    return Results([answer_table, step_table], [*goals, *step_goals])


def _answers(folder: Path, rounds: int) -> tuple[Table, list[Goal]]:
    """Time whole commands."""
    file = folder / "features.npz"
    _write_features(file)
    commands: dict[str, tuple[list[str], int]] = {
        "python -c pass": (["-c", "pass"], 0),
        "import click": (["-c", "import click"], 0),
        "import numpy": (["-c", "import numpy"], 0),
        "import torch": (["-c", "import torch"], 0),
        "rlq --help": ([*RLQ, "--help"], 0),
        "rlq train --help": ([*RLQ, "train", "--help"], 0),
        "rlq score --help": ([*RLQ, "score", "--help"], 0),
        "an argument error": ([*RLQ, "train", "--no-such-option"], 2),
        "rlq score FILE": ([*RLQ, "score", str(file)], 0),
    }
    variants: dict[str, Callable[[], object]] = {
        name: partial(time_command, words, expect=expect) for name, (words, expect) in commands.items()
    }
    times = take_turns(variants, rounds=rounds)
    table = Table(
        f"Whole commands, median of {rounds} new processes",
        ("command", "s", "over python -c pass, s"),
        [(name, one.median, one.median - times["python -c pass"].median) for name, one in times.items()],
        "rlq score: 200 queries and 1,000 gallery pictures of 512 numbers; files of this size do not need torch.",
    )
    goals = [Goal(f"{name}, s", "<=", 0.3, times[name].median) for name in ANSWERS]
    return table, [
        *goals,
        Goal("rlq score FILE / import torch", "<=", 1.2, times["rlq score FILE"].ratio_to(times["import torch"])),
    ]


def _write_features(file: Path) -> None:
    """Write random features for `rlq score`."""
    random = np.random.default_rng(0)
    labels: dict[str, Any] = {
        name: random.integers(0, 50, 200 if name[0] == "q" else 1000) for name in ("q_pid", "g_pid")
    }
    labels |= {name: random.integers(0, 6, 200 if name[0] == "q" else 1000) for name in ("q_cam", "g_cam")}
    features: dict[str, Any] = {
        "f_query": random.standard_normal((200, 512)),
        "f_gallery": random.standard_normal((1000, 512)),
    }
    np.savez(file, **features, **labels)


def _first_step(folder: Path, options: Options) -> tuple[Table, list[Goal]]:
    """Time the same command in a folder with two data sets: first without any cache, then again."""
    tiny: dict[str, Any] = {"train_people": 8, "test_people": 4} if options.quick else {}
    home = folder / "home"
    ensure_written(home / "data/synthetic/prcc", PrccSpec(**tiny))
    ensure_written(home / "data/synthetic/Celeb-reID", CelebSpec(**tiny))
    changes = (*CHANGES, *(("data.size=[32,16]", "data.batch=16", "cap.pose.clusters=4") if options.quick else ()))
    cold = [_run_to_first_step(home, changes)]
    rounds = 1 if options.quick else min(options.rounds, 3)
    warm = [_run_to_first_step(home, changes) for _ in range(rounds)]
    before = {name: Times([parts[name] for parts in cold]).median for name in STEPS}
    after = {name: Times([parts[name] for parts in warm]).median for name in STEPS}
    rows = [(name, before[name], after[name]) for name in STEPS]
    rows.append(("all", sum(before.values()), sum(after.values())))
    table = Table(
        "rlq train to the end of its first step, s",
        ("part", "first time", "again"),
        rows,
        "experiments/synthetic.yaml on the built-in sets. First time: no teacher, no store, no checked picture and no "
        "pose cluster yet; the teacher is trained for only two steps of a pass.",
    )
    return table, [
        Goal("data and labels, again / first time", "<=", 0.5, after["data and labels"] / before["data and labels"]),
        Goal("teacher, again / first time", "<=", 0.5, after["teacher"] / before["teacher"]),
    ]


def _run_to_first_step(home: Path, changes: tuple[str, ...]) -> dict[str, float]:
    """Train up to the first step in a new process; return the seconds of each part."""
    marks = home / "marks.json"
    time_command(["-m", "rlq.bench.startup", str(time.time()), str(marks), str(home), *changes])
    return json.loads(marks.read_text())


class _FirstStepTaken(Exception):
    """The first step has been taken."""


class _Marks(Console):
    """A quiet console that times the parts of a run, and stops it after its first step."""

    def __init__(self, started: float) -> None:
        super().__init__(quiet=True)
        self.last, self.parts, self.recorded = started, dict.fromkeys(STEPS, 0.0), False

    def mark(self, part: str) -> None:
        """Add the time since the last mark to a part."""
        now = time.time()
        self.parts[part] += now - self.last
        self.last = now

    def progress(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Yield the items; steps before the record are the teacher's, the first one after it ends the run."""
        training = self.recorded and label.startswith("epoch ")
        if training:
            self.mark("network")
        for number, item in enumerate(items):
            if training and number == 0:
                self.mark("first batch")
            yield item
            if training:
                self.mark("first step")
                raise _FirstStepTaken


def main(words: list[str]) -> None:
    """Run in a new process; `words` are the start (seconds since 1970), the file of the marks, the folder, changes."""
    import contextlib

    started, file, home, changes = float(words[0]), Path(words[1]), Path(words[2]), words[3:]
    from rlq.runs import experiment

    marks = _Marks(started)
    marks.mark("imports")
    gather, open_record = experiment.gather, experiment.open_record

    def marked_gather(*arguments: Any, **options: Any) -> Any:
        inputs = gather(*arguments, **options)
        marks.mark("teacher" if marks.parts["data and labels"] else "data and labels")
        return inputs

    def marked_open_record(*arguments: Any, **options: Any) -> Any:
        marks.mark("teacher")
        return open_record(*arguments, **options)

    def mark_start(run_id: str, folder: Path) -> None:
        marks.mark("record")
        marks.recorded = True

    experiment.gather, experiment.open_record = marked_gather, marked_open_record
    with contextlib.chdir(home), contextlib.suppress(_FirstStepTaken):
        experiment.run(experiment.load(EXPERIMENT, changes), console=marks, started=mark_start)
    file.write_text(json.dumps(marks.parts))


if __name__ == "__main__":
    main(sys.argv[1:])
