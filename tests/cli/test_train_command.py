"""rlq train: what it prints, what it refuses, and the command that it offers where something is missing."""

import re
import shlex
import shutil

import pytest
import yaml
from naming import assert_names

from rlq.methods.rlq.method import Rlq


@pytest.fixture(scope="module")
def bare_root(home):
    """A folder of sets as somebody has it who only unpacked PRCC: no side files, no external set."""
    root = home.folder / "downloads"
    shutil.copytree(home.folder / "data/synthetic/prcc", root / "prcc", ignore=shutil.ignore_patterns("rlq"))
    return root


def prcc(home, *changes: str) -> list[str]:
    """The words of a training on PRCC with a tiny network."""
    return home.train_words(
        "backbone.name=test_resnet.r160_in1k", "backbone.pretrained=false", "data.workers=0", *changes, file="prcc.yaml"
    )


def refused(shown) -> str:
    """The message of a refusal: status 1, and no traceback."""
    assert shown.exit_code == 1 and "Traceback" not in shown.output
    assert shown.stderr.startswith("Error: ")
    return shown.stderr.removeprefix("Error: ")


def test_a_run_prints_its_epochs_the_yardsticks_and_what_to_do_next(home, whole_run, monkeypatch):
    monkeypatch.setattr(Rlq, "figures", lambda *_args, **_options: ())
    shown = home.command(*home.train_words("tracking.name=printed"))
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    run = home.named("printed")
    for number in (1, 2, 3):
        assert any(re.match(rf"epoch {number}/3\b.*\btad\b.* \d+\.\d+.*\bcap\b.* \d+\.\d+", line) for line in lines)
    rows = [found for line in lines if (found := re.match(r"(\S.*?) +((\d+\.\d +){5}\d+\.\d)$", line))]
    wanted = [("chance",), ("histogram",), ("untrained",), ("RLQ", "best"), ("RLQ", "last", 3)]
    for row, named in zip(rows, wanted, strict=True):
        assert_names(row[1], *named)
    assert rows[3][2].split()[0] == f"{100 * run.data.metrics['best/CC/rank1']:.1f}"
    assert any(re.match(rf"kept +{run.info.run_id}\b.* runs/printed-", line) for line in lines)
    assert any(f"rlq evaluate {run.info.run_id[:8]}" in line for line in lines)
    (teacher,) = [line for line in lines if line.startswith("teacher ")]
    assert "runs/teachers/" in teacher and "teacher.yaml" not in teacher  # it had been trained before


def test_the_resolved_settings_are_shown_and_load_again(home, tmp_path):
    shown = home.command(*home.train_words("optim.lr=1e-5"), "--print-config")
    tree = yaml.safe_load(shown.output)
    assert shown.exit_code == 0 and tree["optim"]["lr"] == 1e-5 and tree["losses"]["margin"] == 0.3
    (tmp_path / "again.yaml").write_text(shown.output)
    assert home.command("train", tmp_path / "again.yaml", "--print-config").output == shown.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optim.weight_decai=1", ("optim.weight_decai", "optim.weight_decay")),
        ("optim.lr=fast", ("optim.lr", "fast")),
        ("optim.lr=-1", ("optim.lr", -1, 0)),
        ("data.batch=6", ("data.batch", 6, "data.instances", 4)),
        ("schedule.clothes_from=9", ("schedule.clothes_from", 9, "schedule.epochs", 3)),
        ("data.dataset=prc", ("'prc'", "prcc")),
        ("seed", ("--set", "'seed'", "NAME=VALUE")),
        ("backbone.name=resnet_of_my_own", ("backbone.name", "resnet_of_my_own", "resnet18")),
        ("data.batch=64", ("data.batch", 48, 8, 64)),
    ],
)
def test_settings_that_cannot_be_used_are_status_1(home, whole_run, change, told):
    message = refused(home.command(*home.train_words(change)))
    assert message.count("\n") <= 4, message
    assert_names(message, *told)


