"""Reports of a method whose scores are no ranks: one is in percent, of the other less is better."""

import json

import pytest
from naming import assert_names
from other_scores import PARTS, add_method, parts_row
from table_rows import made_up, material

from rlq.ablation.table import Variant
from rlq.core.errors import DataError, RlqError
from rlq.report import figures
from rlq.report.cells import grid
from rlq.report.comparison import section
from rlq.report.content import Material, Report, ReportOptions
from rlq.report.report import write
from rlq.report.rows import check_protocols
from rlq.report.writers import html


@pytest.fixture(autouse=True)
def method(monkeypatch):
    add_method(monkeypatch)


def parts(*rows, **changes) -> Material:
    rows = rows or (
        *(parts_row("BM", seed, 0.70 + seed / 100, 0.5 + seed / 100) for seed in (1, 2)),
        *(parts_row("RLQ", seed, 0.50 + seed / 100, 0.2 + seed / 100) for seed in (1, 2)),
        *(parts_row("slow", seed, 0.50 + seed / 100, 0.9 + seed / 100) for seed in (1, 2)),
    )
    return material(rows, **{"protocols": ("PAR",)} | changes)


def cells_of(found, row: str) -> dict[str, object]:
    (cells,) = [cells for name, cells in found.rows if name == row]
    return {f"{column.group} {column.title}".strip(): cell for column, cell in zip(found.columns, cells, strict=True)}


def test_each_score_has_a_mean_and_a_difference_without_an_interval():
    found = section(parts(), ReportOptions())
    assert found.scores is PARTS
    error = found.lines[1].scores["PAR", "error"]
    assert (error.spread.mean, error.difference, error.gap) == (pytest.approx(0.215), pytest.approx(-0.3), None)
    assert error.clear
    assert_names(found.notes[0], "mean accuracy in percent", "PAR/mA")


def test_the_least_error_is_the_best_and_its_fall_is_for_the_better():
    found = grid(section(parts(), ReportOptions()))
    base, rlq, slow = (cells_of(found, name) for name in ("BM", "RLQ", "slow"))
    assert [one["PAR error"].strong for one in (base, rlq, slow)] == [False, True, False]
    assert [one["PAR mean accuracy"].strong for one in (base, rlq, slow)] == [True, False, False]
    assert (rlq["PAR error"].text, rlq["PAR mean accuracy"].text) == ("0.215 ± 0.0071", "51.5 ± 0.7")
    assert (rlq["PAR against BM error"].text, rlq["PAR against BM error"].better) == ("-0.3", True)
    assert (slow["PAR against BM error"].text, slow["PAR against BM error"].better) == ("+0.4", False)
    assert (rlq["PAR against BM mean accuracy"].text, rlq["PAR against BM mean accuracy"].better) == ("-20.0", False)


def test_published_numbers_are_printed_as_the_score_is():
    published = {"synthetic": {"PAR": (70.25, 0.125)}}
    found = grid(
        section(parts(variants=(Variant(name="BM", published=published), Variant(name="RLQ"))), ReportOptions())
    )
    base = cells_of(found, "BM")
    assert (base["PAR published mean accuracy"].text, base["PAR published mean accuracy"].value) == ("70.2", 0.7025)
    assert (base["PAR published error"].text, base["PAR published error"].value) == ("0.125", 0.125)
    assert cells_of(found, "RLQ")["PAR published error"].text == "-"


def test_the_authors_way_takes_the_two_seeds_with_the_best_main_score():
    rows = [parts_row("BM", seed, accuracy, seed / 10) for seed, accuracy in ((1, 0.9), (2, 0.1), (3, 0.8))]
    found = section(parts(*rows), ReportOptions(authors_way=True))
    assert found.lines[0].scores["PAR", "error"].best_two == pytest.approx(0.2)
    assert any("mean accuracy" in note for note in found.notes[1:])
    assert "mean accuracy" in cells_of(grid(found), "BM")["PAR best two error"].hint


def test_the_page_colours_a_falling_error_as_a_gain_and_sorts_it_from_low_to_high():
    whole = Report("parts", "Parts", "", (section(parts(), ReportOptions()),))
    text = html.page(whole)
    assert '<td class="up" data-value="-0.3' in text or '<td class="first up" data-value="-0.3' in text
    assert text.count('data-best="low"') == 2  # the error, and its difference


def test_scores_are_drawn_over_the_values_of_a_setting():
    variants = tuple(Variant(name=name, settings={"width": k}) for k, name in enumerate(("BM", "RLQ", "slow")))
    made = parts(variants=variants)
    drawings = figures.over_values(section(made, ReportOptions()), made)
    assert [one.name for one in drawings] == ["synthetic-width-PAR-mA", "synthetic-width-PAR-error"]


def test_a_report_of_them_is_written_whole(tmp_path):
    written = write(Report("parts", "Parts", "", (section(parts(), ReportOptions()),)), tmp_path)
    (one,) = json.loads((tmp_path / "numbers.json").read_text())["sections"]
    assert set(one["rows"]["RLQ"]["scores"]) == {"PAR/mA", "PAR/error"} and len(written.files) == 4


def test_rows_of_methods_with_other_scores_are_refused():
    with pytest.raises(DataError) as refused:
        section(parts(made_up("BM", 1), parts_row("RLQ", 1, 0.5, 0.5)), ReportOptions())
    assert_names(refused.value, "rlq: BM", "parts: RLQ")


def test_a_protocol_without_numbers_is_answered_with_those_that_have_some():
    check_protocols(parts())
    with pytest.raises(RlqError, match=r"\bCC\b.*\bPAR\b"):
        check_protocols(parts(protocols=("CC",)))
