import pytest

from rlq.core.errors import SettingsError


def test_clean_pictures_repeat_the_runs_score_and_all_runs_share_the_conditions(trained, untrained, whole_run, ask):
    drawn = ask("robustness", trained, untrained, kinds=["motion", "motion"], severities=[5, 2, 5])
    numbers = drawn.numbers
    assert (numbers["dataset"], numbers["protocol"], list(numbers["runs"])) == (
        "synthetic",
        "CC",
        ["whole", "untrained"],
    )
    assert numbers["runs"]["whole"]["clean"]["rank1"] == pytest.approx(whole_run.metrics["best/CC/rank1"])
    assert numbers["runs"]["whole"]["clean"]["mAP"] == pytest.approx(whole_run.metrics["best/CC/mAP"])
    assert list(numbers["runs"]["untrained"]) == ["clean", "motion-2", "motion-5"]
    assert numbers["strength"] == {"motion-2": "kernel 15", "motion-5": "kernel 24"}
    (panel,) = drawn.figure.axes
    for line, run in zip(panel.lines, numbers["runs"].values(), strict=True):
        assert line.get_xdata().tolist() == [0, 2, 5]
        assert line.get_ydata() == pytest.approx([100 * values["rank1"] for values in run.values()])
    assert len(drawn.text.splitlines()) == 2 + 3


def test_the_side_that_is_degraded_matters(trained, ask):
    def mean_precision(**more) -> float:
        numbers = ask("robustness", trained, kinds=["motion"], severities=[5], **more).numbers
        return numbers["runs"]["whole"]["motion-5"]["mAP"]

    both = mean_precision()
    assert len({both, mean_precision(degrade="query"), mean_precision(degrade="gallery")}) > 1


def test_without_severities_each_artefact_is_drawn_from_its_range(trained, ask):
    drawn = ask("robustness", trained, severities=[])
    assert list(drawn.numbers["runs"]["whole"]) == ["clean", "pixelation", "motion", "gaussian"]
    assert drawn.numbers["strength"]["pixelation"] == "side 10-40"
    assert len(drawn.figure.axes[0].patches) == 4


def test_other_severities_are_refused(trained, ask):
    with pytest.raises(SettingsError, match="severities"):
        ask("robustness", trained, severities=[6])
    with pytest.raises(SettingsError, match="kinds"):
        ask("robustness", trained, kinds=[])
