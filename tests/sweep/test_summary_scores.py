"""How the results of a study show scores that are no ranks: a rate in percent, and an error."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from other_scores import PARTS, add_method

from rlq.core.scores import RANKING
from rlq.methods.catalogue import METHODS
from rlq.sweep.spec import metric_key
from rlq.sweep.study import DRAWN, METRICS
from rlq.sweep.summary import _best, shown_value, trial_line, trials_table


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("best/PAR/mA", 0.25, "25.0 %"),
        ("test/PAR/error", 0.25, "0.25"),
        ("time/training_s", 12.0, "12"),
        ("best/epoch", 3.0, "3"),
        ("best/PAR/mA", None, "-"),
    ],
)
def test_a_metric_is_shown_as_its_score_says(name, value, text):
    assert shown_value(PARTS, name, value) == text


def test_scores_of_every_known_method_stand_for_the_best_epoch(monkeypatch):
    assert metric_key("XX/rank1") == "best/XX/rank1" and metric_key("PAR/error") == "PAR/error"
    add_method(monkeypatch)
    assert [metric_key(name) for name in ("PAR/error", "last/PAR/mA", "time/training_s", "chance/CC/mAP")] == [
        *("best/PAR/error", "last/PAR/mA", "time/training_s", "chance/CC/mAP")
    ]


@pytest.fixture
def study_plan(sweeping, monkeypatch):
    """A plan whose experiment's method has other scores, and which searches the least error."""
    add_method(monkeypatch)
    plan = sweeping.plan(metric={"name": "PAR/error", "goal": "minimize"})
    assert plan.scores == RANKING
    monkeypatch.setattr(type(METHODS["rlq"]), "scores", PARTS)
    return plan


def finished(error: float, accuracy: float):
    tested = {"test/PAR/error": error / 2, "test/PAR/mA": accuracy, "test/PAR/other": 0.5}
    return create_trial(state=TrialState.COMPLETE, value=error, user_attrs={DRAWN: {}, METRICS: tested})


def test_the_lines_of_a_trial_show_the_objective_and_the_scores_of_the_test_set(study_plan):
    trial = finished(0.25, 0.75)
    assert "best/PAR/error 0.25" in trial_line(study_plan, trial)
    best, test, _ = _best(study_plan, trial)
    assert "best/PAR/error 0.25 (" in best
    assert test.split(None, 1) == ["test", "PAR/error 0.125, PAR/mA 75.0 %"]


def test_the_least_error_comes_first(study_plan):
    study = optuna.create_study(direction="minimize")
    study.add_trials([finished(error, 0.5) for error in (0.5, 0.25, 0.75)])
    rows = trials_table(study_plan, study).splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["#1", "#0", "#2"] and "0.25" in rows[0].split()
