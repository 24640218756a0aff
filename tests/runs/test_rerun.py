"""A run is started again from what the store holds of it; what is not as it was is listed instead."""

import re
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from naming import assert_names

from rlq.core.errors import DataError, RlqError
from rlq.runs import rerun as again
from rlq.runs.rerun import differences, find


@pytest.fixture
def copied(home, whole_run, tmp_path):
    """The store of `home` in another folder, without any run folder: as on another machine."""
    shutil.copytree(home.folder / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("whole-*", "teachers"))
    client = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    return tmp_path / "runs", client


@pytest.fixture(scope="session")
def twice(home):
    """A run, and what `rlq rerun` says when it runs it again."""
    first = home.run("tracking.name=twice")
    return first, home.command("rerun", first.run_id[:8])


@pytest.mark.slow
def test_a_run_gives_the_same_scores_again_to_the_last_bit(home, twice):
    first, shown = twice
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert any(re.match(r"rerun +twice\b", line) for line in lines)
    (compared,) = [line for line in lines if line.startswith("compared ")]
    assert_names(compared, "twice", first.run_id[:8])
    assert lines[-1] == compared  # no score is listed below it
    (second,) = home.client.search_runs(["1"], f"tags.`rlq.rerun_of` = '{first.run_id}'")
    assert second.info.run_id != first.run_id
    weights = [path.read_bytes() for path in sorted(home.folder.glob("runs/twice-*/last/model.safetensors"))]
    assert len(weights) == 2
    assert weights[0] == weights[1]


def test_settings_and_seed_come_from_the_store_alone(home, copied, whole_run):
    runs, _ = copied
    with home.entered():
        found = find(whole_run.run_id[:6], runs)
    assert found.loaded.settings.seed == 1
    assert found.loaded.settings.schedule.epochs == 3
    assert Path(found.loaded.folder, found.loaded.settings.tad.teacher).is_file()
    assert found.loaded.folder.is_relative_to(runs)


def test_what_differs_is_listed_and_nothing_is_run(home, copied, whole_run):
    runs, client = copied
    run_id = whole_run.run_id
    for name, value in {
        "rlq.source": "0123456789abcdef",
        "rlq.data_fingerprint": "other",
        "version.torch": "1.0",
        "rlq.device": "NVIDIA H200",
        "rlq.processes": "4",
        "rlq.compute_type": "bfloat16",
    }.items():
        client.set_tag(run_id, name, value)
    client.delete_tag(run_id, "rlq.labels_fingerprint")
    before = sorted(path.name for path in runs.iterdir() if path.is_dir())
    shown = home.command("rerun", run_id, "--runs", runs)
    assert shown.exit_code == 1
    head, *lines, last = shown.output.splitlines()
    assert_names(head, "whole")
    for named in (
        ("commit",),
        ("pictures", "synthetic"),
        ("torch", "1.0"),
        ("NVIDIA H200", "cpu"),
        ("processes", 4, 1),
        ("bfloat16", "float32"),
        ("masks", "synthetic"),
    ):
        assert any(all(str(piece) in line for piece in named) for line in lines), (named, lines)
    assert "--anyway" in last
    assert sorted(path.name for path in runs.iterdir() if path.is_dir()) == sorted({*before, ".reruns"})


def test_each_part_of_the_data_is_noticed(home, whole_run, tmp_path):
    shutil.copytree(home.folder / "data", tmp_path / "data")
    with home.entered():
        found = find(whole_run.run_id, Path("runs"))
        assert differences(found) == []
    moved = found.loaded.settings.model_copy(
        update={
            "data": found.loaded.settings.data.model_copy(update={"root": str(tmp_path / "data")}),
        }
    )
    found = found._replace(loaded=found.loaded._replace(settings=moved))
    with home.entered():
        assert differences(found) == []  # another place, the same data
    picture = min((tmp_path / "data").rglob("rgb/train/**/*.jpg"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    mask = min((tmp_path / "data").rglob("masks/**/*.png"))
    mask.write_bytes(mask.read_bytes() + b"\0")
    with home.entered():
        lines = differences(found)
    pictures, labels = lines
    assert_names(pictures, "pictures", "synthetic")
    assert_names(labels, "masks", "synthetic")


def test_a_run_that_is_not_there_or_not_alone_is_named(home, copied):
    runs, client = copied
    teacher = next(run for run in client.search_runs(["1"]) if run.data.tags["rlq.kind"] == "teacher")
    client.update_run(teacher.info.run_id, name="whole")
    with home.entered():
        with pytest.raises(RlqError) as told:
            find("nobody", runs)
        assert_names(told.value, "nobody", "sqlite")
        with pytest.raises(RlqError, match=r"\w{8} \(whole\), \w{8} \(whole\)"):
            find("whole", runs)


def test_missing_data_is_said_before_anything_is_run(home, whole_run, tmp_path):
    with home.entered():
        found = find(whole_run.run_id, Path("runs"))
        settings = found.loaded.settings
        lost = settings.data.model_copy(update={"root": str(tmp_path), "dataset": "prcc"})
        there = settings.tad.model_copy(update={"external_root": settings.data.root})
        settings = settings.model_copy(update={"data": lost, "tad": there})
        found = found._replace(loaded=found.loaded._replace(settings=settings))
        with pytest.raises(DataError, match=re.escape(str(tmp_path))):
            differences(found)


def test_scores_that_differ_are_named(home, whole_run):
    with home.entered():
        found = find(whole_run.run_id, Path("runs"))
    other = found.stored.metrics | {"best/CC/rank1": 0.5}
    found = found._replace(stored=again.StoredRun(**{**vars(found.stored), "metrics": other}))
    words = again.comparison_text(found, again.Rerun(whole_run, 20, ("best/CC/rank1: 0.5 there, 0.25 here",)))
    assert re.match(r"compared\b.*\b1\b.*\b21\b.*\bwhole\b", words)
    assert "best/CC/rank1: 0.5 there, 0.25 here" in words


def test_checking_and_running_anyway_exclude_each_other(home):
    assert home.command("rerun", "x", "--check", "--anyway").exit_code == 2
