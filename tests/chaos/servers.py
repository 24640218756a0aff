"""Servers that die, hang or come back late: training goes on, and in the end they have everything once."""

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chaos.acts import WHOLE, line_with, run_of, train_in_peace
from chaos.comparing import same_end
from chaos.faults import Fault, Outcome, not_tried
from chaos.moments import all_of, counted_pictures, go_on, halt_at_word, halted, seen, slow_pictures, told
from chaos.processes import PATIENCE
from chaos.scene import Scene
from sweep.servers import free_port, own_postgres, postgres_tools


class Server:
    """An MLflow server of a scene, which keeps its data in <scene>/served and dies and comes back at one address."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.home = scene, scene.folder / "served"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen | None = None
        (self.home / "runs").mkdir(parents=True)

    def start(self) -> None:
        runs = self.home / "runs"
        store = ["--backend-store-uri", f"sqlite:///{runs}/mlflow.db", "--artifacts-destination", str(runs / "files")]
        words = [self.scene.python, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port), *store]
        env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(words, env=env, stdout=log, stderr=log, start_new_session=True)
        self.scene.wait_for(self._answers, timeout=PATIENCE)

    def signal(self, number: int) -> None:
        """To all of its processes."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)
            self._process.wait()

    def whole(self, run: Path, peace: Scene) -> None:
        """It has all of the run, each thing once, as a store without a server has in peace."""
        same_end(replace(self.scene, folder=self.home), run, peace, run_of(peace))

    def _answers(self) -> bool:
        time.sleep(0.1)
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=1) as answer:
                return answer.read() == b"OK"
        except OSError:
            return False


@contextmanager
def server_of(scene: Scene) -> Iterator[Server]:
    server = Server(scene)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def restarted(scene: Scene) -> Outcome:
    """SIGKILL of the MLflow server at a random moment of a run; it is back before the end."""
    peace = scene.undisturbed("train", train_in_peace)
    with server_of(scene) as server:
        halt = all_of(slow_pictures, halt_at_word(1, once="runs/*/last/config.json"))
        process = scene.start("train", "train.yaml", env={"MLFLOW_TRACKING_URI": server.address}, before=halt)
        scene.wait_for(told(scene, process, "run", 1), process)
        scene.wait_for(seen(scene, process, int(scene.random("restarted").integers(1, 100))), process)
        server.stop()
        scene.wait_for(halted(scene, process), process)  # trained; it waits until the server is there again
        server.start()
        go_on(scene, process)
        assert scene.finish(process) == 0, scene.output(process)[-2000:]
        line = line_with(scene.output(process), "tracking: ")
        assert "rlq track sync" not in scene.output(process), scene.output(process)[-2000:]
        server.whole(run_of(scene), peace)
    return Outcome(1, f"the run never waits for it; {WHOLE}", {"line": line})


def never_back(scene: Scene) -> Outcome:
    """The server dies and stays dead: the run ends well and names what sends the rest; twice is harmless."""
    peace = scene.undisturbed("train", train_in_peace)
    with server_of(scene) as server:
        address = {"MLFLOW_TRACKING_URI": server.address}
        process = scene.start("train", "train.yaml", env=address, before=slow_pictures)
        scene.wait_for(told(scene, process, "run", 1), process)
        scene.wait_for(seen(scene, process, int(scene.random("never back").integers(1, 150))), process)
        server.stop()
        assert scene.finish(process) == 0, scene.output(process)[-2000:]
        line = line_with(scene.output(process), "rlq track sync")
        words = line.rpartition("rlq ")[2].split()
        away = line_with(scene.run(*words, status=1, env=address), "Error")  # told, and nothing lost
        server.start()
        sent = [scene.run(*words, env=address).strip() for _ in range(2)]
        server.whole(run_of(scene), peace)
    return Outcome(1, f"the run ends well; sent later, twice: {WHOLE}", {"line": line, "away": away, "sent": sent})


def hanging(scene: Scene) -> Outcome:
    """The server takes every connection and never answers: training is held up for an attempt or two at most."""
    peace = scene.undisturbed("train", train_in_peace)
    with server_of(scene) as server:
        address = {"MLFLOW_TRACKING_URI": server.address, "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}
        process = scene.start("train", "train.yaml", env=address, before=slow_pictures)
        scene.wait_for(told(scene, process, "run", 1), process)
        server.signal(signal.SIGSTOP)
        began = time.monotonic()
        assert scene.finish(process) == 0, scene.output(process)[-2000:]
        seconds = time.monotonic() - began
        line = line_with(scene.output(process), "rlq track sync")
        server.signal(signal.SIGCONT)
        sent = scene.run("track", "sync", run_of(scene), env=address).strip()
        server.whole(run_of(scene), peace)
    return Outcome(
        1, f"the run ends well; sent later: {WHOLE}", {"seconds_to_the_end": seconds, "line": line, "sent": sent}
    )


def database(scene: Scene) -> Outcome:
    """PostgreSQL is restarted in the middle of a sweep: that goes on, or says so and the same command ends it."""
    if postgres_tools() is None:
        return not_tried("there is no PostgreSQL on this machine")
    chance = scene.random("database")
    with own_postgres() as (address, restart):
        words = ("sweep", "sweep.yaml", "--storage", address, "--json")
        process = scene.start(*words, before=counted_pictures(0.002))
        scene.wait_for(seen(scene, process, int(chance.integers(1, 400))), process)
        restart()
        status = scene.finish(process)
        shown = scene.output(process)
        assert "Traceback" not in shown, shown[-3000:]
        if status:
            scene.run(*words)
        trials = _trials(address)
    complete = sorted(params for params, state in trials if state == "COMPLETE")
    assert complete == sorted(f"{{'optim.lr': {rate}}}" for rate in (0.0003, 0.001, 0.003)), trials
    assert not [state for _, state in trials if state in ("RUNNING", "WAITING")], trials
    return Outcome(1, "each trial complete once, none left open", {"status": status, "trials": trials})


def _trials(address: str) -> list[tuple[str, str]]:
    import optuna

    (summary,) = optuna.get_all_study_summaries(address)
    study = optuna.load_study(study_name=summary.study_name, storage=address)
    return [(str(trial.params), trial.state.name) for trial in study.trials]


FAULTS = [
    Fault("server restarted", "kill", restarted),
    Fault("server never back", "kill", never_back),
    Fault("server hangs", "starve", hanging),
    Fault("database restarted", "kill", database),
]
