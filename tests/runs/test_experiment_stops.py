"""Runs that end early: resumed as if they had never stopped, or refused with the reason."""

import json
import os
import re
import signal
import time

import pytest
import torch
from naming import assert_names
from safetensors.torch import load_file
from tiny_runs import Home, without_clocks

from rlq.core.errors import RlqError, TrainingError
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.method import Rlq
from rlq.runs.folder import read_about
from rlq.training.checkpoint import load_state
from rlq.training.signals import Stopped


def break_in(monkeypatch, act, *, epoch: int, step: int) -> None:
    """Call `act` in one step of the CAP pass, before the step does anything."""
    usual, taken = CapStep.__call__, []

    def with_accident(self, batch):
        taken.extend([1] if self.epoch == epoch else [])
        if self.epoch == epoch and len(taken) == step:
            act()
        return usual(self, batch)

    monkeypatch.setattr(CapStep, "__call__", with_accident)


def folder_of(home: Home, name: str):
    (folder,) = [
        path.parent for path in (home.folder / "runs").glob("*/run.json") if read_about(path.parent).name == name
    ]
    return folder


def assert_same_end(home: Home, folder, run_id: str, whole) -> None:
    """Weights, buffers, optimisers and metrics of a resumed run equal those of one that was never stopped."""
    reference = home.folder / whole.folder
    for which in ("best", "last"):
        ours, theirs = (load_file(one / which / "model.safetensors") for one in (folder, reference))
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert (folder / "last/model.safetensors").read_bytes() == (reference / "last/model.safetensors").read_bytes()
    ours, theirs = load_state(folder / "last.pt"), load_state(reference / "last.pt")
    for name in ("epoch", "evaluations", "best_epoch"):
        assert ours[name] == theirs[name]
    for name, state in theirs["optimisers"].items():
        for key, moments in state["state"].items():
            assert all(torch.equal(value, ours["optimisers"][name]["state"][key][n]) for n, value in moments.items())
    assert without_clocks(home.history(run_id)) == without_clocks(home.history(whole.run_id))


@pytest.fixture(scope="module")
def broken_and_resumed(home, whole_run):
    """A run that an error ended in its second epoch, then its continuation; and what was there in between."""
    with pytest.MonkeyPatch.context() as patch:

        def accident():
            raise RuntimeError("the lights went out")

        break_in(patch, accident, epoch=1, step=3)
        with pytest.raises(RuntimeError, match="the lights went out"):
            home.run("tracking.name=broken", "tracking.pictures=false", "tracking.figures=true")
    between = home.named("broken")
    return between, home.resume("broken")


@pytest.mark.slow
def test_an_error_in_a_step_marks_the_run_as_failed(home, broken_and_resumed):
    between, _ = broken_and_resumed
    assert between.info.status == "FAILED" and between.data.tags["rlq.ended_by"] == "the lights went out"
    assert between.data.metrics["loss/cap/total"] > 0 and "CC/rank1" not in between.data.metrics


@pytest.mark.slow
def test_a_run_resumed_after_an_error_ends_bit_for_bit_as_if_it_had_never_stopped(home, whole_run, broken_and_resumed):
    between, result = broken_and_resumed
    assert result.run_id == between.info.run_id
    assert_same_end(home, home.folder / result.folder, result.run_id, whole_run)
    assert without_clocks(result.metrics) == without_clocks(whole_run.metrics)
    run = home.tracked(result.run_id)
    assert run.info.status == read_about(home.folder / result.folder).status == "FINISHED"


@pytest.mark.slow
def test_figures_that_show_people_stay_here_when_asked(home, broken_and_resumed):
    _, result = broken_and_resumed
    assert [name for name in home.files(result.run_id) if name.endswith(".png")] == ["figures/tsne.png"]
    assert (home.folder / result.folder / "rank_list.png").is_file()


def test_a_finished_run_is_not_resumed(home, whole_run):
    with pytest.raises(RlqError) as refused:
        home.resume(whole_run.run_id)
    assert_names(refused.value, "rlq train ", "synthetic.yaml")
    assert_names(refused.value, "whole", whole_run.run_id[:8])


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_signal_ends_the_run_after_saving_and_with_its_exit_status(home, whole_run, monkeypatch, number, status):
    name = f"stopped by {number.name}"
    break_in(monkeypatch, lambda: os.kill(os.getpid(), number), epoch=1, step=2)
    shown = home.command(*home.train_words(f"tracking.name={name}"))
    assert shown.exit_code == status and number.name in shown.output.splitlines()[-1]
    assert "Traceback" not in shown.output
    run = home.named(name)
    assert run.info.status == "KILLED" and number.name in run.data.tags["rlq.ended_by"]
    assert load_state(folder_of(home, name) / "last.pt")["epoch"] == 1


