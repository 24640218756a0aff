"""A table is run row by row; what is finished is never run again, and stopping changes nothing."""

import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from made_rows import PretendedRuns, write_table
from mlflow import MlflowClient
from naming import assert_names
from tiny_runs import EXPERIMENTS, Home, without_clocks

from rlq.ablation import run as running
from rlq.ablation.family import Family
from rlq.ablation.rows import Row, read_rows
from rlq.ablation.table import read_table_file
from rlq.core.console import Console
from rlq.core.errors import DataError, RlqError, SettingsError
from rlq.runs import experiment, family
from rlq.runs.folder import read_about
from rlq.training.signals import Stopped

QUIET = Console(quiet=True)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path, EXPERIMENTS / "synthetic.yaml")


@pytest.fixture
def pretended(monkeypatch) -> PretendedRuns:
    runs = PretendedRuns()
    monkeypatch.setattr(experiment, "run", runs)
    return runs


def changes(home: Home, table: Path, *more: str) -> tuple[str, ...]:
    runs = f"tracking.folder={table.parent / 'runs'}"
    return home.changes(runs, "tracking.figures=false", "schedule.baselines=false", *more)


def ablate(home: Home, table: Path, *more: str, **options) -> str:
    options = {"results": table.parent / "raw", "console": QUIET} | options
    with home.entered():
        return running.ablate(table, changes=changes(home, table, *more), **options)


def scores(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("BM")]


ALL = [("BM", 1), ("BM + G", 1), ("BM", 2), ("BM + G", 2)]


def test_every_row_and_seed_is_run_once_as_a_child_of_one_run(home, table, tmp_path, pretended):
    text = ablate(home, table)
    assert pretended.asked == ALL
    assert len({member.parent for member in pretended.members}) == 1
    assert pretended.members[1].name == "BM + G, seed 1" and pretended.members[1].kind == "variant"
    assert ablate(home, table) == text and pretended.asked == ALL
    parent = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db").get_run(pretended.members[0].parent)
    assert parent.info.status == "FINISHED" and parent.data.tags["rlq.kind"] == "ablation"


def test_the_table_shows_mean_deviation_and_the_published_numbers(home, table, pretended):
    first, second = scores(ablate(home, table))
    assert first.split() == ["BM", "2", "41.5", "±", "0.7", "20.8", "±", "0.4", "58.0", "/", "59.4"]
    assert second.split() == ["BM", "+", "G", "2", "46.5", "±", "0.7", "23.2", "±", "0.4", "-"]


def test_rows_are_kept_as_small_files_with_all_that_traces_them(home, table, tmp_path, pretended):
    ablate(home, table, only=("BM",), seeds=(7,))
    (row,) = read_rows(tmp_path / "raw", "two_ways")
    assert (row.table, row.base, row.row, row.seed, row.dataset) == ("two_ways", "synthetic", "BM", 7, "synthetic")
    assert row.settings["tad.enabled"] is False and row.settings["seed"] == 7
    assert row.per_query["CC"] == {
        "queries": row.per_query["CC"]["queries"],
        "ap": [0.12346, None],
        "first_match": [1, 0],
    }
    assert len(row.commit.rstrip("+")) in (0, 40) and "torch" in row.versions and row.finished.endswith("+00:00")
    assert row.score("CC", "rank1") == pytest.approx(0.47) and row.score("SC", "rank1") is None


def test_a_row_chosen_on_held_out_people_scores_by_the_test_set():
    row = Row(**dict.fromkeys(Row.__dataclass_fields__, "") | {"metrics": {"best/CC/mAP": 0.5, "test/CC/mAP": 0.4}})
    assert replace(row, selection="holdout").score("CC", "mAP") == 0.4
    assert replace(row, selection="test").score("CC", "mAP") == 0.5


def test_other_settings_are_another_row(home, table, tmp_path, pretended, capsys):
    ablate(home, table, only=("BM",), seeds=(1,))
    ablate(home, table, "optim.lr=0.5", only=("BM",), seeds=(1,), console=Console())
    assert "bm-seed1.json" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("row "))
    assert pretended.asked == [("BM", 1), ("BM", 1)]
    assert read_rows(tmp_path / "raw")[0].settings["optim.lr"] == 0.5
    ablate(home, table, "optim.lr=0.5", "data.workers=0", "tracking.name=x", only=("BM",), seeds=(1,))
    assert len(pretended.asked) == 2  # neither pace nor names make another row


def test_a_row_of_another_table_with_the_same_settings_is_taken_over(home, table, tmp_path, pretended):
    ablate(home, table)
    other = tmp_path / "other.yaml"
    other.write_text(table.read_text().replace("name: BM\n", "name: base model\n"))
    ablate(home, other)
    assert pretended.asked == ALL
    assert {row.row for row in read_rows(tmp_path / "raw", "other")} == {"base model", "BM + G"}


