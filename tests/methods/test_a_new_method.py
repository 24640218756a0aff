"""A method that is one file and one entry of METHODS works everywhere, on tracklets, with no other line changed."""

import json
import shutil

import numpy as np
import pytest
from tiny_runs import Home, without_clocks
from toy_runs import run

from rlq.core.console import Console
from rlq.core.errors import Pruned, RlqError
from rlq.methods.catalogue import METHODS
from rlq.runs import experiment
from rlq.runs.load import load
from rlq.runs.rerun import differences, find, rerun
from rlq.sweep import summary
from rlq.training.checkpoint import load_weights


def command(place: Home, *words: object) -> str:
    shown = place.command(*words)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def weights_of(place: Home, result: experiment.Result) -> dict[str, np.ndarray]:
    return {
        name: value.numpy()
        for name, value in load_weights(place.folder / result.folder / "last/model.safetensors").items()
    }


def test_it_trains_and_is_tracked_with_its_scores_and_baselines(place, trained):
    tracked = place.tracked(trained.run_id)
    assert tracked.data.tags["rlq.method"] == "mean_colour" and tracked.data.params["stripes"] == "4"
    assert {"best/CC/rank1", "last/General/mAP", "chance/CC/rank1", "histogram/General/mAP"} <= trained.metrics.keys()
    assert "loss/colour/total" in tracked.data.metrics and "figures/rank_list.png" in place.files(
        trained.run_id, "figures"
    )


def test_a_stopped_run_resumes_bit_by_bit(place, trained):
    def stop(epoch, _):
        raise Pruned("enough")

    with pytest.raises(Pruned):
        run(place, "tracking.name=stopped", "tracking.figures=false", observe=stop)
    (folder,) = (place.folder / "runs").glob("stopped-*")
    resumed = place.resume(str(folder))
    whole, again = weights_of(place, trained), weights_of(place, resumed)
    assert whole.keys() == again.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value)
    assert without_clocks(resumed.metrics) == without_clocks(trained.metrics)


def test_it_evaluates_tracklets_by_every_protocol_also_degraded(place, trained):
    clean = json.loads(command(place, "evaluate", trained.run_id, "--weights", "last", "--json"))
    assert clean["CC"]["rank1"] == pytest.approx(trained.metrics["last/CC/rank1"])
    how = ("--artefact", "pixelation", "--severity", "5")
    degraded = json.loads(command(place, "evaluate", trained.run_id, *how, "--json"))
    assert degraded.keys() == clean.keys() and degraded["GENERAL"] != clean["GENERAL"]


def test_it_embeds_pictures_and_folders_of_frames(place, trained):
    frames = sorted((place.folder / "data/CCVID/session1").rglob("*.jpg"))
    for option, count in ((), len(frames)), (("--tracklets",), len({path.parent for path in frames})):
        command(place, "embed", trained.run_id, "data/CCVID/session1", "--output", "f.npz", *option)
        with np.load(place.folder / "f.npz") as kept:
            assert len(kept["names"]) == len(kept["features"]) == count
            lengths = np.linalg.norm(kept["features"], axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_the_feature_of_a_tracklet_is_the_mean_over_its_frames(place, trained):
    folder = min((place.folder / "data/CCVID/session1").iterdir())
    for option, name in ((), "frames"), (("--tracklets",), "tracklet"):
        command(place, "embed", trained.run_id, folder, "--output", f"{name}.npz", *option)
    with np.load(place.folder / "frames.npz") as frames, np.load(place.folder / "tracklet.npz") as tracklet:
        mean = frames["features"].mean(axis=0)
        np.testing.assert_allclose(tracklet["features"][0], mean / np.linalg.norm(mean), rtol=1e-5)
        assert tracklet["names"].tolist() == ["."]


def test_it_is_swept(place, monkeypatch):
    monkeypatch.setattr(summary, "figures", lambda study, metrics: ({}, []))  # they take seconds
    monkeypatch.setattr(summary, "pages", lambda study, metrics: {})
    shown = command(place, "sweep", "stripes.yaml")
    assert "stripes=1" in shown and "stripes=4" in shown and "best/CC/rank1" in shown


@pytest.mark.slow
def test_a_sweep_of_it_is_tried_in_a_few_steps_with_all_plots(place):
    command(place, "sweep", "stripes.yaml", "--smoke")


def test_it_is_ablated_and_reported(place):
    command(place, "ablate", "table.yaml", "--results", "rows", "--set", "tracking.figures=false")
    assert len(list((place.folder / "rows/table").glob("*.json"))) == 2
    shown = command(place, "report", "table.yaml", "--results", "rows", "--output", "report")
    assert "one stripe" in shown and "four stripes" in shown and "General" in shown
    shutil.rmtree(place.folder / "report")


@pytest.mark.parametrize("name", ["robustness", "retrieval", "clothes_probe", "curves"])
def test_it_is_analysed(place, trained, name):
    folds = ("--option", "folds=2", "--option", "colours=2") if name == "clothes_probe" else ()
    command(place, "analyse", name, trained.run_id, "--output", "analyses", *folds)
    assert (place.folder / "analyses" / f"{name}.json").is_file()


def test_it_is_run_again_with_equal_scores(place, trained):
    with place.entered():
        found = find(trained.run_id, place.folder / "runs")
        assert differences(found) == []
        again = rerun(found, console=Console(quiet=True))
    assert again.different == () and again.equal > 10


@pytest.mark.parametrize(
    "words",
    [
        ("embed", "RUN", "data/CCVID/session1", "--output", "f.npz", "--fast"),
        ("weights", "export", "RUN", "--output", "f.safetensors"),
        ("weights", "register", "RUN", "--name", "colours"),
    ],
)
def test_what_it_does_not_offer_is_refused_by_its_name(place, trained, words):
    shown = place.command(*(trained.run_id if word == "RUN" else word for word in words))
    assert shown.exit_code == 1 and "mean_colour" in shown.stderr


def test_without_its_entry_the_known_methods_are_named(place, monkeypatch):
    monkeypatch.delitem(METHODS, "mean_colour")
    with pytest.raises(RlqError, match=r"mean_colour.*rlq"):
        load(place.folder / "mean_colour.yaml")