@pytest.mark.slow
def test_a_signal_outside_of_training_ends_the_run_too(home, whole_run, monkeypatch):
    def measure(*_args, **_options):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr(Rlq, "finish", measure)
    with pytest.raises(Stopped):
        home.run("tracking.name=late signal", "schedule.baselines=false")
    assert home.named("late signal").info.status == "KILLED"
    assert load_state(folder_of(home, "late signal") / "last.pt")["epoch"] == 3


def test_a_loss_that_is_not_finite_stops_the_run_with_one_clear_line(home, whole_run):
    shown = home.command(*home.train_words("tracking.name=burnt", "optim.lr=1e30", "schedule.baselines=false"))
    assert shown.exit_code == 1
    (line,) = [line for line in shown.output.splitlines() if line.startswith("Error")]
    for pattern in (r"\b(tad|cap)\b", r"\b(nan|inf)\b", r"\bstep \d+\b", r"\bepoch \d+\b"):
        assert re.search(pattern, line), (pattern, line)
    assert_names(line, "optim.lr", "compute.precision=float32")
    pictures = re.findall(r"[^\s,;]+\.jpg", line)
    assert len(pictures) == 3 and all((home.folder / picture).is_file() for picture in pictures)
    run = home.named("burnt")
    assert run.info.status == "FAILED" and run.data.tags["rlq.ended_by"] == line.removeprefix("Error: ")


def test_the_term_that_is_not_finite_is_named(home, whole_run, monkeypatch):
    usual = CapStep.attribute_terms

    def with_nan(self, outputs, labels):
        terms = usual(self, outputs, labels)
        return terms | {"gender_ce": terms["gender_ce"] * float("nan")} if self.epoch == 1 else terms

    monkeypatch.setattr(CapStep, "attribute_terms", with_nan)
    with pytest.raises(TrainingError) as told:
        home.run("tracking.name=nan", "schedule.baselines=false")
    assert_names(told.value, "gender_ce", "cap", "nan", "step 0", "epoch 1", ".jpg")
    assert set(home.history(home.named("nan").info.run_id)["loss/cap/total"]) == {0}


class TestProcesses:
    """The same with processes of their own and real signals."""

    LONG = ("data.size=[160,80]", "compute.threads=1")  # an epoch of seconds

    def begun(self, home: Home, name: str):
        """A process that is in the middle of its second epoch."""
        process = home.process(*home.train_words(*self.LONG, f"tracking.name={name}"))
        until = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < until:
            found = [p.parent for p in (home.folder / "runs").glob("*/run.json") if read_about(p.parent).name == name]
            rows = (found[0] / "metrics.jsonl") if found else None
            if (
                rows
                and rows.is_file()
                and any(json.loads(r)["name"] == "lr/model" for r in rows.read_text().splitlines())
                and load_state(found[0] / "last.pt")["epoch"] == 1  # is saved after its metrics
            ):
                time.sleep(0.3)
                return process
            time.sleep(0.05)
        process.kill()
        raise AssertionError(f"no first epoch: {process.communicate()[0]}")

    @pytest.fixture(scope="class")
    def reference(self, home):
        return home.run(*self.LONG, "tracking.name=long")

    @pytest.mark.slow
    def test_a_killed_process_resumed_by_the_command_ends_as_if_never_stopped(self, home, reference):
        process = self.begun(home, "killed")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        folder = folder_of(home, "killed")
        assert load_state(folder / "last.pt")["epoch"] == 1 and not (folder / "last").exists()
        resumed = home.process("train", "--resume", "killed")
        output, _ = resumed.communicate(timeout=300)
        assert resumed.returncode == 0, output
        assert_same_end(home, folder, read_about(folder).run_id, reference)

    @pytest.mark.slow
    @pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_signal_ends_the_process_in_order_and_it_resumes(self, home, reference, number, status):
        name = f"process stopped by {number.name}"
        process = self.begun(home, name)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == status
        assert number.name in output.splitlines()[-1] and "Traceback" not in output
        assert home.named(name).info.status == "KILLED"
        result = home.resume(name)
        assert_same_end(home, home.folder / result.folder, result.run_id, reference)
        assert home.named(name).info.status == "FINISHED"
