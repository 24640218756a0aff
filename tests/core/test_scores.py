import doctest

import pytest

from rlq.core import scores
from rlq.core.scores import RANKING, RANKING_COLUMNS, Score, ScoreTable, united

ERROR = Score("error", "error", percent=False, higher=False)
PARTS = ScoreTable(groups=("PAR", "CC"), shown=(Score("mA", "mean accuracy"), ERROR))


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(scores)
    assert (result.attempted > 0, result.failed) == (True, 0)


def test_metrics_are_in_percent_if_their_score_is_or_if_they_are_accuracies():
    names = ("CC/rank1", "best/SC/mAP", "attributes/gender_accuracy", "loss/cap/total", "speed/cap_images_per_s")
    assert [RANKING.is_percent(name) for name in names] == [True, True, True, False, False]
    assert [PARTS.is_percent(name) for name in ("best/PAR/mA", "best/PAR/error", "CC/rank1")] == [True, False, False]


def test_more_is_better_unless_the_score_says_otherwise():
    assert [PARTS.goal(name) for name in ("PAR/mA", "best/PAR/error", "time/s")] == ["maximize", "minimize", "maximize"]
    assert ERROR.best([0.3, 0.1, 0.2]) == 0.1 and RANKING.main.best([0.3, 0.1, 0.2]) == 0.3


@pytest.mark.parametrize(
    ("value", "sd", "text"), [(0.123456, 0.0123, "0.1235 ± 0.012"), (12.0, None, "12"), (None, None, "-")]
)
def test_scores_that_are_no_fractions_have_four_digits(value, sd, text):
    assert ERROR.text(value, sd) == text


def test_differences_have_a_sign_unless_they_round_to_zero():
    assert [ERROR.signed(value) for value in (0.25, -0.1234567, 0.0)] == ["+0.25", "-0.1235", "0"]
    assert [RANKING.main.signed(value) for value in (0.0123, -0.0123, 0.0004, -0.0004)] == [
        "+1.2",
        "-1.2",
        "0.0",
        "0.0",
    ]


def test_a_note_says_what_is_in_percent():
    only_error = ScoreTable(("PAR",), (ERROR,))
    notes = [table.percent_note for table in (RANKING, PARTS, only_error)]
    assert notes == ["percent", "mean accuracy in percent", ""]


def test_tables_are_united_in_their_order():
    both = united([RANKING, PARTS, RANKING])
    assert both.groups == ("CC", "SC", "General", "PAR")
    assert list(both.titles) == ["rank1", "mAP", "mA", "error"] and both.others == RANKING.others
    assert united([PARTS, ScoreTable(("X",), (Score("mA", "other"),))]).shown == PARTS.shown


def test_evaluations_list_the_rates_before_the_precision():
    assert [score.heading for score in RANKING_COLUMNS] == ["R-1", "R-5", "R-10", "R-20", "mAP"]
    assert RANKING.default_metric == "CC/rank1"
