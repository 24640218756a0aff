import pytest
from click.testing import CliRunner
from naming import assert_names
from table_rows import made_up
from tiny_runs import EXPERIMENTS

from rlq.ablation.rows import write_row
from rlq.cli import main

BASE = EXPERIMENTS / "synthetic.yaml"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a table file lies, with rows of seeds 1 to 3."""
    rows = "rows: [{name: BM}, {name: RLQ, settings: {tad.fraction: 0.5}}]"
    (tmp_path / "parts.yaml").write_text(f"title: Parts\nbases: {{{BASE}: [CC]}}\n{rows}\n")
    for seed in (1, 2, 3):
        write_row(tmp_path / "docs/results/raw", made_up("BM", seed))
        write_row(tmp_path / "rows", made_up("BM", seed, skill=0.2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*words):
    return CliRunner().invoke(main, ["report", *words])


def test_a_report_shows_its_tables_and_where_it_went(folder):
    shown = command("parts.yaml")
    assert shown.exit_code == 0, shown.output
    assert "| BM " in shown.output and '--only "RLQ" --seeds 1,2' in shown.output
    kept = [line.split()[1] for line in shown.output.splitlines() if line.startswith("kept ")]
    names = ("parts.md", "parts.tex", "parts.html", "numbers.json")
    assert kept == [f"build/reports/parts/{name}" for name in names]
    assert all((folder / name).is_file() for name in kept)
    assert "    rlq report parts.yaml\n" in (folder / kept[0]).read_text()


def test_every_option_arrives_and_the_report_tells_the_command(folder):
    given = f"--base {BASE} --results rows --seeds 1,3 --protocol CC --which last --authors-way"
    shown = command("parts.yaml", *given.split(), "--output", "out", "--format", "md")
    assert shown.exit_code == 0, shown.output
    text = (folder / "out/parts.md").read_text()
    assert f"    rlq report parts.yaml {given}\n" in text
    assert "CC best two rank-1" in text and "2 seeds" in text and "last/" in text
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["numbers.json", "parts.md"]
    better = command("parts.yaml", "--output", "out", "--format", "md").output
    assert better != shown.output  # --results was another folder


def test_an_analysis_that_was_asked_for_and_cannot_be_drawn_is_one_line(folder):
    shown = command("parts.yaml", "--analysis", "sharpness")
    assert shown.exit_code == 1
    last = shown.output.splitlines()[-1]
    assert last.startswith("Error: ")
    assert_names(last, "sharpness", "synthetic", 1, 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ("'TABLE_OR_RUNS...'",)),
        (["x", "--seeds", "one"], ("--seeds", "one", "1,2,3")),
        (["x", "--which", "first"], ("--which", "'first'", "'best', 'last', 'paper'")),
        (["x", "--base", "nowhere.yaml"], ("--base", "'nowhere.yaml'")),
    ],
)
def test_wrong_usage_is_status_2(words, told):
    shown = command(*words)
    assert shown.exit_code == 2
    assert_names(shown.output, *told)
