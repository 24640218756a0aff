"""`rlq sweep` as processes, over runs of a few seconds in the folder of small data sets."""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from tiny_runs import EXPERIMENTS

PATIENCE = 200  # seconds until processes that do not end are given up
TRIALS, EPOCHS = 4, 4


def sweep_file(home, folder: Path, name: str, *, epochs: int = EPOCHS, **changes) -> Path:
    """A sweep of runs of a few seconds, with signs of life every second."""
    tree = {
        "name": name,
        "experiment": str(EXPERIMENTS / "synthetic_short.yaml"),
        "metric": {"name": "CC/rank1", "goal": "maximize"},
        "sampler": {"name": "random", "seed": 1},
        "trials": TRIALS,
        "heartbeat": {"interval": 1, "grace": 4, "retries": 2},
        "fixed": {
            "data.size": [32, 16],
            "data.batch": 16,
            "data.workers": 0,
            "data.holdout": 0.5,
            "tad.teacher": str(home.folder / "teacher.yaml"),
            "tad.fraction": 1.0,
            "compute.precision": "float32",
            "schedule.epochs": epochs,
            "schedule.clothes_from": 0,
            "schedule.evaluate_every": 1,
            "optim.milestones": [],
        },
        "parameters": {"cap.pose.clusters": {"min": 3, "max": 6}, "optim.lr": {"min": 1e-4, "max": 1e-2, "log": True}},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tree | changes, sort_keys=False))
    return path


def start(home, words: list[str], log: Path, *, processes: int = 1, **environment: str) -> subprocess.Popen:
    """`rlq sweep` as a process of its own, or as several under torchrun."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    with log.open("w") as lines:
        return subprocess.Popen(
            [sys.executable, *(launcher if processes > 1 else []), "-m", "rlq", "sweep", *words],
            cwd=home.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
            stdout=lines,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def ended(process: subprocess.Popen, log: Path) -> int:
    try:
        return process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.terminate()  # torchrun ends its processes then
        process.wait(timeout=60)
        raise AssertionError(f"a worker did not end:\n{log.read_text()}") from None
