"""Runs are found in the store by id, prefix or name, and their files come whole."""

import tempfile

import pytest
from mlflow import MlflowClient
from mlflow.entities import FileInfo
from naming import assert_names

from rlq.tracking import TrackingError, fetch_files, find_stored_run, open_run, source_digest
from rlq.tracking.provenance import source_digest as uncached


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two finished runs of one name, one of another."""
    runs = tmp_path_factory.mktemp("runs")
    uri, ids = f"sqlite:///{runs}/mlflow.db", {}
    for folder, name in (("a", "twin"), ("b", "twin"), ("c", "single 'quoted'")):
        tracker = open_run(folder=runs / folder, uri=uri, experiment="rlq", run_name=name, tags={"rlq.kind": "run"})
        tracker.log_metrics({"best/CC/rank1": 0.25}, step=0)
        tracker.log_metrics({"best/CC/rank1": 0.5}, step=1)
        tracker.log_text("seed: 1\n", "experiment.yaml")
        tracker.log_text("{}", "other.json")
        tracker.log_text("no", "deeper/one.yaml")
        tracker.end()
        ids[folder] = tracker.run_id
    return uri, ids


def test_a_run_is_found_with_its_tags_and_latest_metrics(store):
    uri, ids = store
    for word in (ids["c"], ids["c"][:12]):
        found = find_stored_run(uri, word)
        assert (found.run_id, found.name, found.status) == (ids["c"], "single 'quoted'", "FINISHED")
        assert found.tags["rlq.kind"] == "run"
        assert found.metrics == {"best/CC/rank1": 0.5}


def test_a_word_for_several_runs_or_none_is_answered_with_what_there_is(store):
    uri, ids = store
    with pytest.raises(TrackingError) as several:
        find_stored_run(uri, "twin")
    assert_names(several.value, f"{ids['a'][:8]} (twin)", f"{ids['b'][:8]} (twin)")
    for word in ("abc", "%%%%"):  # too short for the start of an id; no pattern of the database's
        with pytest.raises(TrackingError) as none:
            find_stored_run(uri, word)
        assert_names(none.value, word, "sqlite")
        assert "(twin)" not in str(none.value)


def test_files_of_the_top_level_come_by_their_endings(store, tmp_path):
    uri, ids = store
    assert fetch_files(uri, ids["a"], tmp_path / "new", (".yaml",)) == [tmp_path / "new" / "experiment.yaml"]
    assert (tmp_path / "new" / "experiment.yaml").read_text() == "seed: 1\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["experiment.yaml"]


def test_fetching_leaves_nothing_behind_and_takes_no_name_that_leads_out(store, tmp_path, monkeypatch):
    uri, ids = store
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    names = [FileInfo(name, False, 1) for name in ("../../stolen.yaml", "/stolen.yaml", "experiment.yaml")]
    monkeypatch.setattr(MlflowClient, "list_artifacts", lambda client, run_id: names)
    assert fetch_files(uri, ids["a"], tmp_path / "new", (".yaml",)) == [tmp_path / "new" / "experiment.yaml"]
    assert not list(scratch.iterdir())


def test_a_store_that_is_away_is_named(tmp_path):
    uri = "http://127.0.0.1:9"  # the port where nothing ever listens
    with pytest.raises(TrackingError) as away:
        find_stored_run(uri, "twin")
    assert_names(away.value, uri, "twin")
    with pytest.raises(TrackingError, match="abcd"):
        fetch_files(uri, "abcd", tmp_path, (".yaml",))


def test_the_digest_of_the_code_is_stable_and_short():
    assert source_digest() == uncached.__wrapped__()
    assert len(source_digest()) == 16
