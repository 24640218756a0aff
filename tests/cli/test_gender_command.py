"""rlq gender: annotate and check."""

import json
import re
import shutil
import signal
import urllib.request

import pytest


def answer(address: str, person: int, word: str) -> None:
    home, token = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/\?token=(\S+)", address).groups()
    headers = {"Content-Type": "application/json", "X-RLQ-Token": token, "Origin": home}
    body = json.dumps({"person": person, "answer": word}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{home}/answer", body, headers), timeout=10)


def test_annotate_serves_until_ctrl_c_and_check_counts_what_was_said(home, tmp_path):
    file = tmp_path / "gender.csv"
    process = home.process("gender", "annotate", "--data", "synthetic", "--output", file, "--pictures", 3)
    try:
        lines = [process.stdout.readline().strip() for _ in range(3)]
        assert lines[0] == f"synthetic: 0 of 8 people (train) are answered in {file}"
        assert "m, f, u" in lines[2] and "Ctrl-C ends" in lines[2]
        address = lines[1].removeprefix("open ")
        for person, word in ((0, "m"), (7, "u"), (3, "f")):
            answer(address, person, word)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0 and rest == "3 of 8 people are answered: 1 male, 1 female, 1 in doubt\n"
    assert file.read_text() == "Category,ID,Gender,Answer\ntrain,001,1,m\ntrain,004,0,f\ntrain,008,0,u\n"
    shown = home.command("gender", "check", "--data", "synthetic", "--file", file)
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert shown.exit_code == 1
    assert ["train", "8", "3", "1", "1", "1", "5"] in rows and ["test", "4", "0", "0", "0", "0", "4"] in rows
    assert "missing of train: 002, 003, 005, 006, 007" in shown.stdout


def test_check_of_a_whole_file_is_status_0_and_needs_training_people_only(home, tmp_path):
    shown = home.command("gender", "check", "--data", "synthetic")
    assert shown.exit_code == 0 and "missing of" not in shown.stdout
    theirs = home.folder / "data/synthetic/prcc/rlq/gender.csv"
    file = tmp_path / "gender.csv"
    file.write_text("".join(line for line in theirs.open() if line[:5] in ("Categ", "train")) + "train,900,1\n")
    shown = home.command("gender", "check", "--data", "synthetic", "--file", file)
    assert shown.exit_code == 0 and "missing of test: 009, 010, 011, 012" in shown.stdout
    assert "1 people of the file are not in the set" in shown.stdout


def test_a_set_without_a_gender_file_is_told_how_to_make_one(home, tmp_path):
    shutil.copytree(home.folder / "data/synthetic/Celeb-reID/train", tmp_path / "Celeb-reID/train")
    for split in ("query", "gallery"):
        shutil.copytree(home.folder / f"data/synthetic/Celeb-reID/{split}", tmp_path / f"Celeb-reID/{split}")
    shown = home.command("gender", "check", "--data", "celeb_reid", "--root", tmp_path)
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert "there is no " in shown.stderr and "rlq gender annotate --data celeb_reid" in shown.stderr


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["annotate"], 2, "Missing option '--data'"),
        (["annotate", "--data", "synthetik"], 1, "did you mean synthetic?"),
        (["annotate", "--data", "synthetic", "--split", "val"], 2, "'val' is not one of"),
        (["annotate", "--data", "synthetic", "--port", "70000"], 2, "70000 is not in the range"),
        (["annotate", "--data", "synthetic", "--pictures", "0"], 2, "0 is not in the range"),
        (["check", "--data", "synthetic", "--file", "nowhere.csv"], 1, "there is no nowhere.csv"),
    ],
)
def test_wrong_usage_says_what_is_wrong(home, words, status, told):
    shown = home.command("gender", *words)
    assert shown.exit_code == status and told in shown.stderr


def test_a_broken_file_is_one_line_before_the_page_is_opened(home, tmp_path):
    (tmp_path / "gender.csv").write_text("Category,ID,Gender\ntrain,1,yes\n")
    shown = home.command("gender", "annotate", "--data", "synthetic", "--output", tmp_path / "gender.csv")
    assert shown.exit_code == 1 and "line 2: gender 'yes'" in shown.stderr and shown.stderr.count("\n") == 1
