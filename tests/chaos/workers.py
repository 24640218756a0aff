"""Data workers that die, hang or run out of shared memory: one clear line, then `--resume` comes to the same end."""

import os
import signal
import time
from pathlib import Path

from chaos.acts import WHOLE, run_of, train_in_peace
from chaos.comparing import same_end
from chaos.faults import Fault, Outcome
from chaos.moments import seen, slow_pictures, told
from chaos.processes import PATIENCE, Process, members
from chaos.room import little_shared_memory, may_mount
from chaos.scene import Scene

PATIENT = ("--set", "data.patience=10")  # more than a busy machine needs for a batch
PEOPLE = "data/synthetic/prcc/rgb/train/*/"


def killed(scene: Scene) -> Outcome:
    """SIGKILL of a data worker at a random moment, twice."""
    peace = scene.undisturbed("train", train_in_peace)
    chance = scene.random("worker killed")
    process, lines = scene.start("train", "train.yaml", before=slow_pictures), []
    for _ in range(2):
        scene.wait_for(told(scene, process, "run", 1), process)
        strike(scene, process, signal.SIGKILL, int(chance.integers(1, 80)))
        assert scene.finish(process) == 1, f"nobody missed the worker: {scene.output(process)[-1000:]}"
        lines.append(one_line(scene, process))
        assert "data.workers" in lines[-1] and "--resume" in lines[-1], lines[-1]
        process = scene.start("train", "--resume", run_of(scene), before=slow_pictures)
    assert scene.finish(process) == 0, scene.output(process)[-2000:]
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(len(lines), f"one line; resumed: {WHOLE}", {"lines": lines})


def stopped(scene: Scene) -> Outcome:
    """SIGSTOP of a data worker: it neither delivers nor dies."""
    peace = scene.undisturbed("train-patient", train_patiently)
    process = scene.start("train", "train.yaml", *PATIENT, before=slow_pictures)
    scene.wait_for(told(scene, process, "run", 1), process)
    strike(scene, process, signal.SIGSTOP, int(scene.random("worker stopped").integers(1, 150)))
    assert scene.finish(process) == 1, scene.output(process)[-2000:]
    line = one_line(scene, process)
    assert "data.patience" in line, line
    scene.run("train", "--resume", run_of(scene))
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(1, f"one line instead of a hang; resumed: {WHOLE}", {"line": line})


def hanging(scene: Scene) -> Outcome:
    """Pictures that never come, those of one person: whoever opens them waits for ever."""
    peace = scene.undisturbed("train-patient", train_patiently)
    people = sorted(scene.folder.glob(PEOPLE))
    person = people[int(scene.random("picture").integers(len(people)))]
    process = scene.start("train", "train.yaml", *PATIENT)
    assert scene.wait_for(told(scene, process, "epoch", 1), process), scene.output(process)[-2000:]
    os.kill(process.pid, signal.SIGSTOP)  # the epochs to come must not be over before all pictures are changed
    content = {picture: picture.read_bytes() for picture in sorted(person.glob("*.jpg"))}
    for picture in content:
        pipe = picture.with_suffix(".pipe")
        os.mkfifo(pipe)
        pipe.rename(picture)  # at once: a picture that is gone would be another fault
    os.kill(process.pid, signal.SIGCONT)
    assert scene.finish(process) == 1, scene.output(process)[-2000:]
    line = one_line(scene, process)
    assert "data.patience" in line and ".jpg" in line, line
    for picture, was in content.items():
        picture.unlink()
        picture.write_bytes(was)
    scene.run("train", "--resume", run_of(scene))
    same_end(scene, run_of(scene), peace, run_of(peace))
    return Outcome(1, f"one line that names the batch; resumed: {WHOLE}", {"line": line})


def no_shared_memory(scene: Scene) -> Outcome:
    """Shared memory with no room for a batch."""
    peace = scene.undisturbed("train", train_in_peace)
    size = int(scene.random("shared memory").choice([4096, 65536, 98304]))
    how = little_shared_memory(size) if may_mount() else refuse_to_share
    process = scene.start("train", "train.yaml", before=how)
    assert scene.finish(process) == 1, f"with {size} bytes of shared memory: {scene.output(process)[-2000:]}"
    line = one_line(scene, process)
    assert "shared memory" in line and "--shm-size" in line and "data.workers=0" in line, line
    scene.run("train", "--resume", run_of(scene))
    same_end(scene, run_of(scene), peace, run_of(peace))
    by = f"{size} bytes of shared memory" if may_mount() else "torch's error made by hand: no right to mount"
    return Outcome(1, f"one line; resumed: {WHOLE}", {"how": by, "line": line})


def train_patiently(scene: Scene) -> None:
    scene.run("train", "train.yaml", *PATIENT)


def strike(scene: Scene, process: Process, number: int, pictures: int) -> None:
    """Send a signal to the command's data workers once so many pictures are read, one by one, until it has ended or
    none is left."""
    scene.wait_for(seen(scene, process, pictures), process)
    scene.wait_for(lambda: workers(process), process)
    struck: set[int] = set()
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        for pid in [pid for pid in workers(process) if pid not in struck][:1]:
            os.kill(pid, number)
            struck.add(pid)
        time.sleep(0.2)


def workers(process: Process) -> list[int]:
    """The command's forked children; Python's own helpers are started anew and have other words."""
    words = Path(f"/proc/{process.pid}/cmdline")
    try:
        own = words.read_bytes()
        return [
            pid for pid in members(process) if pid != process.pid and Path(f"/proc/{pid}/cmdline").read_bytes() == own
        ]
    except OSError:  # one of them has just ended
        return []


def one_line(scene: Scene, process: Process) -> str:
    """The only error that a command has told; a traceback is none."""
    output = scene.output(process)
    assert "Traceback" not in output, output[-3000:]
    lines = [line for line in output.splitlines() if line.startswith("Error")]
    assert len(lines) == 1 and len(lines[0]) < 1000, f"not one line: {output[-3000:]}"
    return lines[0]


def refuse_to_share() -> None:
    import torch

    def full(self: torch.Tensor) -> None:
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    torch.Tensor.share_memory_ = full  # type: ignore[method-assign,assignment]


FAULTS = [
    Fault("worker killed", "kill", killed, short=True),
    Fault("worker stopped", "starve", stopped),
    Fault("picture never comes", "starve", hanging),
    Fault("no shared memory", "starve", no_shared_memory),
]
