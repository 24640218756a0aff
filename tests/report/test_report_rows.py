import re
from dataclasses import replace
from pathlib import Path

import pytest
from naming import assert_names
from table_rows import SETTINGS, made_up
from tiny_runs import EXPERIMENTS

from rlq.ablation.rows import write_row
from rlq.ablation.table import read_table_file
from rlq.core.config import flatten
from rlq.core.errors import RlqError
from rlq.report.comparison import section
from rlq.report.content import ReportOptions
from rlq.report.rows import _named, check_protocols, of_runs, of_table
from rlq.runs.load import fingerprint, load

TABLE = f"""\
title: Parts
bases: {{{EXPERIMENTS}/synthetic.yaml: [CC], {EXPERIMENTS}/prcc.yaml: [CC, SC]}}
protocols: [General]
seeds: [1, 2]
rows:
  - name: BM
    settings: {{tad.enabled: false, cap.pose.enabled: false, cap.gender.enabled: false}}
  - name: RLQ
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "parts.yaml").write_text(TABLE)
    return read_table_file(tmp_path / "parts.yaml")


@pytest.fixture
def results(tmp_path):
    return tmp_path / "raw"


def as_now(table, name, seed, **changes):
    """A row that was run with the settings that the table asks for now."""
    settings = table.row(name).settings | {"seed": seed, "variant": name}
    loaded = load(EXPERIMENTS / "synthetic.yaml", values=settings)
    made = {"fingerprint": fingerprint(loaded), "settings": flatten(loaded.settings)}
    return made_up(name, seed, **(made | changes))


def test_a_table_gives_its_rows_base_by_base(table, results):
    for row in (as_now(table, "BM", 1), as_now(table, "RLQ", 2), as_now(table, "BM", 5)):
        write_row(results, row)
    write_row(results, made_up("BM", 1, base="prcc"))
    write_row(results, made_up("gone", 1))  # the table does not have it any more
    synthetic, prcc = of_table(table, base=None, results=results)
    assert (synthetic.base, synthetic.protocols, synthetic.seeds) == ("synthetic", ("CC",), (1, 2))
    assert [(row.row, row.seed) for row in synthetic.rows] == [("BM", 1), ("BM", 5), ("RLQ", 2)]
    assert synthetic.reference == "BM"
    assert (prcc.base, prcc.protocols, len(prcc.rows)) == ("prcc", ("CC", "SC"), 1)
    found = section(synthetic, ReportOptions())
    assert found.warnings == () and [line.missing for line in found.lines] == [(2,), (1,)]


def test_rows_of_other_settings_than_now_are_noticed_by_their_fingerprint(table, results):
    old = as_now(table, "BM", 1)
    write_row(results, replace(old, fingerprint="old", settings=old.settings | {"optim.lr": 0.5}))
    (material,) = of_table(table, base=EXPERIMENTS / "synthetic.yaml", results=results)
    assert_names(section(material, ReportOptions()).warnings[0], "optim.lr", 0.5, 0.001, "BM", "seed 1")


def test_another_base_shows_the_protocols_of_the_table(table, results):
    write_row(results, made_up("BM", 1, base="ltcc"))
    (material,) = of_table(table, base=EXPERIMENTS / "ltcc.yaml", results=results)
    assert material.protocols == ("General",)
    assert material.how_to_run == (
        f"rlq ablate {table.file} --base {EXPERIMENTS / 'ltcc.yaml'} --results {results}"
    ).replace(f"{Path.cwd()}/", "")
    with pytest.raises(RlqError) as refused:
        check_protocols(material)
    assert_names(refused.value, "ltcc", "General", "CC")


def test_a_table_without_rows_says_where_there_are_some_and_how_to_run_it(table, results):
    with pytest.raises(RlqError) as refused:
        of_table(table, base=None, results=results)
    assert_names(refused.value, "synthetic.yaml", "prcc.yaml", results / "parts", "rlq ablate")
    write_row(results, made_up("BM", 1, base="ltcc"))
    with pytest.raises(RlqError, match=r"rlq ablate .*parts\.yaml --base .*synthetic") as refused:
        of_table(table, base=None, results=results)
    assert_names(refused.value, "ltcc")


def test_a_row_file_that_is_broken_is_named(table, results):
    path = write_row(results, made_up("BM", 1))
    path.write_text("{")
    with pytest.raises(RlqError, match=re.escape(str(path))):
        of_table(table, base=None, results=results)


def test_runs_of_one_title_that_differ_in_their_seed_are_one_row():
    rows = _named([made_up("RLQ", 1), made_up("BM", 1), made_up("RLQ", 2)])
    assert [row.row for row in rows] == ["RLQ", "BM", "RLQ"]


def test_runs_of_one_title_are_told_apart_by_what_they_differ_in():
    rows = [made_up("RLQ", 1, settings=SETTINGS | {"optim.lr": lr, "tracking.name": str(lr)}) for lr in (0.1, 0.2)]
    assert [row.row for row in _named(rows)] == ["RLQ (optim.lr=0.1)", "RLQ (optim.lr=0.2)"]


def test_the_same_run_of_the_same_seed_twice_is_refused():
    rows = [made_up("RLQ", 1), made_up("RLQ", 1, run_id="1234abcd99")]
    with pytest.raises(RlqError) as refused:
        _named(rows)
    assert_names(refused.value, "RLQ", "seed 1", rows[0].run_id[:8], "1234abcd")


def test_runs_become_rows_with_their_own_commit_and_what_they_differ_in(home, whole_run):
    with home.entered():
        found = of_runs([whole_run.run_id, whole_run.run_id[:6]], Path("runs"))
    (row,) = found.rows  # named twice, taken once
    assert (row.row, row.seed, row.dataset) == ("RLQ", 1, "synthetic")
    assert row.commit.rstrip("+") == home.tracked(whole_run.run_id).data.tags.get("mlflow.source.git.commit", "")
    assert (found.reference, found.protocols, found.seeds, found.how_to_run) == ("RLQ", ("CC",), (), None)
    assert found.variants[0].settings == {}
