import json

import pytest

from rlq.analysis.curves import read_series, small_multiples
from rlq.core.errors import DataError, RlqError
from rlq.core.scores import RANKING


def write(folder, *rows):
    lines = [json.dumps({"name": name, "value": value, "step": step, "time": 0}) for name, step, value in rows]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"name": "loss/cap/to']))


def test_a_journal_that_is_being_written_is_read_up_to_its_last_whole_line(tmp_path):
    write(tmp_path, ("loss/a", 0, 3.0), ("CC/rank1", 1, 0.5), ("loss/a", 1, 2.0))
    before = (tmp_path / "metrics.jsonl").read_bytes()
    assert read_series(tmp_path) == {"loss/a": {0: 3.0, 1: 2.0}, "CC/rank1": {1: 0.5}}
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def test_a_journal_that_is_broken_or_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"metrics\.jsonl"):
        read_series(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"name": "a", "value": 1, "step": 0}\n[1]\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl.*\bline 2\b"):
        read_series(tmp_path)


def test_lines_show_the_values_over_epochs_from_one_and_rates_in_percent():
    numbers = {"CC/rank1": {"a": {1: 0.25, 3: 0.5}, "b": {3: 0.125}}, "loss/total": {"b": {0: 7.0}}}
    first, second = small_multiples(numbers, ["a", "b"], RANKING).axes
    assert [line.get_xydata().tolist() for line in first.lines] == [[[2, 25], [4, 50]], [[4, 12.5]]]
    assert [len(line.get_xdata()) for line in second.lines] == [0, 1] and second.lines[1].get_ydata() == [7]
    assert first.lines[1].get_color() == second.lines[1].get_color()
    assert (first.get_title(), second.get_title()) == ("CC/rank1, %", "loss/total")


def test_a_runs_losses_and_rates_are_found_and_summaries_are_left_out(trained, whole_run, ask):
    drawn = ask("curves", trained)
    assert drawn.numbers["CC/rank1"]["whole"][2] == whole_run.metrics["last/CC/rank1"]
    assert {name.split("/")[0] for name in drawn.numbers} == {"CC", "SC", "General", "loss"}
    assert list(drawn.numbers["loss/tad/total"]["whole"]) == [0, 1, 2]
    assert f"{100 * whole_run.metrics['last/CC/rank1']:.1f}" in drawn.text.splitlines()[2]


def test_metrics_are_chosen_by_pattern(trained, ask):
    assert list(ask("curves", trained, metrics=["loss/*/total"]).numbers) == ["loss/tad/total", "loss/cap/total"]
    with pytest.raises(RlqError, match=r"\blosses\b.*\bloss/tad/total\b"):
        ask("curves", trained, metrics=["losses"])
