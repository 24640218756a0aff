import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from naming import assert_names
from table_rows import made_up, material
from tiny_runs import EXPERIMENTS

from rlq.ablation.rows import write_row
from rlq.ablation.table import Variant
from rlq.analysis import ANALYSES, Outcome
from rlq.analysis.base import Analysis
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.report import figures
from rlq.report.comparison import section
from rlq.report.content import ReportOptions
from rlq.report.report import report
from rlq.runs.folder import read_about, write_about

PNG_START = b"\x89PNG"


@pytest.fixture
def table(tmp_path):
    """A table of K whose rows were run elsewhere: three values, two seeds."""
    rows = "".join(f"  - name: K = {k}\n    settings: {{cap.pose.clusters: {k}}}\n" for k in (5, 15, 25))
    bases = f"bases: {{{EXPERIMENTS}/synthetic.yaml: [CC]}}\n"
    (tmp_path / "k.yaml").write_text(f"figure: 8 middle\ntitle: Clusters\n{bases}reference: K = 15\nrows:\n{rows}")
    for k in (5, 15, 25):
        for seed in (1, 2):
            write_row(tmp_path / "raw", made_up(f"K = {k}", seed, skill=k / 100, table="k"))
    return tmp_path / "k.yaml"


def make(table, **changes):
    return report(
        [str(table)], results=table.parent / "raw", output=table.parent / "out", console=Console(quiet=True), **changes
    )


def test_a_report_of_a_table_is_written_in_all_formats(table):
    written = make(table, command="rlq report k.yaml")
    names = {path.relative_to(written.folder).as_posix() for path in written.files}
    figures = {f"figures/synthetic-cap.pose.clusters-cc-{metric}.png" for metric in ("rank1", "map")}
    assert names == {"k.md", "k.tex", "k.html", "numbers.json"} | figures
    assert {path for path in written.folder.rglob("*") if path.is_file()} == set(written.files)
    text = (written.folder / "k.md").read_text()
    title, _, command = text.splitlines()[:3]
    assert title.startswith("# Clusters ") and "8 middle" in title and command == "    rlq report k.yaml"
    assert all(f"]({name})" in text for name in figures)
    assert all((written.folder / name).read_bytes().startswith(PNG_START) for name in figures)
    lines = written.text.splitlines()
    (not_drawn,) = [line for line in lines if "curves" in line]
    assert_names(not_drawn, "synthetic", 1, 0)
    assert any("K = 5, K = 15, K = 25" in line for line in lines)
    assert "| K = 15 |" in written.text and "figures/" not in written.text


@pytest.mark.slow
def test_the_same_rows_give_the_same_files(table):
    first = {path.name: path.read_bytes() for path in make(table).files}
    assert {path.name: path.read_bytes() for path in make(table).files} == first


def test_the_numbers_are_there_for_programs(table):
    found = json.loads((make(table, options=ReportOptions(authors_way=True)).folder / "numbers.json").read_text())
    (one,) = found["sections"]
    score = one["rows"]["K = 25"]["scores"]["CC/mAP"]
    assert set(score) == {"spread", "best_two", "difference", "gap", "seed_error", "clear"}
    assert score["clear"] is True and score["gap"]["low"] > 0 and score["spread"]["seeds"] == 2
    assert one["reference"] == "K = 15" and set(one["rows"]["K = 5"]["seeds"]) == {"1", "2"}
    points = found["figures"]["synthetic-cap.pose.clusters-CC-rank1"]["points"]
    assert [point[0] for point in points] == [5, 15, 25]


def test_only_the_format_that_was_asked_for_is_written(table):
    written = make(table, formats=("tex",))
    assert {path.suffix for path in written.files} == {".tex", ".json", ".png"}


def test_values_of_one_number_are_drawn_over_it_and_nothing_else_is():
    def drawn(*settings):
        rows = [made_up(f"row {i}", 1, skill=0.1 * i) for i in range(len(settings))]
        variants = tuple(Variant(name=row.row, settings=own) for row, own in zip(rows, settings, strict=True))
        made = material(rows, variants=variants)
        return [one.name for one in figures.over_values(section(made, ReportOptions()), made)]

    assert drawn({"tad.fraction": 0.5}, {"tad.fraction": 1}) == [
        "synthetic-tad.fraction-CC-rank1",
        "synthetic-tad.fraction-CC-mAP",
    ]
    assert drawn({"tad.fraction": 0.5}, {"optim.lr": 1}) == []  # two settings
    assert drawn({"tad.enabled": True}, {"tad.enabled": False}) == []  # no numbers
    assert drawn({"tad.fraction": 0.5}, {}) == []  # whatever the base has
    assert drawn({"tad.fraction": 0.5}) == []  # one point


@pytest.fixture
def here(tmp_path, home, whole_run):
    """A section of two rows whose run folders are here, and one whose folder is not."""
    folder = str(home.folder / whole_run.folder)
    rows = [
        made_up("BM", 1, folder=folder),
        made_up("RLQ", 1, folder=folder),
        made_up("away", 1, folder=str(tmp_path / "nowhere")),
    ]
    return section(material(rows), ReportOptions())


