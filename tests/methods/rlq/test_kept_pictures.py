"""data.cache: a whole run reads decoded pictures, and its results do not know."""

import pytest
from naming import assert_names
from tiny_runs import without_clocks

from rlq.core.errors import DataError
from rlq.data import pictures
from rlq.methods.rlq import inputs
from rlq.methods.rlq.inputs import gather_inputs
from rlq.runs.load import fingerprint


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_sources", {})


def test_the_setting_keeps_both_sets_and_shapes_no_result(home):
    loaded = home.load("data.cache=true")
    assert fingerprint(loaded) == fingerprint(home.load())
    with home.entered():
        found = gather_inputs(loaded.settings, "experiment.yaml")
        assert not any("data.cache" in note for note in found.notes)
        files = sorted(path.name.split("-")[0] for path in (home.folder / "runs/.cache").glob("*.pictures"))
        assert files == sorted([found.data.name, found.external.name])
        kept = pictures.decoded_sources().values()
        for record in (found.data.train[0], found.data.gallery[-1], found.external_train[0]):
            assert any(one.find(record.path) is not None for one in kept)
        held_out = gather_inputs(home.load("data.cache=true", "data.selection=holdout").settings, "experiment.yaml")
    assert held_out.own_test is not None
    assert len(list((home.folder / "runs/.cache").glob("*.pictures"))) == 2  # the same files serve both selections


def test_without_room_the_run_says_so_and_decodes(home, monkeypatch):
    def full(*_: object) -> None:
        raise DataError("the 120 decoded pictures take 4.0 GB, and runs/.cache has 1.0 GB left")

    monkeypatch.setattr(inputs, "keep_decoded", full)
    with home.entered():
        found = gather_inputs(home.load("data.cache=true").settings, "experiment.yaml")
    assert_names(" ".join(found.notes), "data.cache", "120", "4.0 GB", "runs/.cache", "1.0 GB")
    assert pictures.decoded_sources() == {}


@pytest.mark.slow
def test_a_whole_run_is_the_same_with_and_without_kept_pictures(home, whole_run):
    kept = home.run("data.cache=true", "data.workers=1")
    assert pictures.decoded_sources()
    assert without_clocks(kept.metrics) == without_clocks(whole_run.metrics)
