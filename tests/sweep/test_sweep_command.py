"""The words of `rlq sweep`."""

import json

import pytest
from click.testing import CliRunner
from fake_runs import EXPERIMENTS

from rlq.cli import main


@pytest.fixture
def command(sweeping, runs):
    """`rlq sweep` over a small sweep file, with its runs in the test's folder."""

    def command(*words, **changes):
        places = ["--set", f"tracking.folder={sweeping.folder / 'runs'}"]
        return CliRunner().invoke(main, ["sweep", str(sweeping.file(**changes)), *places, *map(str, words)])

    return command


def test_a_sweep_prints_its_trials_the_best_and_how_to_train_with_it(command):
    shown = command("--trials", 2)
    assert shown.exit_code == 0, shown.output
    assert "study    tiny in sqlite:///" in shown.output
    assert "tiny: 2 complete" in shown.output
    assert "best     trial" in shown.output
    assert "train    rlq train" in shown.output


def test_json_is_all_that_goes_to_the_output(command):
    shown = command("--trials", 2, "--json")
    assert json.loads(shown.stdout)["counts"]["complete"] == 2
    assert "study    tiny" in shown.stderr


def test_the_space_is_shown_and_nothing_run(command, runs):
    shown = command("--print-space", "--selection", "test")
    assert shown.exit_code == 0, shown.output
    assert "cap.pose.clusters" in shown.output and "the test set" in shown.output
    assert runs.settings == []


def test_smoke_runs_two_trials_of_a_few_steps_in_a_study_of_their_own(command, runs):
    shown = command("--smoke")
    assert "tiny-smoke: 2 complete" in shown.output, shown.output
    assert {settings.schedule.max_steps for settings in runs.settings} == {2}


def test_another_experiment_takes_the_place_of_the_one_in_the_file(command, runs):
    shown = command("--base", EXPERIMENTS / "synthetic.yaml", "--trials", 1)
    assert shown.exit_code == 0, shown.output
    assert runs.settings[0].schedule.epochs == 8
    assert "synthetic.yaml --set" in shown.output


def test_a_sweep_in_which_nothing_worked_ends_with_an_error(command, runs):
    def broken(settings):
        raise OSError("disk full")

    runs.curve = broken
    shown = command("--smoke")
    assert shown.exit_code == 1
    assert "no trial of tiny-smoke has worked: 2 failed" in shown.output
    assert "OSError: disk full" in shown.output


def test_mend_says_what_it_did(command):
    assert command("--trials", 1).exit_code == 0
    assert "0 trials are queued again or given up" in command("--trials", 1, "--mend").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--force"], "--force goes with --mend"),
        (["--workers", 2, "--mend"], "--workers goes with neither --mend nor --print-space"),
        (["--storage", "nowhere"], "'nowhere' is no address of a storage"),
        (["--trials", 0], "0 is not in the range x>=1"),
    ],
)
def test_words_that_make_no_sense_are_answered(command, words, message):
    shown = command(*words)
    assert shown.exit_code != 0
    assert message in shown.output


def test_the_storage_may_stand_in_the_environment(command, sweeping, monkeypatch):
    monkeypatch.setenv("RLQ_STORAGE", f"journal:{sweeping.folder}/from-environment.log")
    assert command("--trials", 1).exit_code == 0
    assert (sweeping.folder / "from-environment.log").is_file()
