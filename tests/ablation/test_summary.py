"""The table on the screen, also of methods with other scores than ranks."""

from pathlib import Path

import pytest
from made_rows import write_table
from other_scores import PARTS, add_method, parts_row
from table_rows import made_up
from tiny_runs import EXPERIMENTS

from rlq.ablation.rows import scores_of
from rlq.ablation.summary import summary
from rlq.ablation.table import Table, read_table_file
from rlq.core.errors import DataError, SettingsError

BASE = EXPERIMENTS / "synthetic.yaml"
TABLE = """\
title: Parts
bases: {{{base}: [PAR]}}
rows:
  - name: BM
    published: {{synthetic: {{PAR: [70.25, 0.125]}}}}
  - name: BM + G
"""


def read(folder: Path, text: str = TABLE) -> Table:
    return read_table_file(write_table(folder, BASE, text))


def test_each_score_is_shown_in_its_own_way(tmp_path, monkeypatch):
    add_method(monkeypatch)
    rows = [parts_row("BM", 1, 0.7, 0.25), parts_row("BM", 2, 0.8, 0.75), parts_row("BM + G", 1, 0.9, 0.5)]
    shown = summary(read(tmp_path), BASE, ["BM", "BM + G"], rows, scores_of(rows))
    header, _, first, second, note, _ = shown.splitlines()
    assert header.split() == ["seeds", "PAR", "mean", "accuracy", "PAR", "error", "PAR", "published"]
    assert first.split() == ["BM", "2", "75.0", "±", "7.1", "0.5", "±", "0.35", "70.2", "/", "0.125"]
    assert second.split() == ["BM", "+", "G", "1", "90.0", "0.5", "-"]
    assert note == "Parts, on synthetic: mean accuracy in percent, mean and standard deviation over seeds"


def test_protocols_and_published_numbers_are_those_of_a_known_method(tmp_path, monkeypatch):
    with pytest.raises(SettingsError, match=r"\bPAR\b.*\bCC, SC, General\b"):
        read(tmp_path)
    add_method(monkeypatch)
    with pytest.raises(SettingsError, match=r"\bBM\b.*published\.synthetic\.PAR\b.*\b3\b.*\bmean accuracy, error\b"):
        read(tmp_path, TABLE.replace("0.125", "0.125, 1"))
    with pytest.raises(SettingsError, match=r"published\.synthetic\.PAR\.0\b.*\b170\b"):
        read(tmp_path, TABLE.replace("70.25", "170"))
    assert read(tmp_path, TABLE.replace("0.125", "125")).rows[0].published["synthetic"]["PAR"] == (70.25, 125)


def test_a_base_that_the_table_does_not_list_shows_the_first_protocol_of_its_method(tmp_path, monkeypatch):
    add_method(monkeypatch)
    assert read(tmp_path).shown(Path("other.yaml"), PARTS) == ("PAR",)


def test_rows_of_methods_with_other_scores_are_refused(monkeypatch):
    add_method(monkeypatch)
    with pytest.raises(DataError, match=r"\brlq: BM\b.*\bparts: RLQ\b"):
        scores_of([made_up("BM", 1), parts_row("RLQ", 1, 0.5, 0.5)])