@pytest.fixture
def fake(monkeypatch):
    """Analyses that draw nothing: of one run at most, of three at least, one that cannot be made, and the curves."""
    calls = []

    def draw(sources, *, seed, console, options):
        calls.append([source.name for source in sources])
        return Outcome(Figure(), {"seed": seed}, "| text |")

    def fail(sources, *, seed, console, options):
        raise RlqError("the pictures are away")

    monkeypatch.setitem(ANALYSES, "curves", Analysis("Curves", draw, 1, None))
    monkeypatch.setitem(ANALYSES, "one", Analysis("One", draw, 1, 1, "Of one."))
    monkeypatch.setitem(ANALYSES, "three", Analysis("Three", draw, 3, None))
    monkeypatch.setitem(ANALYSES, "broken", Analysis("Broken", fail, 1, None))
    return calls


def test_curves_and_what_is_asked_for_are_drawn_from_the_folders_that_are_here(here, fake):
    drawings, remarks = figures.draw(here, table_analysis=None, requested=["one"], seed=3, console=Console(quiet=True))
    assert [one.name for one in drawings] == ["synthetic-one", "synthetic-curves"]
    assert fake == [["BM"], ["BM", "RLQ"]] and drawings[0].numbers == {"seed": 3}
    assert drawings[0].note.startswith("Of one. ") and "RLQ" in drawings[0].note and drawings[0].text == "| text |"
    assert all(one.png.startswith(PNG_START) for one in drawings)
    (remark,) = remarks
    assert_names(remark, "synthetic", "away")
    assert "BM" not in remark and "RLQ" not in remark


@pytest.mark.parametrize(
    ("name", "told"),
    [("broken", ("the pictures are away",)), ("three", (3, 2))],
)
def test_a_figure_of_the_table_that_cannot_be_drawn_is_a_remark_and_one_asked_for_is_an_error(here, fake, name, told):
    _, remarks = figures.draw(here, table_analysis=name, requested=[], seed=0, console=Console(quiet=True))
    (remark,) = [remark for remark in remarks if name in remark]
    assert_names(remark, "synthetic", *told)
    with pytest.raises(RlqError) as refused:
        figures.draw(here, table_analysis=None, requested=[name], seed=0, console=Console(quiet=True))
    assert_names(refused.value, name, "synthetic", *told)


@pytest.mark.parametrize("own", ["rain", None])
def test_an_unknown_analysis_is_answered_with_the_known_ones(here, own):
    with pytest.raises(RlqError) as told:
        figures.draw(here, table_analysis=own, requested=[] if own else ["rain"], seed=0, console=Console(quiet=True))
    assert_names(told.value, "rain", "curves, ")


def test_runs_are_found_by_id_and_reported_without_a_table(home, whole_run, tmp_path):
    with home.entered():
        written = report([whole_run.run_id[:8]], output=tmp_path / "out", console=Console(quiet=True))
    assert written.files[-1] == tmp_path / "out/numbers.json"
    (one,) = json.loads(written.files[-1].read_text())["sections"]
    assert one["rows"]["RLQ"]["seeds"]["1"]["run_id"] == whole_run.run_id
    score = one["rows"]["RLQ"]["scores"]["CC/rank1"]
    assert score["spread"]["mean"] == whole_run.metrics["best/CC/rank1"]
    assert (tmp_path / "out/rlq.html").is_file() and (tmp_path / "out/figures/runs-curves.png").is_file()
    assert "# RLQ on synthetic" in (tmp_path / "out/rlq.md").read_text()


def test_a_run_that_is_not_finished_is_refused_with_what_to_do(home, whole_run, tmp_path):
    about = read_about(home.folder / whole_run.folder)
    write_about(tmp_path / "run", replace(about, status="KILLED"))
    with home.entered(), pytest.raises(RlqError) as refused:
        report([str(tmp_path / "run")], console=Console(quiet=True))
    assert_names(refused.value, "whole", "KILLED", "rlq train --resume")


@pytest.mark.parametrize(
    ("words", "options", "told"),
    [
        (["nobody"], {}, ("nobody", "runs")),
        (["a.yaml", "b"], {}, ("table", "a.yaml", 1)),
        (["nowhere.yaml"], {}, ("nowhere.yaml",)),
        (["x"], {"base": Path("b.yaml")}, ("--base", "b.yaml")),
        (["x"], {"analyses": ["rain"]}, ("rain", "curves")),
    ],
)
def test_wrong_words_are_answered(tmp_path, words, options, told):
    with contextlib.chdir(tmp_path), pytest.raises(RlqError) as refused:
        report(words, console=Console(quiet=True), **options)
    assert_names(refused.value, *told)


def test_a_protocol_or_seed_that_no_row_has_is_refused(table):
    with pytest.raises(RlqError) as refused:
        make(table, protocols=["SC"])
    assert_names(refused.value, "synthetic", "SC", "CC")
    with pytest.raises(RlqError) as refused:
        make(table, options=ReportOptions(seeds=(7, 8)))
    assert_names(refused.value, "synthetic", "7, 8", "1, 2")


def test_a_folder_that_cannot_be_written_is_named(table):
    (table.parent / "out").write_text("a file")
    with pytest.raises(RlqError, match="/out/"):
        make(table)