def test_deterministic_is_a_setting_of_a_new_run(home):
    shown = home.command(*home.train_words(), "--deterministic", "--print-config")
    assert yaml.safe_load(shown.output)["compute"]["deterministic"] is True
    refused = home.command("train", "--resume", "whole", "--deterministic")
    assert refused.exit_code == 2
    assert_names(refused.output, "--set", "--base", "--deterministic")


def test_a_file_that_is_no_experiment_is_status_1(home, tmp_path):
    (tmp_path / "notes.yaml").write_text("a: [1\n")
    assert_names(refused(home.command("train", tmp_path / "notes.yaml")), "notes.yaml", "YAML")


def test_a_run_that_is_not_there_cannot_be_resumed(home, whole_run):
    message = refused(home.command("train", "--resume", "nobody"))
    assert_names(message, "nobody", "runs", f"{whole_run.run_id[:8]} (whole)")


def test_without_any_data_it_says_where_it_looked_for_what_and_how_to_begin(home, tmp_path):
    message = refused(home.command(*prcc(home, f"data.root={tmp_path}")))
    pictures, external = (line for line in message.splitlines() if line.startswith("  - "))
    for place in (tmp_path, tmp_path / "prcc", tmp_path / "PRCC"):
        assert str(place) in pictures
    assert "rgb/train" in pictures and "PRCC (prcc)" in pictures
    assert str(tmp_path / "Celeb-reID") in external and "gallery" in external
    assert "make train" in message and "rlq train" not in message


def test_all_that_is_missing_is_listed_at_once_with_a_command_that_trains(home, bare_root, monkeypatch):
    monkeypatch.setattr(Rlq, "figures", lambda *_args, **_options: ())
    message = refused(home.command(*prcc(home, f"data.root={bare_root}", "tracking.name=bare")))
    external, masks, poses, genders = (line for line in message.splitlines() if line.startswith("  - "))
    assert_names(external, "Celeb-reID", "data.root")
    assert_names(masks, bare_root / "prcc/rlq/masks", "clothes.masks", "rlq parsing import")
    assert_names(poses, bare_root / "prcc/rlq/keypoints.json", "cap.pose.file", "rlq pose import")
    assert_names(genders, bare_root / "prcc/rlq/gender.csv", "rlq gender annotate --data prcc")
    (line,) = [line for line in message.splitlines() if "rlq train " in line]
    command = shlex.split(line[line.index("rlq train ") :])
    assert command[0] == "rlq" and command[1:] == [
        *prcc(home, f"data.root={bare_root}", "tracking.name=bare"),
        *("--set", "tad.enabled=false", "--set", "clothes.augment=false"),
        *("--set", "cap.pose.enabled=false", "--set", "cap.gender.enabled=false"),
    ]  # fmt: skip
    shown = home.command(*command[1:])
    assert shown.exit_code == 0, shown.output
    run = home.named("bare")
    assert run.info.status == "FINISHED" and run.data.params["data.dataset"] == "prcc"
    assert run.data.metrics["best/CC/rank1"] >= 0
    assert not {"loss/tad/total", "loss/cap/pose_ce", "loss/cap/gender_ce"} & set(run.data.metrics)


def test_broken_pictures_are_listed_before_anything_is_trained(home, bare_root, tmp_path):
    shutil.copytree(bare_root / "prcc", tmp_path / "prcc")
    first, second, *_ = sorted((tmp_path / "prcc/rgb/train").rglob("*.jpg"))
    first.write_bytes(first.read_bytes()[:200])
    second.write_text("no picture")
    before = sorted((home.folder / "runs").iterdir())
    alone = ("tad.enabled=false", "clothes.augment=false", "cap.pose.enabled=false", "cap.gender.enabled=false")
    message = refused(home.command(*prcc(home, f"data.root={tmp_path}", *alone)))
    assert_names(message, "prcc", 2, first, second)
    assert sorted((home.folder / "runs").iterdir()) == before
