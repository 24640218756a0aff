"""rlq data: list, check and make-synthetic."""

import json
import re
import shutil

import pytest
from click.testing import CliRunner
from naming import assert_names
from tiny_runs import TARGET

from rlq.cli import main
from rlq.data.catalogue import CATALOGUE
from rlq.synthetic import built_in
from rlq.synthetic.layouts import CelebSpec


def test_list_names_every_set_with_its_folders_and_layout():
    lines = CliRunner().invoke(main, ["data", "list"]).output.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)
    assert_names(lines[0], "prcc", "PRCC", "data.root", "rgb/train/<pid>")


def test_check_prints_one_json_object(home):
    shown = home.command("data", "check", "synthetic", "--json")
    tree = json.loads(shown.stdout)
    assert shown.exit_code == 0 and shown.stdout.count("\n") == 1
    assert tree["splits"]["train"] == {"pictures": 96, "identities": 8, "clothes": 16, "cameras": 3}
    assert tree["unreadable"] == [] and tree["chance"]["CC"]["rank1"] == pytest.approx(1 / 4)
    assert set(tree["protocols"]) == {"CC", "SC", "GENERAL"} and len(tree["fingerprint"]) == 16


def test_check_prints_a_table_with_chance_beside_the_colours(home):
    shown = home.command("data", "check", "synthetic", "--root", home.folder / "data/synthetic/prcc")
    lines = shown.stdout.splitlines()
    assert shown.exit_code == 0
    header = next(line for line in lines if line.startswith("protocol"))
    assert [word for word in ("R-1", "mAP", "chance R-1", "chance mAP", "valid queries") if word not in header] == []
    cc = next(line for line in lines if line.startswith("CC ")).split()
    assert cc[1:4] == ["8", "8", "8"] and cc[6] == "25.0"
    assert any(line.startswith("pictures") and "120" in line for line in lines)
    assert any(line.startswith("counts") for line in lines) and "multi-shot" in shown.stdout


def test_check_of_a_broken_set_is_status_1_and_lists_every_broken_picture(home, tmp_path):
    shutil.copytree(home.folder / "data/synthetic/Celeb-reID", tmp_path / "Celeb-reID")
    broken = sorted((tmp_path / "Celeb-reID/gallery").iterdir())[:2]
    broken[0].write_bytes(b"")
    broken[1].write_bytes(broken[1].read_bytes()[:500])
    shown = home.command("data", "check", "celeb_reid", "--root", tmp_path)
    lines = shown.stdout.splitlines()
    assert shown.exit_code == 1 and any(re.match(r"pictures\b.*\b2\b.*\b64\b", line) for line in lines)
    assert all(f"  {path}: " in shown.stdout for path in broken)
    (train,) = [line for line in lines if line.startswith("train ")]
    assert_names(train, 48, CATALOGUE["celeb_reid"].published.splits["train"]["pictures"])
    (header,) = [line for line in lines if line.startswith("protocol")]
    assert "R-1" not in header  # not ranked by colours


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("synthetik",), ("'synthetik'", "synthetic")),
        (("prcc", "--root", "nowhere"), ("prcc", "data.root", "nowhere/PRCC")),
    ],
)
def test_check_of_a_set_that_is_not_there_is_one_line(home, words, told):
    shown = home.command("data", "check", *words)
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert_names(shown.stderr, *told)


def test_make_synthetic_writes_both_sets_once(tmp_path, monkeypatch):
    small = {
        "synthetic": ("synthetic/prcc", TARGET),
        "synthetic_celeb": ("synthetic/Celeb-reID", CelebSpec(4, 2, 2, 1, 1)),
    }
    monkeypatch.setattr(built_in, "BUILT_IN", small)
    words = ["data", "make-synthetic", "--root", str(tmp_path), "--people", "5", "--seed", "3"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    folders = [tmp_path / below for below, _ in small.values()]
    for line, folder, test in zip(shown.output.splitlines(), folders, (4, 2), strict=True):
        assert line.startswith(f"{folder}: ")
        assert sorted(re.findall(r"\b\d+\b", line.removeprefix(f"{folder}: "))) == sorted(["5", str(test), "3"])
    assert len(list((folders[0] / "rgb/train").iterdir())) == 5
    specs = [json.loads((folder / "rlq/synthetic.json").read_text())["spec"] for folder in folders]
    assert [(spec["train_people"], spec["seed"]) for spec in specs] == [(5, 3), (5, 3)]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    assert CliRunner().invoke(main, words).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")} == before
