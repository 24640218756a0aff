"""rlq gender: annotate and check."""

import json
import re
import shutil
import signal
import urllib.request

import pytest
from naming import assert_names


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
        assert_names(lines[0], file)
        assert_names(lines[0].replace(str(file), ""), "synthetic", 0, 8, "train")
        assert_names(lines[2], "m, f, u", "Ctrl-C")
        address = re.search(r"http://\S+", lines[1]).group()
        for person, word in ((0, "m"), (7, "u"), (3, "f")):
            answer(address, person, word)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0 and rest.count("\n") == 1
    assert re.findall(r"\d+", rest) == ["3", "8", "1", "1", "1"]
    assert file.read_text() == "Category,ID,Gender,Answer\ntrain,001,1,m\ntrain,004,0,f\ntrain,008,0,u\n"
    shown = home.command("gender", "check", "--data", "synthetic", "--file", file)
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert shown.exit_code == 1
    assert ["train", "8", "3", "1", "1", "1", "5"] in rows and ["test", "4", "0", "0", "0", "0", "4"] in rows
    assert re.search(r"^.*\btrain\b.* 002, 003, 005, 006, 007$", shown.stdout, re.MULTILINE)


def test_check_of_a_whole_file_is_status_0_and_needs_training_people_only(home, tmp_path):
    shown = home.command("gender", "check", "--data", "synthetic")
    lines = shown.stdout.splitlines()
    assert shown.exit_code == 0 and lines[-1].startswith("test ")  # nothing to say below the table
    theirs = home.folder / "data/synthetic/prcc/rlq/gender.csv"
    file = tmp_path / "gender.csv"
    file.write_text("".join(line for line in theirs.open() if line[:5] in ("Categ", "train")) + "train,900,1\n")
    shown = home.command("gender", "check", "--data", "synthetic", "--file", file)
    missing, strangers = shown.stdout.splitlines()[-2:]
    assert shown.exit_code == 0 and "test" in missing and missing.endswith(" 009, 010, 011, 012")
    assert re.findall(r"\d+", strangers) == ["1"]


def test_a_set_without_a_gender_file_is_told_how_to_make_one(home, tmp_path):
    shutil.copytree(home.folder / "data/synthetic/Celeb-reID/train", tmp_path / "Celeb-reID/train")
    for split in ("query", "gallery"):
        shutil.copytree(home.folder / f"data/synthetic/Celeb-reID/{split}", tmp_path / f"Celeb-reID/{split}")
    shown = home.command("gender", "check", "--data", "celeb_reid", "--root", tmp_path)
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert_names(shown.stderr, "gender.csv", "rlq gender annotate --data celeb_reid")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["annotate"], 2, ("--data",)),
        (["annotate", "--data", "synthetik"], 1, ("synthetik", "synthetic")),
        (["annotate", "--data", "synthetic", "--split", "val"], 2, ("--split", "'val'", "train")),
        (["annotate", "--data", "synthetic", "--port", "70000"], 2, ("--port", 70000, 65535)),
        (["annotate", "--data", "synthetic", "--pictures", "0"], 2, ("--pictures", 0, 1)),
        (["check", "--data", "synthetic", "--file", "nowhere.csv"], 1, ("nowhere.csv",)),
    ],
)
def test_wrong_usage_says_what_is_wrong(home, words, status, told):
    shown = home.command("gender", *words)
    assert shown.exit_code == status
    assert_names(shown.stderr, *told)


def test_a_broken_file_is_one_line_before_the_page_is_opened(home, tmp_path):
    (tmp_path / "gender.csv").write_text("Category,ID,Gender\ntrain,1,yes\n")
    shown = home.command("gender", "annotate", "--data", "synthetic", "--output", tmp_path / "gender.csv")
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert_names(shown.stderr, tmp_path / "gender.csv", "line 2", "'yes'")
