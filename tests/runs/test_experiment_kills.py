"""Runs whose process was killed where no handler could tell anybody: the same call goes on with them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tiny_runs import EXPERIMENTS, Home, without_clocks

from rlq.ablation import family as table_family
from rlq.ablation import run as running
from rlq.core.console import Console
from rlq.runs import experiment, family, record
from rlq.runs.folder import read_about, write_about
from rlq.runs.record import Membership
from rlq.tracking import MlflowTracker, open_run

SMALL = ("tad.enabled=false", "schedule.epochs=1", "schedule.baselines=false", "optim.milestones=[]", "data.workers=0")


def run(home: Home, folder: Path, *more: str) -> experiment.Result:
    """A row of a table, whose folder is known beforehand."""
    loaded = home.load(*SMALL, "schedule.clothes_from=0", "tracking.figures=false", *more)
    with home.entered():
        return experiment.run(loaded, member=Membership(kind="variant", folder=folder), console=Console(quiet=True))


class Kill(BaseException):
    """Stands in for SIGKILL where nothing but the open tracker would hear of an exception."""


def killed_at(
    monkeypatch: pytest.MonkeyPatch, opener: ModuleType, writer: ModuleType, act: Callable[[], object]
) -> None:
    """Call `act` and kill it after `opener` has opened a run in the tracker, before `writer` writes to its folder."""
    opened: list[MlflowTracker] = []

    def open_and_keep(**asked: Any) -> MlflowTracker:
        opened.append(open_run(**asked))
        return opened[-1]

    def kill(*_: object) -> None:
        opened[-1]._lock.release()  # as the system does
        raise Kill

    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(opener, "open_run", open_and_keep)
        patch.setattr(writer, "write_about", kill)
        act()


def test_a_run_killed_before_its_folder_says_what_it_is_is_gone_on_with(home, monkeypatch):
    folder = Path("runs/killed-at-once")

    killed_at(monkeypatch, record, record, lambda: run(home, folder))
    assert (home.folder / folder / "tracking.jsonl").is_file() and not (home.folder / folder / "run.json").exists()
    result = run(home, folder)
    assert home.tracked(result.run_id).info.status == "FINISHED"
    assert read_about(home.folder / folder).status == "FINISHED"


@pytest.mark.slow
def test_a_table_killed_before_its_folder_says_what_it_is_is_gone_on_with(home, tmp_path, monkeypatch):
    def ablate() -> str:
        changes = home.changes(*SMALL, "schedule.clothes_from=0", "tracking.figures=false")
        with home.entered():
            return running.ablate(table, changes=changes, results=tmp_path / "raw", console=Console(quiet=True))

    table = tmp_path / "table.yaml"
    head = f"title: One way\nbases: {{{EXPERIMENTS}/synthetic.yaml: [CC]}}\nseeds: [1]\n"
    table.write_text(f"{head}rows:\n  - name: one\n")
    before = set((home.folder / "runs").glob("table-*"))
    killed_at(monkeypatch, family, table_family, ablate)
    (folder,) = set((home.folder / "runs").glob("table-*")) - before
    assert (folder / "tracking.jsonl").is_file() and not (folder / "run.json").exists()
    assert "one" in ablate()
    assert read_about(folder).status == "FINISHED"


@pytest.mark.slow
def test_a_run_killed_after_its_result_is_ended_and_nothing_is_logged_twice(home):
    folder = Path("runs/killed-at-the-end")
    first = run(home, folder)
    history = home.history(first.run_id)
    write_about(home.folder / folder, replace(read_about(home.folder / folder), status="RUNNING"))
    home.client.update_run(first.run_id, status="RUNNING")
    second = run(home, folder)
    assert home.tracked(first.run_id).info.status == read_about(home.folder / folder).status == "FINISHED"
    assert without_clocks(second.metrics) == without_clocks(first.metrics)
    assert home.history(first.run_id) == history
    assert len(home.tracked(first.run_id).outputs.model_outputs) == 1


@pytest.mark.slow
def test_a_teacher_killed_after_its_last_weights_is_ended_before_it_teaches(home):
    settings = ("schedule.epochs=1", "schedule.clothes_from=0", "optim.milestones=[]", "schedule.baselines=false")
    student = home.run(*settings, "tracking.figures=false")
    folder = home.folder / "runs/teachers" / home.tracked(student.run_id).data.tags["rlq.teacher"]
    about, weights = read_about(folder), (folder / "last/model.safetensors").read_bytes()
    write_about(folder, replace(about, status="RUNNING"))
    home.client.update_run(about.run_id, status="RUNNING")
    home.run(*settings, "tracking.figures=false")
    assert read_about(folder) == about and home.tracked(about.run_id).info.status == "FINISHED"
    assert (folder / "last/model.safetensors").read_bytes() == weights
