"""rlq data: list, check and make-synthetic."""

import json
import shutil

import pytest
from click.testing import CliRunner
from tiny_runs import TARGET

from rlq.cli import main
from rlq.data.catalogue import CATALOGUE
from rlq.synthetic import built_in
from rlq.synthetic.layouts import CelebSpec


def test_list_names_every_set_with_its_folders_and_layout():
    lines = CliRunner().invoke(main, ["data", "list"]).output.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)
    assert "prcc or PRCC below data.root" in lines[0] and "rgb/train/<pid>" in lines[0]


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
    assert any(line.startswith("pictures: all 120 can be read (") for line in lines)
    assert "counts: none published" in lines and "multi-shot: the whole gallery is ranked" in shown.stdout


def test_check_of_a_broken_set_is_status_1_and_lists_every_broken_picture(home, tmp_path):
    shutil.copytree(home.folder / "data/synthetic/Celeb-reID", tmp_path / "Celeb-reID")
    broken = sorted((tmp_path / "Celeb-reID/gallery").iterdir())[:2]
    broken[0].write_bytes(b"")
    broken[1].write_bytes(broken[1].read_bytes()[:500])
    shown = home.command("data", "check", "celeb_reid", "--root", tmp_path)
    assert shown.exit_code == 1 and "pictures: 2 of 64 cannot be read (" in shown.stdout
    assert all(f"  {path}: " in shown.stdout for path in broken)
    assert "differs from" in shown.stdout and "ranked by colour" not in shown.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("synthetik",), "unknown data set 'synthetik'; did you mean synthetic?"),
        (("prcc", "--root", "nowhere"), "PRCC (prcc) is not below data.root = nowhere; tried "),
    ],
)
def test_check_of_a_set_that_is_not_there_is_one_line(home, words, told):
    shown = home.command("data", "check", *words)
    assert shown.exit_code == 1 and told in shown.stderr and shown.stderr.count("\n") == 1


def test_make_synthetic_writes_both_sets_once(tmp_path, monkeypatch):
    small = {
        "synthetic": ("synthetic/prcc", TARGET),
        "synthetic_celeb": ("synthetic/Celeb-reID", CelebSpec(4, 2, 2, 1, 1)),
    }
    monkeypatch.setattr(built_in, "EMBEDDED", small)
    words = ["data", "make-synthetic", "--root", str(tmp_path), "--people", "5", "--seed", "3"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    folders = [tmp_path / below for below, _ in small.values()]
    sizes = ("5 people to train on, 4 to test, seed 3", "5 people to train on, 2 to test, seed 3")
    assert shown.output.splitlines() == [f"{f}: {size}" for f, size in zip(folders, sizes, strict=True)]
    assert len(list((folders[0] / "rgb/train").iterdir())) == 5
    specs = [json.loads((folder / "rlq/synthetic.json").read_text())["spec"] for folder in folders]
    assert [(spec["train_people"], spec["seed"]) for spec in specs] == [(5, 3), (5, 3)]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    assert CliRunner().invoke(main, words).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")} == before
