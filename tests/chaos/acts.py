"""What happens in peace, and what is looked at afterwards."""

import json
import shutil
from pathlib import Path

from chaos.comparing import scratch
from chaos.processes import Process
from chaos.scene import Scene

RUN = "runs/*/run.json"
WHOLE = "weights, result, MLflow: bit for bit"


def train_in_peace(scene: Scene) -> None:
    scene.run("train", "train.yaml")


def evaluate_in_peace(scene: Scene) -> None:
    take_runs(scene, scene.undisturbed("train", train_in_peace))
    scene.run("evaluate", run_of(scene), "--json")


def teach_in_peace(scene: Scene) -> None:
    scene.run("train", "with_teacher.yaml")


def sweep_in_peace(scene: Scene) -> None:
    scene.run("sweep", "sweep.yaml", "--json")


def ablate_in_peace(scene: Scene) -> None:
    scene.run("ablate", "table.yaml", "--results", "raw")


def run_of(scene: Scene) -> Path:
    """The folder of the scene's only run."""
    return scene.one(RUN).parent


def take_runs(scene: Scene, other: Scene) -> None:
    """Replace the scene's runs by another's."""
    shutil.rmtree(scene.folder / "runs")
    shutil.copytree(other.folder / "runs", scene.folder / "runs")


def is_finished(run: Path) -> bool:
    """Whether its last word is that all is well; it may be killed after that."""
    return bool(json.loads((run / "run.json").read_text())["status"] == "FINISHED")


def ended(scene: Scene, process: Process) -> None:
    """It has to end well."""
    status = scene.finish(process)
    assert status == 0, f"it ended with {status}: {scene.output(process)[-2000:]}"


def line_with(output: str, words: str) -> str:
    """The first line of a command's output that has these words; it must be there, and no traceback."""
    found = [line for line in output.splitlines() if words in line]
    assert found and "Traceback" not in output, f"no line says {words!r}: {output[-2000:]}"
    return found[0].strip()


def check_whole(run: Path) -> None:
    """Every file that a run's folder shows can be read."""
    from rlq.training.checkpoint import load_state, load_weights

    for path in sorted(run.rglob("*.json")):
        if not path.name.startswith("."):
            json.loads(path.read_text())
    for path in sorted(run.rglob("[!.]*.safetensors")):
        load_weights(path)
    if (run / "last.pt").is_file():
        load_state(run / "last.pt")


def trials_of(scene: Scene) -> list[tuple[str, list[float]]]:
    """Parameters and values of the complete trials, by parameters."""
    import optuna

    study_file = scene.one("runs/sweeps/*.db")
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{study_file}")
    trials = optuna.load_study(study_name=study.study_name, storage=f"sqlite:///{study_file}").trials
    return sorted((json.dumps(t.params), t.values) for t in trials if t.state == optuna.trial.TrialState.COMPLETE)


def rows_of(scene: Scene) -> dict[str, object]:
    files = sorted((scene.folder / "raw").rglob("*.json"))
    assert not scratch(scene.folder / "raw"), "temporary files stay among the rows"
    return {path.name: {key: json.loads(path.read_text())[key] for key in ("metrics", "fingerprint")} for path in files}
