"""rlq evaluate, embed and track sync on a finished run."""

import json
import re
import shutil

import numpy as np
import pytest
from naming import assert_names
from tiny_runs import TARGET

from rlq.core import files
from rlq.data.catalogue import read
from rlq.runs.folder import find_run
from rlq.synthetic import built_in

KEYS = {"rank1", "rank5", "rank10", "rank20", "mAP", "queries", "valid_queries", "gallery"}


def best_of(run) -> dict[str, float]:
    """rank-1 and mAP of the run's best epoch, by the names of the JSON."""
    names = {"CC": "CC", "SC": "SC", "General": "GENERAL"}
    return {f"{j}/{m}": run.metrics[f"best/{n}/{m}"] for n, j in names.items() for m in ("rank1", "mAP")}


def flat(text: str) -> dict[str, float]:
    return {f"{name}/{m}": part[m] for name, part in json.loads(text).items() for m in ("rank1", "mAP")}


def test_json_repeats_the_best_epochs_numbers_and_they_go_into_the_run(home, whole_run):
    shown = home.command("evaluate", whole_run.run_id[:6], "--json")
    assert shown.exit_code == 0
    tree = json.loads(shown.stdout)
    assert list(tree) == ["CC", "SC", "GENERAL"] and all(set(part) >= KEYS for part in tree.values())
    assert flat(shown.stdout) == pytest.approx(best_of(whole_run), abs=1e-9)
    assert tree["CC"]["queries"] == 8 and tree["GENERAL"]["queries"] == 16 and tree["CC"]["gallery"] == 8
    run = home.tracked(whole_run.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test-best/CC/rank1"] == tree["CC"]["rank1"]


@pytest.mark.parametrize("word", ["whole", "the run's folder", "a weights folder", "a weights file"])
def test_a_run_is_named_by_name_or_folder_and_weights_by_theirs(home, whole_run, word):
    weights = whole_run.folder / "best"
    words = {
        "the run's folder": whole_run.folder,
        "a weights folder": weights,
        "a weights file": weights / "model.safetensors",
    }
    shown = home.command("evaluate", words.get(word, word), "--json")
    assert flat(shown.stdout) == pytest.approx(best_of(whole_run), abs=1e-9)


def test_the_last_epochs_weights_give_the_last_epochs_numbers(home, whole_run):
    shown = home.command("evaluate", "whole", "--weights", "last", "--json")
    last = {name: whole_run.metrics[f"last/{name.replace('GENERAL', 'General')}"] for name in flat(shown.stdout)}
    assert flat(shown.stdout) == pytest.approx(last, abs=1e-9)


def test_the_table_shows_percent_counts_and_what_is_not_in_the_paper(home, whole_run):
    lines = home.command("evaluate", "whole").stdout.splitlines()
    assert lines[0].split() == ["protocol", "R-1", "R-5", "R-10", "R-20", "mAP", "queries", "valid", "gallery"]
    cells = {line.split()[0]: line.split()[1:] for line in lines[2:5]}
    assert cells["CC"][0] == f"{100 * whole_run.metrics['best/CC/rank1']:.1f}" and cells["CC"][-3:] == ["8", "8", "8"]
    assert lines[5].startswith("General: ")


@pytest.mark.slow
def test_single_shot_is_named_and_has_numbers_of_its_own(home, whole_run):
    multi, single = (home.command("evaluate", "whole", "--shots", shots) for shots in ("multi", "single"))
    assert_names(multi.stdout.splitlines()[-1], "gallery", "multi-shot")
    assert_names(single.stdout.splitlines()[-1], "gallery", "single-shot", 10)
    found = json.loads(home.command("evaluate", "whole", "--shots", "single", "--json").stdout)
    assert found["CC"]["gallery"] == 4 and found["CC"]["draws"] == 10
    metrics = home.tracked(whole_run.run_id).data.metrics
    assert metrics["test-best-single/CC/mAP"] == pytest.approx(found["CC"]["mAP"])
    shown = home.command("evaluate", "whole", "--data", "synthetic_celeb", "--shots", "single")
    assert shown.exit_code == 1
    assert_names(shown.stderr, "--shots single", "PRCC", "synthetic_celeb")


def test_the_reading_of_celebs_cameras_can_be_chosen(home, whole_run):
    words = ["evaluate", "whole", "--data", "synthetic_celeb", "--json", "--celeb-camera"]
    found = {
        reading: json.loads(home.command(*words, reading).stdout)["GENERAL"] for reading in ("none", "first_digit")
    }
    assert found["none"]["mAP"] != found["first_digit"]["mAP"]
    metrics = home.tracked(whole_run.run_id).data.metrics
    assert metrics["synthetic_celeb-best-none/General/mAP"] == pytest.approx(found["none"]["mAP"])


@pytest.mark.slow
def test_json_stays_alone_when_a_built_in_set_has_to_be_made(home, whole_run, tmp_path, monkeypatch):
    monkeypatch.setattr(built_in, "BUILT_IN", {"synthetic": ("synthetic/prcc", TARGET)})
    for words in (["evaluate", "whole", "--data", "synthetic"], ["data", "check", "synthetic"]):
        shown = home.command(*words, "--root", tmp_path / words[0], "--json")
        assert shown.exit_code == 0 and len(json.loads(shown.stdout)) >= 3
        assert re.search(rf"^data .*{re.escape(str(tmp_path / words[0]))}/synthetic/prcc", shown.stderr, re.MULTILINE)


def test_another_set_and_spoilt_pictures_have_numbers_of_their_own(home, whole_run):
    shown = home.command("evaluate", "whole", "--data", "synthetic_celeb", "--json")
    assert list(json.loads(shown.stdout)) == ["GENERAL"] and json.loads(shown.stdout)["GENERAL"]["queries"] == 8
    clean = flat(home.command("evaluate", "whole", "--json").stdout)
    spoilt = home.command("evaluate", "whole", "--artefact", "pixelation", "--json")
    assert flat(spoilt.stdout) != clean
    assert spoilt.stdout == home.command("evaluate", "whole", "--artefact", "pixelation", "--json").stdout
    metrics = home.tracked(whole_run.run_id).data.metrics
    assert metrics["synthetic_celeb-best/General/rank1"] == json.loads(shown.stdout)["GENERAL"]["rank1"]
    assert metrics["test-best-pixelation/CC/mAP"] == flat(spoilt.stdout)["CC/mAP"]


@pytest.mark.slow
def test_spoilt_queries_have_numbers_of_their_own_by_severity_side_and_seed(home, whole_run):
    words = ["evaluate", "whole", "--artefact", "motion"]
    shown = home.command(*words, "--severity", 3, "--degrade", "query")
    assert shown.exit_code == 0
    assert_names(shown.stdout.splitlines()[-1], "motion 3 query")
    assert "motion" not in home.command(*words).stdout
    again = flat(home.command(*words, "--severity", 3, "--degrade", "query", "--json").stdout)
    seeded = flat(home.command(*words, "--degrade", "gallery", "--artefact-seed", 7, "--json").stdout)
    metrics = home.tracked(whole_run.run_id).data.metrics
    assert metrics["test-best-motion-3-query/CC/mAP"] == again["CC/mAP"]
    assert metrics["test-best-motion-gallery-seed7/CC/mAP"] == seeded["CC/mAP"]
    assert "test-best-motion/CC/mAP" in metrics


@pytest.mark.parametrize("words", [("--severity", 3), ("--degrade", "query"), ("--artefact-seed", 1)])
def test_how_pictures_are_spoilt_needs_an_artefact(home, whole_run, words):
    shown = home.command("evaluate", "whole", *words)
    assert shown.exit_code == 1
    assert_names(shown.stderr, words[0], "--artefact ")


def test_a_teachers_numbers_go_into_the_teachers_run_and_no_second_store_is_made(home, whole_run):
    teacher = home.tracked(whole_run.run_id).data.tags["rlq.teacher"]
    shown = home.command("evaluate", teacher, "--weights", "last", "--json")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)["GENERAL"]["rank1"]
    assert (
        home.tracked(
            json.loads((home.folder / f"runs/teachers/{teacher}/run.json").read_text())["run_id"]
        ).data.metrics["test-last/General/rank1"]
        == found
    )
    assert not (home.folder / "runs/teachers/mlflow.db").exists()