def test_a_row_that_fails_does_not_keep_the_others_from_theirs(home, table, tmp_path, pretended):
    pretended.broken["BM"] = DataError("no masks")
    with pytest.raises(RlqError) as raised:
        ablate(home, table)
    first, reason = str(raised.value).splitlines()
    assert re.search(r"\b2\b.*\b4\b", first)
    assert_names(reason, "BM, seed 1", "BM, seed 2", "no masks")
    assert pretended.asked == ALL and len(read_rows(tmp_path / "raw")) == 2
    pretended.broken.clear()
    ablate(home, table)
    assert pretended.asked[4:] == [("BM", 1), ("BM", 2)]


def test_a_row_that_another_process_runs_is_left_to_it(home, table, tmp_path, pretended):
    with home.entered():
        job = running.plan(read_table_file(table), changes=changes(home, table), results=tmp_path / "raw")[1]
    job.runs.mkdir()
    with FileLock(job.runs / f".{job.folder.name}.lock"):
        text = ablate(home, table)
    assert "BM + G, seed 1" in text
    assert pretended.asked == [one for one in ALL if one != ("BM + G", 1)]


def parent(folder: Path) -> Path:
    return folder / "runs/two_ways-synthetic"


def status(folder: Path) -> str:
    return MlflowClient(f"sqlite:///{folder}/runs/mlflow.db").get_run(read_about(parent(folder)).run_id).info.status


def test_whoever_is_done_last_finishes_the_parent_run(home, table, tmp_path, pretended, monkeypatch):
    with home.entered():
        job = running.plan(read_table_file(table), changes=changes(home, table), results=tmp_path / "raw")[1]
    job.runs.mkdir()
    with FileLock(job.runs / f".{job.folder.name}.lock"):  # the other process is at this row; this one opened the run
        ablate(home, table)
    assert status(tmp_path) == read_about(parent(tmp_path)).status == "FAILED"
    opened = FileLock(tmp_path / "runs/.two_ways-synthetic.lock")
    opened.acquire()

    def first_one_ends(*args, **kwargs):
        opened.release()
        return pretended(*args, **kwargs)

    monkeypatch.setattr(experiment, "run", first_one_ends)
    text = ablate(home, table)
    assert len(pretended.asked) == 4 and not opened.is_locked
    assert status(tmp_path) == read_about(parent(tmp_path)).status == "FINISHED"
    assert (parent(tmp_path) / "artifacts/table.txt").read_text() == text + "\n"


def test_a_parent_run_that_was_killed_behind_its_last_row_is_finished_by_the_next_start(
    home, table, tmp_path, pretended, monkeypatch
):
    monkeypatch.setattr(Family, "finish", lambda *_, **__: None)  # nothing ends the run, as after SIGKILL
    ablate(home, table)
    assert status(tmp_path) == "RUNNING"
    monkeypatch.undo()
    monkeypatch.setattr(experiment, "run", pretended)
    ablate(home, table)
    assert status(tmp_path) == read_about(parent(tmp_path)).status == "FINISHED" and len(pretended.asked) == 4


def test_the_view_of_a_table_is_sorted_by_what_chooses_its_epochs(home, table, pretended, monkeypatch):
    asked = []
    monkeypatch.setattr(family, "family_links", lambda *_, metric, **__: asked.append(metric) or {})
    ablate(home, table, "schedule.select=General/mAP", only=("BM",), seeds=(1,))
    ablate(home, table, "data.selection=holdout", only=("BM",), seeds=(1,))
    assert asked == ["best/General/mAP", "test/CC/rank1"]


def test_a_seed_or_row_that_is_named_twice_counts_once(home, table, pretended):
    (line,) = scores(ablate(home, table, only=("BM", "bm"), seeds=(1, 1)))
    assert pretended.asked == [("BM", 1)] and line.split()[:3] == ["BM", "1", "41.0"]


def test_a_dry_run_says_what_would_be_run_and_runs_nothing(home, table, pretended):
    ablate(home, table, only=("BM",), seeds=(2,))
    text = ablate(home, table, dry_run=True)
    first, second, done, fourth = (line.split()[-1] for line in scores(text))
    assert first == second == fourth != done
    assert re.search(r"\b3\b.*\b4\b", text.splitlines()[-1]) and len(pretended.asked) == 1


def test_rows_whose_settings_do_not_fit_are_told_before_anything_runs(home, table, pretended):
    table.write_text(table.read_text().replace("cap.pose.enabled", "cap.pos.enabled"))
    with pytest.raises(SettingsError, match=r"\bBM\b.*\bcap\.pos\b.*\bcap\.pose\b"):
        ablate(home, table)
    assert pretended.asked == []


