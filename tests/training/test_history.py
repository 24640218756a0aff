import pytest
from naming import assert_names

from rlq.core.errors import SettingsError
from rlq.core.scores import RANKING
from rlq.training.loop import History, check_selection


def of(*evaluations, select="CC/rank1"):
    """A history of (rank1, mAP) per epoch, and which of them were the best at their time."""
    history, best = History(), []
    for epoch, (rank1, precision) in enumerate(evaluations):
        if history.add(epoch, {"CC/rank1": rank1, "CC/mAP": precision}, select):
            best.append(epoch)
    return history, best


def test_the_best_epoch_is_the_highest_by_the_selected_metric():
    history, best = of((0.2, 0.5), (0.4, 0.1), (0.3, 0.9))
    assert (history.best_epoch, best) == (1, [0, 1])
    assert of((0.2, 0.5), (0.4, 0.1), (0.3, 0.9), select="CC/mAP")[0].best_epoch == 2


def test_a_tie_is_settled_by_the_mean_average_precision_then_by_the_earlier_epoch():
    assert of((0.4, 0.1), (0.4, 0.3), (0.4, 0.2))[0].best_epoch == 1
    assert of((0.4, 0.2), (0.4, 0.2))[1] == [0]


def test_an_evaluation_without_any_valid_query_is_below_every_other():
    assert of((None, None), (0.0, 0.0))[1] == [0, 1]
    assert of((0.0, 0.0), (None, None))[1] == [0]
    assert of((0.3, None), (0.3, 0.0))[1] == [0, 1]


def test_the_summary_has_the_best_epoch_the_last_one_and_each_metrics_own_maximum():
    summary = of((0.2, 0.6), (0.5, 0.1), (0.3, 0.2))[0].summary()
    assert summary == {
        "best/epoch": 1,
        "best/CC/rank1": 0.5,
        "best/CC/mAP": 0.1,
        "last/CC/rank1": 0.3,
        "last/CC/mAP": 0.2,
        "paper/CC/rank1": 0.5,
        "paper/CC/mAP": 0.6,
    }


def test_the_summary_leaves_out_what_was_never_measured():
    assert of((0.5, None), (0.2, None))[0].summary() == {
        "best/epoch": 0,
        "best/CC/rank1": 0.5,
        "last/CC/rank1": 0.2,
        "paper/CC/rank1": 0.5,
    }
    assert History().summary() == {}


def test_a_selection_that_is_not_measured_is_refused_with_what_is():
    check_selection("SC/mAP", RANKING.metrics(["CC", "SC"]))
    with pytest.raises(SettingsError) as raised:
        check_selection("CC/rank1", RANKING.metrics(["General"]))
    assert_names(raised.value, "schedule.select", "CC/rank1", "General/rank1, General/mAP")
    with pytest.raises(SettingsError, match=r"schedule\.select\b.*\bCC/rank2\b"):
        check_selection("CC/rank2", RANKING.metrics(["CC"]))
