"""Table files: what they hold, and what is said about wrong ones."""

from pathlib import Path

import pytest
from made_rows import TABLE, write_table
from tiny_runs import EXPERIMENTS

from rlq.ablation.table import read_table_file, slug
from rlq.core.errors import SettingsError
from rlq.core.scores import RANKING

BASE = EXPERIMENTS / "synthetic.yaml"


def test_a_table_names_its_bases_rows_and_protocols(tmp_path):
    table = read_table_file(write_table(tmp_path, BASE))
    assert table.name == "two_ways" and table.base_files() == [BASE] and table.seeds == (1, 2)
    assert [row.name for row in table.rows] == ["BM", "BM + G"]
    assert table.shown(BASE, RANKING) == ("CC",) and table.shown(Path("other.yaml"), RANKING) == ("CC",)
    assert table.row("bm-g") is table.row("BM + G")


def test_bases_are_found_from_the_table_wherever_it_is_read_from(tmp_path, monkeypatch):
    (tmp_path / "base.yaml").write_text("seed: 1")
    (tmp_path / "tables").mkdir()
    file = write_table(tmp_path / "tables", Path("../base.yaml"))
    monkeypatch.chdir("/")
    assert read_table_file(file).base_files() == [tmp_path / "base.yaml"]


def test_rows_get_file_names_that_a_shell_takes_as_they_are():
    assert slug("BM + TAD (K=4) 0.5") == "bm-tad-k-4-0.5"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BM + G", "BM", r"\bBM\b"),
        ("BM + G", "bm", r"\bBM, bm\b"),
        ("title: Two ways", "", r"\btitle\b"),
        ("seeds: [1, 2]", "seeds: []", r"\bseeds\b"),
        ("seeds: [1, 2]", "seeds: [one]", r"\bseeds\.0\b.*'one'"),
        ("[CC]}}", "[XX]}}", r"\bXX\b.*\bCC, SC, General\b"),
        ("seeds: [1, 2]", "reference: CAL", r"\breference\b.*\bCAL\b.*\bBM, BM"),
        ("published: {{synthetic", "published: {{market", r"\bmarket\b"),
        ("58.0", "580", r"\bpublished\.synthetic\.CC\.0\b.*\b580\b"),
        ("seeds:", "sees:", r"\bsees\b.*\bseeds\b"),
        ("seeds: [1, 2]", "file: x", r"\bfile\b"),
    ],
)
def test_a_wrong_table_is_refused_with_the_reason(tmp_path, old, new, message):
    file = write_table(tmp_path, BASE, TABLE.replace(old, new))
    with pytest.raises(SettingsError, match=message) as error:
        read_table_file(file)
    assert str(file) in str(error.value)


def test_a_base_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        read_table_file(write_table(tmp_path, Path("nowhere.yaml")))


def test_an_unknown_row_is_answered_with_the_rows(tmp_path):
    with pytest.raises(SettingsError, match=r"\bCAL\b.*\bBM, BM \+ G\b"):
        read_table_file(write_table(tmp_path, BASE)).row("CAL")
