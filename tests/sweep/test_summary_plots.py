"""Optuna's plots of a study: which there are, which there cannot be, and that nothing of them leaks."""

import importlib.util
import warnings

import matplotlib
import optuna
import pytest
from matplotlib import pyplot
from naming import assert_names

from rlq.sweep import summary


def study_of(values, directions=("maximize",)):
    """A finished study of one parameter; every value is a tuple, one number per direction."""
    study = optuna.create_study(directions=list(directions))
    space = {"cap.pose.clusters": optuna.distributions.IntDistribution(5, 40)}
    for at, value in enumerate(values):
        study.add_trial(
            optuna.create_trial(params={"cap.pose.clusters": 5 + at}, distributions=space, values=list(value))
        )
    return study


def test_a_study_has_plots_of_its_history_importance_and_slices():
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn, notes = summary.figures(study_of([(0.1,), (0.3,), (0.2,)]), ["best/CC/rank1"])
    assert sorted(drawn) == ["plots/history.png", "plots/importance.png", "plots/slice.png"]
    assert notes == []
    assert drawn["plots/history.png"].axes[0].get_ylabel() == "best/CC/rank1"
    assert pyplot.get_fignums() == []
    assert {name: value for name, value in matplotlib.rcParams.items() if name != "backend"} == {
        name: value for name, value in before.items() if name != "backend"
    }


def test_several_metrics_have_plots_each_and_one_of_the_front():
    study = study_of([(0.1, 9.0), (0.3, 20.0), (0.2, 8.0)], ("maximize", "minimize"))
    drawn, _ = summary.figures(study, ["best/CC/rank1", "time/training_s"])
    assert "plots/pareto.png" in drawn
    assert {name for name in drawn if "history" in name} == {
        "plots/history-best-CC-rank1.png",
        "plots/history-time-training_s.png",
    }


@pytest.mark.parametrize(
    ("values", "names", "named"),
    [
        ([], [], ("importance", 2, 0)),
        ([(0.1,)], ["plots/history.png"], ("importance", 2, 1)),
        ([(0.1,), (0.1,)], ["plots/history.png", "plots/slice.png"], ("importance",)),
    ],
)
def test_what_cannot_be_drawn_is_left_out_and_said(values, names, named):
    drawn, (told,) = summary.figures(study_of(values), ["best/CC/rank1"])
    assert sorted(drawn) == names
    assert_names(told, *named)


def test_pages_need_plotly(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert summary.pages(study_of([(0.1,), (0.2,)]), ["best/CC/rank1"]) == {}


def test_with_plotly_there_are_pages_too():
    pytest.importorskip("plotly")
    pages = summary.pages(study_of([(0.1,), (0.3,), (0.2,)]), ["best/CC/rank1"])
    assert sorted(pages) == ["plots/history.html", "plots/importance.html", "plots/slice.html"]
    assert all("<html" in page for page in pages.values())
