"""The words of `rlq sweep`."""

import json
import re

import pytest
from click.testing import CliRunner
from fake_runs import EXPERIMENTS
from naming import assert_names

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
    assert re.search(r"^study +tiny\b.*sqlite:///", shown.output, re.MULTILINE)
    assert re.search(r"^tiny\b.*\b2 complete\b", shown.output, re.MULTILINE)
    assert re.search(r"^best +.*\d+", shown.output, re.MULTILINE)
    assert re.search(r"^train +rlq train ", shown.output, re.MULTILINE)


def test_json_is_all_that_goes_to_the_output(command):
    shown = command("--trials", 2, "--json")
    assert json.loads(shown.stdout)["counts"]["complete"] == 2
    assert re.search(r"^study +tiny\b", shown.stderr, re.MULTILINE)


def test_the_space_is_shown_and_nothing_run(command, runs):
    shown = command("--print-space", "--selection", "test")
    assert shown.exit_code == 0, shown.output
    assert "cap.pose.clusters" in shown.output
    assert re.search(r"^chosen\b.*\btest\b", shown.output, re.MULTILINE)
    assert runs.settings == []


def test_smoke_runs_two_trials_of_a_few_steps_in_a_study_of_their_own(command, runs):
    shown = command("--smoke")
    assert re.search(r"^tiny-smoke\b.*\b2 complete\b", shown.output, re.MULTILINE), shown.output
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
    assert_names(shown.output, "tiny-smoke", "2 failed", "OSError: disk full")


def test_mend_says_what_it_did(command):
    assert command("--trials", 1).exit_code == 0
    assert re.search(r"\b0\b", command("--trials", 1, "--mend").output)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--force"], ("--force", "--mend")),
        (["--workers", 2, "--mend"], ("--workers", "--mend", "--print-space")),
        (["--storage", "nowhere"], ("'nowhere'", "sqlite:///FILE")),
        (["--trials", 0], ("--trials", "x>=1")),
    ],
)
def test_words_that_make_no_sense_are_answered(command, words, named):
    shown = command(*words)
    assert shown.exit_code != 0
    assert_names(shown.output, *named)


def test_the_storage_may_stand_in_the_environment(command, sweeping, monkeypatch):
    monkeypatch.setenv("RLQ_STORAGE", f"journal:{sweeping.folder}/from-environment.log")
    assert command("--trials", 1).exit_code == 0
    assert (sweeping.folder / "from-environment.log").is_file()
