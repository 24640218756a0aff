"""Runs that belong together: closed for a process that is dead, shared by processes, compared in the UI."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from mlflow import MlflowClient
from naming import assert_names

from rlq.core.scores import Score, ScoreTable
from rlq.tracking import MlflowTracker, TrackingError, close_run, family_links, open_run, sync
from rlq.tracking.store import open_client

Begin = Callable[..., MlflowTracker]


def test_a_run_whose_process_is_dead_is_closed_once_with_the_reason(begin: Begin, store: str):
    tracker = begin()
    tracker.log_metrics({"loss": 1.0}, step=0)
    assert close_run(store, tracker.run_id, reason="no sign of life for 60 s")
    run = MlflowClient(store).get_run(tracker.run_id)
    assert (run.info.status, run.data.tags["rlq.ended_by"]) == ("KILLED", "no sign of life for 60 s")
    assert run.info.end_time >= run.info.start_time and run.data.metrics == {"loss": 1.0}
    assert not close_run(store, tracker.run_id, status="FAILED", reason="again")
    assert MlflowClient(store).get_run(tracker.run_id).data.tags["rlq.ended_by"] == "no sign of life for 60 s"


def test_a_run_that_has_ended_stays_as_it_ended(begin: Begin, store: str):
    tracker = begin()
    tracker.end("FINISHED")
    assert not close_run(store, tracker.run_id, reason="too late")
    run = MlflowClient(store).get_run(tracker.run_id)
    assert run.info.status == "FINISHED" and "rlq.ended_by" not in run.data.tags


def test_a_closed_run_goes_on_where_its_folder_is(begin: Begin, store: str):
    first = begin()
    first.log_metrics({"loss": 1.0}, step=0)
    first._lock.release()  # as the death of its process does
    close_run(store, first.run_id, reason="dead")
    second = begin(resume_run_id=first.run_id)
    assert MlflowClient(store).get_run(first.run_id).info.status == "RUNNING"
    second.log_metrics({"loss": 0.5}, step=1)
    second.end()
    assert MlflowClient(store).get_run(first.run_id).info.status == "FINISHED"


def test_a_run_that_began_without_a_store_is_closed_by_its_local_id_once_it_is_sent(begin: Begin, dead: str, store):
    tracker = begin(uri=dead)
    tracker._lock.release()
    with pytest.raises(TrackingError, match="rlq track sync"):
        close_run(store, tracker.run_id, reason="dead")
    sync(tracker.folder, store)
    assert close_run(store, tracker.local_id, reason="dead")
    (run,) = MlflowClient(store).search_runs(["1"])
    assert (run.info.status, run.data.tags["rlq.ended_by"]) == ("KILLED", "dead")


def test_a_store_that_is_away_or_has_no_such_run_is_told(dead: str, store: str):
    with pytest.raises(TrackingError) as away:
        close_run(dead.replace("http://", "http://me:secret@"), "abc", reason="dead")
    assert_names(away.value, "abc", dead)
    with pytest.raises(TrackingError) as unknown:
        close_run(store, "0" * 32, reason="dead")
    assert_names(unknown.value, "sqlite", "0" * 32)


def a_family(begin: Begin) -> tuple[MlflowTracker, dict[str, MlflowTracker]]:
    """A parent with three children, and a run that is none of them."""
    parent = begin("table")
    children = {name: begin(name, parent_run_id=parent.run_id) for name in SCORES}
    for clusters, (name, tracker) in enumerate(children.items()):
        tracker.log_params({"cap.pose.clusters": 5 * clusters, "tad.kernel": [clusters, 9], "optim.lr": 1e-3})
        tracker.log_params({"tracking.name": name, "compute.threads": clusters})
        tracker.log_metrics({"best/CC/rank1": SCORES[name], "best/CC/mAP": 0.1, "best/loss": SCORES[name]}, step=0)
    begin("stranger").log_params({"seed": 1})
    return parent, children


SCORES = {"a": 0.25, "b": 0.75, "c": 0.5}


def test_links_of_a_family_name_its_children_best_first(begin: Begin, store: str):
    parent, children = a_family(begin)
    links = family_links(store, parent.run_id)
    share = {"workflowType": ["machine_learning"], "viewStateShareKey": [parent.run_id]}
    assert links["table"].startswith("http://localhost:5000/#/experiments/1/runs?")
    assert parse_qs(links["table"].partition("?")[2]) == share
    assert parse_qs(links["charts"].partition("?")[2]) == share | {"compareRunsMode": ["CHART"]}
    base, _, query = links["compare"].partition("?")
    assert base == "http://localhost:5000/#/compare-runs"
    assert json.loads(parse_qs(query)["runs"][0]) == [children[name].run_id for name in "bca"]
    assert json.loads(parse_qs(query)["experiments"][0]) == ["1"]
    rising = parse_qs(
        family_links(store, parent.run_id, metric="best/loss", goal="minimize")["compare"].partition("?")[2]
    )
    assert json.loads(rising["runs"][0]) == [children[name].run_id for name in "acb"]


def test_the_saved_view_shows_scores_and_only_the_settings_that_differ(begin: Begin, store: str):
    parent, _ = a_family(begin)
    family_links(store, parent.run_id)
    client = MlflowClient(store)
    view = json.loads(client.get_experiment("1").tags[f"mlflow.sharedViewState.{parent.run_id}"])
    assert (view["searchFilter"], view["orderByKey"], view["orderByAsc"]) == (
        f"tags.`mlflow.parentRunId` = '{parent.run_id}'",
        "metrics.`best/CC/rank1`",
        False,
    )
    assert len(client.search_runs(["1"], view["searchFilter"])) == 3
    assert view["selectedColumns"] == [
        *("metrics.`best/CC/rank1`", "metrics.`best/CC/mAP`"),
        *("params.`cap.pose.clusters`", "params.`tad.kernel.low`"),
    ]
    parallel, bar, line = view["compareRunCharts"]
    assert (parallel["type"], parallel["selectedParams"], parallel["selectedMetrics"]) == (
        "PARALLEL",
        ["cap.pose.clusters", "tad.kernel.low"],
        ["best/CC/rank1"],
    )
    assert (bar["type"], bar["metricKey"], line["type"], line["metricKey"]) == (
        *("BAR", "best/CC/rank1"),
        *("LINE", "CC/rank1"),
    )
    assert {chart["metricSectionId"] for chart in view["compareRunCharts"]} == {view["compareRunSections"][0]["uuid"]}


def test_the_view_of_a_method_with_other_scores_shows_those(begin: Begin, store: str):
    parent = begin("table")
    children = [begin(str(number), parent_run_id=parent.run_id) for number in range(2)]
    for number, child in enumerate(children):
        child.log_metrics({"best/PAR/mA": 0.5, "best/PAR/error": 0.5 - 0.1 * number, "best/CC/rank1": 1.0}, step=0)
    error = Score("error", "error", percent=False, higher=False)
    scores = ScoreTable(groups=("PAR",), shown=(error, Score("mA", "mean accuracy")))
    links = family_links(store, parent.run_id, scores=scores)
    view = json.loads(MlflowClient(store).get_experiment("1").tags[f"mlflow.sharedViewState.{parent.run_id}"])
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`best/PAR/error`", True)
    assert view["selectedColumns"] == ["metrics.`best/PAR/error`", "metrics.`best/PAR/mA`"]
    compared = json.loads(parse_qs(links["compare"].partition("?")[2])["runs"][0])
    assert compared == [children[1].run_id, children[0].run_id]


def test_a_view_of_many_long_settings_still_fits_into_the_store(begin: Begin, store: str):
    parent = begin("table")
    for number in range(2):
        child = begin(str(number), parent_run_id=parent.run_id)
        child.log_params({f"{'long.' * 20}name{index}": number for index in range(30)})
    assert set(family_links(store, parent.run_id)) == {"table", "charts", "compare"}


def test_a_parent_without_children_has_nothing_to_compare(begin: Begin, store: str, dead: str):
    parent = begin("table")
    assert list(family_links(store, parent.run_id)) == ["table", "charts"]
    assert family_links(dead, parent.run_id) == {}


def _write_to_parent(uri: str, folder: Path, parent: str) -> None:
    tracker = open_run(folder=folder, uri=uri, experiment="prcc", run_name="p", tags={}, resume_run_id=parent)
    tracker.log_metrics({"best/CC/rank1": 0.5}, step=0)
    tracker.log_text("<p>history</p>", "plots/history.html")
    tracker.end("FINISHED")


def _child_elsewhere(uri: str, folder: Path, parent: str) -> None:
    tracker = open_run(folder=folder, uri=uri, experiment="prcc", run_name="c", tags={}, parent_run_id=parent)
    tracker.end("FINISHED")


def test_another_process_writes_into_an_open_parent_from_a_folder_of_its_own(begin: Begin, store: str, tmp_path: Path):
    parent = begin("sweep")
    parent.log_params({"trials": 4})
    spawn = multiprocessing.get_context("fork")
    for work, name in ((_child_elsewhere, "child"), (_write_to_parent, "other")):
        process = spawn.Process(target=work, args=(store, tmp_path / "machine2" / name, parent.run_id))
        process.start()
        process.join()
        assert process.exitcode == 0
    client = MlflowClient(store)
    assert [file.path for file in client.list_artifacts(parent.run_id, "plots")] == ["plots/history.html"]
    (child,) = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.run_id}'")
    assert (child.info.run_name, child.info.status) == ("c", "FINISHED")
    parent.log_text("end", "end.txt")  # whoever began it goes on writing, though the other has called it finished
    parent.end("FINISHED")
    run = client.get_run(parent.run_id)
    assert (run.info.status, run.data.params, run.data.metrics) == (
        "FINISHED",
        {"trials": "4"},
        {"best/CC/rank1": 0.5},
    )


@pytest.mark.slow
def test_a_run_on_a_real_server_is_closed_from_outside_its_folder(begin, dead: str, serve, tmp_path):
    open_client(f"sqlite:///{tmp_path}/served.db")
    server = serve(f"sqlite:///{tmp_path}/served.db", dead)
    tracker = begin(uri=dead)
    assert close_run(dead, tracker.run_id, reason="worker 7 was killed")
    assert not close_run(dead, tracker.run_id, reason="again")
    run = MlflowClient(dead).get_run(tracker.run_id)
    assert (run.info.status, run.data.tags["rlq.ended_by"]) == ("KILLED", "worker 7 was killed")
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    with pytest.raises(TrackingError, match=dead):
        close_run(dead, tracker.run_id, reason="again")
