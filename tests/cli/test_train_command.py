"""rlq train: what it prints, what it refuses, and the command that it offers where something is missing."""

import re
import shlex
import shutil

import pytest
import yaml

from rlq.methods.rlq import figures


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
    monkeypatch.setattr(figures, "draw", lambda *_args, **_options: {})
    shown = home.command(*home.train_words("tracking.name=printed"))
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    run = home.named("printed")
    for number in (1, 2, 3):
        assert any(re.match(rf"epoch {number}/3 .* s  tad loss \d+\.\d+  cap loss \d+\.\d+", line) for line in lines)
    labels = ["chance", "colour histogram", "untrained network", r"RLQ, best epoch \(\d\)", r"RLQ, last epoch \(3\)"]
    for label in labels:
        assert any(re.match(rf"{label} +(\d+\.\d +){{5}}\d+\.\d$", line) for line in lines), label
    best = next(line for line in lines if line.startswith("RLQ, best")).split()[-6]
    assert best == f"{100 * run.data.metrics['best/CC/rank1']:.1f}"
    assert any(line.startswith(f"kept     {run.info.run_id} in runs/printed-") for line in lines)
    assert any(f"rlq evaluate {run.info.run_id[:8]}" in line for line in lines)
    assert any(line.startswith("teacher  ") and line.endswith("(trained before)") for line in lines)


def test_the_resolved_settings_are_shown_and_load_again(home, tmp_path):
    shown = home.command(*home.train_words("optim.lr=1e-5"), "--print-config")
    tree = yaml.safe_load(shown.output)
    assert shown.exit_code == 0 and tree["optim"]["lr"] == 1e-5 and tree["losses"]["margin"] == 0.3
    (tmp_path / "again.yaml").write_text(shown.output)
    assert home.command("train", tmp_path / "again.yaml", "--print-config").output == shown.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optim.weight_decai=1", r"unknown setting optim\.weight_decai; did you mean optim\.weight_decay\?"),
        ("optim.lr=fast", r"optim\.lr = 'fast': .*number"),
        ("optim.lr=-1", r"optim\.lr = -1: .*greater than 0"),
        ("data.batch=6", r"data\.batch = 6 should be a multiple of data\.instances = 4, and at least two of them"),
        ("schedule.clothes_from=9", r"schedule\.clothes_from = 9 is never reached in schedule\.epochs = 3"),
        ("data.dataset=prc", r"unknown data set 'prc'; did you mean prcc\?"),
        ("seed", r"--set 'seed' should read NAME=VALUE"),
        ("backbone.name=resnet_of_my_own", r"backbone\.name = resnet_of_my_own: .*names near it"),
        ("data.batch=64", r"48 pictures of 8 identities make 0 batches of 64 .*; lower data\.batch"),
    ],
)
def test_settings_that_cannot_be_used_are_status_1(home, whole_run, change, told):
    message = refused(home.command(*home.train_words(change)))
    assert re.search(told, message) and message.count("\n") <= 4, message


def test_deterministic_is_a_setting_of_a_new_run(home):
    shown = home.command(*home.train_words(), "--deterministic", "--print-config")
    assert yaml.safe_load(shown.output)["compute"]["deterministic"] is True
    refused = home.command("train", "--resume", "whole", "--deterministic")
    assert refused.exit_code == 2
    assert "a resumed run keeps its settings" in refused.output


def test_a_file_that_is_no_experiment_is_status_1(home, tmp_path):
    (tmp_path / "notes.yaml").write_text("a: [1\n")
    assert "notes.yaml is not valid YAML" in refused(home.command("train", tmp_path / "notes.yaml"))


def test_a_run_that_is_not_there_cannot_be_resumed(home, whole_run):
    message = refused(home.command("train", "--resume", "nobody"))
    assert message.startswith("there is no run nobody in runs; runs there: ")
    assert f"{whole_run.run_id[:8]} (whole)" in message


def test_without_any_data_it_says_where_it_looked_for_what_and_how_to_begin(home, tmp_path):
    message = refused(home.command(*prcc(home, f"data.root={tmp_path}")))
    pictures, external = (
        next(line for line in message.splitlines() if f"- {part}:" in line) for part in ("pictures", "external set")
    )
    for place in (tmp_path, tmp_path / "prcc", tmp_path / "PRCC"):
        assert str(place) in pictures
    assert "rgb/train" in pictures and "PRCC (prcc)" in pictures
    assert str(tmp_path / "Celeb-reID") in external and "gallery" in external
    assert "make train" in message and "rlq train" not in message


def test_all_that_is_missing_is_listed_at_once_with_a_command_that_trains(home, bare_root, monkeypatch):
    monkeypatch.setattr(figures, "draw", lambda *_args, **_options: {})
    message = refused(home.command(*prcc(home, f"data.root={bare_root}", "tracking.name=bare")))
    parts = re.findall(r"^  - ([\w ]+): ", message, flags=re.MULTILINE)
    assert parts == ["external set", "parsing masks", "poses", "genders"]
    for setting in ("clothes.masks", "cap.pose.file", "data.root"):
        assert setting in message
    (line,) = [line for line in message.splitlines() if line.startswith("what can run without them: ")]
    command = shlex.split(line.removeprefix("what can run without them: "))
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
    assert "prcc, pictures that cannot be read (2): " in message
    assert str(first) in message and str(second) in message
    assert sorted((home.folder / "runs").iterdir()) == before