@pytest.mark.parametrize(("analysis", "way"), [("sharpness", "rlq analyse sharpness"), ("null", "")])
def test_a_table_without_rows_says_that_there_is_nothing_to_train(home, table, analysis, way):
    text = table.read_text()
    table.write_text(text[: text.index("rows:")] + f"analysis: {analysis}\nrows: []\n")
    with pytest.raises(RlqError, match=rf"two_ways\.yaml.*{way}") as raised:
        ablate(home, table)
    assert ("rlq analyse" in str(raised.value)) == bool(way)


def test_a_broken_row_file_is_named(home, table, tmp_path, pretended):
    ablate(home, table)
    (file,) = (tmp_path / "raw/two_ways").glob("*-bm-seed1.json")
    file.write_text(file.read_text()[:100])
    with pytest.raises(DataError, match=r"bm-seed1\.json"):
        ablate(home, table)
    file.write_text('{"table": "two_ways", "seed": [1], "more": 1}')
    with pytest.raises(DataError, match=r"bm-seed1\.json.*\bbase\b.*; .* and 15 more"):
        ablate(home, table)
    tree = json.loads(file.with_name(file.name.replace("seed1", "seed2")).read_text())
    file.write_text(json.dumps(tree | {"metrics": None}))
    with pytest.raises(DataError, match=r"bm-seed1\.json.*\bmetrics\b"):
        read_rows(tmp_path / "raw")


def test_a_row_that_is_being_written_is_no_row_yet(home, table, tmp_path, pretended):
    ablate(home, table)
    (tmp_path / "raw/two_ways/.0a1b2c3d.synthetic-bm-seed3.json").touch()
    assert len(read_rows(tmp_path / "raw")) == 4


def test_the_command_takes_seeds_as_numbers_with_commas(home, table, tmp_path, pretended):
    settings = [word for one in changes(home, table) for word in ("--set", one)]
    words = ["ablate", table, "--results", tmp_path / "raw", *settings]
    planned = home.command(*words, "--only", "BM", "--seeds", "3", "--dry-run").output
    assert re.search(r"\b1\b.*\b1\b", planned.splitlines()[-1])
    shown = home.command(*words, "--seeds", "1, 2")
    assert shown.exit_code == 0 and pretended.asked == ALL
    assert re.search(r"\bTwo ways\b.*\bsynthetic\b", shown.output)
    wrong = home.command(*words, "--seeds", "1;2")
    assert wrong.exit_code == 2 and "1;2" in wrong.output


@pytest.mark.slow
def test_a_stopped_table_goes_on_and_ends_like_one_that_was_not(home, table, tmp_path, monkeypatch):
    whole = ablate(home, table, results=tmp_path / "other", seeds=(1,))
    calls = 0

    def stop_at(call: int):
        def fit(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == call:
                signal.raise_signal(signal.SIGTERM)
            return real(*args, **kwargs)

        return fit

    real = experiment.fit
    runs = f"tracking.folder={tmp_path / 'stopped'}"
    for call in (1, 3):  # in the middle of the first row, then of the second one
        monkeypatch.setattr(experiment, "fit", stop_at(call))
        with pytest.raises(Stopped):
            ablate(home, table, runs, seeds=(1,))
    monkeypatch.setattr(experiment, "fit", real)
    again = ablate(home, table, runs, seeds=(1,))
    assert scores(again) == scores(whole) and len(scores(again)) == 2
    stopped, straight = read_rows(tmp_path / "raw"), read_rows(tmp_path / "other")
    assert [row.per_query for row in stopped] == [row.per_query for row in straight]
    assert [without_clocks(row.metrics) for row in stopped] == [without_clocks(row.metrics) for row in straight]
    assert len(list((tmp_path / "stopped").glob("*/result.json"))) == 2


@pytest.mark.slow
def test_the_papers_main_table_trains_cal_the_base_model_and_rlq(home, tmp_path):
    table = tmp_path / "main.yaml"
    table.write_text((EXPERIMENTS / "tables/main.yaml").read_text().replace("../", f"{EXPERIMENTS}/"))
    text = ablate(home, table, base=EXPERIMENTS / "synthetic.yaml", seeds=(1,), only=("CAL", "BM", "RLQ"))
    client = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    rows = {row.row: row for row in read_rows(tmp_path / "raw")}
    losses = {
        name: {metric for metric in client.get_run(row.run_id).data.metrics if metric.startswith("loss/")}
        for name, row in rows.items()
    }
    base = {"loss/cap/id_cal", "loss/cap/clothes_ce", "loss/cap/clothes_adversarial", "loss/cap/total"}
    assert losses["CAL"] == base
    assert losses["BM"] == base | {"loss/cap/id_bot", "loss/cap/triplet", "loss/cap/id_kl"}
    assert losses["BM"] < losses["RLQ"] and "loss/tad/total" in losses["RLQ"]
    for name, row in rows.items():
        assert any(
            line.startswith(f"{name} ") and f"{100 * row.score('General', 'rank1'):.1f}" in line
            for line in text.splitlines()
        )
