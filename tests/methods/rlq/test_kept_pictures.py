"""data.cache: a whole run reads decoded pictures, and its results do not know."""

from pathlib import Path

import numpy as np
import pytest
from naming import assert_names
from tiny_runs import without_clocks

from rlq.core.errors import DataError
from rlq.data import image_cache
from rlq.data.pictures import read_picture
from rlq.methods.rlq import inputs
from rlq.methods.rlq.inputs import gather_inputs
from rlq.runs.load import fingerprint


def test_the_setting_keeps_both_sets_and_shapes_no_result(home):
    loaded = home.load("data.cache=true")
    assert fingerprint(loaded) == fingerprint(home.load())
    with home.entered():
        found = gather_inputs(loaded.settings, "experiment.yaml")
        assert not any("data.cache" in note for note in found.notes)
        files = sorted(path.name.split("-")[0] for path in (home.folder / "runs/.cache").glob("*.pictures"))
        assert files == sorted([found.data.name, found.external.name])
        for record in (found.data.train[0], found.data.gallery[-1], found.external_train[0]):
            assert any(one.find(record.path) is not None for one in found.reader.sources)
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
    assert found.reader is read_picture


@pytest.mark.slow
def test_a_whole_run_is_the_same_with_and_without_kept_pictures(home, whole_run, tmp_path, monkeypatch):
    find, log = image_cache.DecodedPictures.find, tmp_path / "log"

    def noted(self: image_cache.DecodedPictures, path: Path) -> np.ndarray | None:
        with log.open("a") as file:  # workers are forked with it
            file.write(f"{path}\n")
        return find(self, path)

    monkeypatch.setattr(image_cache.DecodedPictures, "find", noted)
    cached = home.run("data.cache=true", "data.workers=1")
    with home.entered():
        data = gather_inputs(whole_run.settings, "experiment.yaml").data
    assert {str(record.path) for record in data.records} <= set(log.read_text().splitlines())
    assert without_clocks(cached.metrics) == without_clocks(whole_run.metrics)