@pytest.mark.parametrize("words", [("evaluate", "nobody"), ("embed", "nobody", ".", "--output", "f.npz")])
def test_an_unknown_run_is_answered_with_those_that_exist(home, whole_run, words):
    shown = home.command(*words)
    assert shown.exit_code == 1 and shown.stderr.startswith("Error: ")
    assert_names(shown.stderr, "nobody", "runs", f"{whole_run.run_id[:8]} (whole)")


def test_another_set_that_is_not_there_is_one_line(home, whole_run):
    shown = home.command("evaluate", "whole", "--data", "prcc", "--root", "nowhere")
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert_names(shown.stderr, "prcc", "data.root", "nowhere/PRCC")


@pytest.fixture
def pictures(home, tmp_path):
    """Five pictures in nested folders, one of them hidden, beside a file that is none."""
    records = read("synthetic", home.folder / "data").gallery[:5]
    folder = tmp_path / "pictures"
    for name, record in zip(("b.jpg", "a/10.JPG", "a/2.jpg", "a-1.jpg", ".hidden/x.jpg"), records, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(record.path, folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_features_of_a_folder_are_sorted_float32_and_of_unit_length(home, whole_run, pictures, tmp_path):
    output = tmp_path / "new" / "f.npz"
    shown = home.command("embed", "whole", pictures, "--output", output)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("\n") == 1
    assert_names(shown.stdout, output)
    assert_names(shown.stdout.replace(str(output), ""), 4, np.load(output)["features"].shape[1])
    with np.load(output, allow_pickle=False) as file:
        names, features = file["names"].tolist(), file["features"]
    assert names == sorted(names) == ["a-1.jpg", "a/10.JPG", "a/2.jpg", "b.jpg"]
    assert features.dtype == np.float32 and features.shape[0] == 4
    assert np.linalg.norm(features, axis=1) == pytest.approx(1, abs=1e-6)


def test_features_are_those_that_evaluation_ranks_by(home, whole_run, tmp_path):
    data = read("synthetic", home.folder / "data")
    home.command("embed", "whole", data.root / "rgb/test", "--output", tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz") as file:
        features = dict(zip(file["names"].tolist(), file["features"], strict=True))
    parts = {}
    for side, records in (("q", [r for r in data.query if r.camera == "C"]), ("g", data.gallery)):
        names = [record.path.relative_to(data.root / "rgb/test").as_posix() for record in records]
        prefix = {"q": "f_query", "g": "f_gallery"}[side]
        parts |= {prefix: np.stack([features[name] for name in names])}
        parts |= {f"{side}_pid": [int(r.pid) for r in records], f"{side}_cam": [ord(r.camera) for r in records]}
    np.savez(tmp_path / "scored.npz", **parts)
    shown = home.command("score", tmp_path / "scored.npz", "--json")
    scored = json.loads(shown.stdout)["GENERAL"]
    assert scored["rank1"] == pytest.approx(whole_run.metrics["best/CC/rank1"], abs=1e-9)
    assert scored["mAP"] == pytest.approx(whole_run.metrics["best/CC/mAP"], abs=1e-9)


def test_bad_pictures_are_all_listed_or_left_out(home, whole_run, pictures, tmp_path):
    (pictures / "a/2.jpg").write_bytes(b"")
    (pictures / "b.jpg").write_bytes((pictures / "b.jpg").read_bytes()[:300])
    output = tmp_path / "f.npz"
    shown = home.command("embed", "whole", pictures, "--output", output)
    assert shown.exit_code == 1 and not output.exists()
    head, first, second = shown.stderr.splitlines()
    assert head.startswith("Error: ")
    assert_names(head, 2, 4, "--skip-bad")
    assert first.startswith("  a/2.jpg: ") and second.startswith("  b.jpg: ")
    shown = home.command("embed", "whole", pictures, "--output", output, "--skip-bad")
    assert shown.exit_code == 0
    assert re.findall(r"\b2\b", shown.stdout.replace(str(output), "")) == ["2", "2"]  # taken, and left out
    assert np.load(output)["names"].tolist() == ["a-1.jpg", "a/10.JPG"]


def test_a_write_that_fails_leaves_the_old_features_as_they_were(home, whole_run, pictures, tmp_path, monkeypatch):
    output = tmp_path / "out" / "f.npz"
    home.command("embed", "whole", pictures, "--output", output)
    before = output.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    (pictures / "b.jpg").unlink()
    monkeypatch.setattr(files.os, "fsync", full)
    shown = home.command("embed", "whole", pictures, "--output", output)
    assert shown.exit_code == 1
    assert_names(shown.stderr, output, "No space left on device")
    assert output.read_bytes() == before and [path.name for path in output.parent.iterdir()] == ["f.npz"]


def test_a_folder_without_pictures_and_an_output_of_another_kind_are_refused(home, whole_run, pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    shown = home.command("embed", "whole", tmp_path / "empty", "--output", tmp_path / "f.npz")
    assert shown.exit_code == 1
    assert_names(shown.stderr, tmp_path / "empty", ".jpg, .jpeg, .png")
    shown = home.command("embed", "whole", pictures, "--output", tmp_path / "f.csv")
    assert shown.exit_code == 1
    assert_names(shown.stderr, "f.csv", ".npz")


def test_sync_sends_a_run_to_another_store_once(home, whole_run, tmp_path):
    folder = find_run("whole", home.folder / "runs")
    uri = f"sqlite:///{tmp_path}/other.db"
    shown = home.command("track", "sync", folder, "--uri", uri)
    assert shown.exit_code == 0, shown.output
    again = (home.command("track", "sync", folder, *words).stdout for words in (("--uri", uri), ()))
    (first,), *later = (re.findall(r"\d+", text) for text in (shown.stdout, *again))
    assert int(first) > 100 and later == [["0"], ["0"]]
    from mlflow import MlflowClient

    (copy,) = MlflowClient(uri).search_runs(["1"])
    assert copy.data.metrics == home.tracked(whole_run.run_id).data.metrics
    assert copy.info.run_name == "whole" and copy.info.status == "FINISHED"


def test_a_folder_that_is_no_run_cannot_be_synced(home, tmp_path):
    shown = home.command("track", "sync", tmp_path)
    assert shown.exit_code == 1
    assert_names(shown.stderr, tmp_path)
