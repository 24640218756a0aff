"""Runs and weights that an earlier version made still work: they evaluate, resume and run again with equal results.

`fixtures/earlier/README.md` says how they were made. Where processor and libraries are the same, results are compared
bit by bit, elsewhere approximately.
"""

import hashlib
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import earlier
import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import Home

from rlq.core.text import lines_of
from rlq.runs.folder import read_about
from rlq.runs.load import fingerprint, load
from rlq.runs.rerun import differences, find
from rlq.synthetic.build import ensure_written
from rlq.synthetic.layouts import CelebSpec, PrccSpec

SCORE = 0.25  # by which a score may differ on another processor: 8 queries, of which two may change their first match
WEIGHT = 0.05  # by which a weight may differ there


@dataclass(frozen=True)
class Earlier:
    """The unpacked archive in a folder with its data sets."""

    home: Home
    record: dict[str, Any]

    @property
    def runs(self) -> Path:
        return self.home.folder / "runs"

    @property
    def alike(self) -> bool:
        """Whether results are equal to the last bit."""
        return self.record["arithmetic"] == earlier.arithmetic()

    def folder(self, name: str) -> Path:
        (folder,) = self.runs.glob(f"{name}-*")
        return folder

    def evaluated(self, word: Path | str, *more: str) -> dict[str, dict[str, float]]:
        """Return the scores that `rlq evaluate` prints."""
        shown = self.home.command("evaluate", word, "--json", *more)
        assert shown.exit_code == 0, shown.output
        return json.loads(shown.stdout.splitlines()[-1])

    def check(self, scores: dict[str, Any], expected: dict[str, Any]) -> None:
        """Compare scores, nested or not."""
        assert scores.keys() == expected.keys()
        for name, value in expected.items():
            if isinstance(value, dict):
                self.check(scores[name], value)
            else:
                assert scores[name] == (value if self.alike else pytest.approx(value, abs=SCORE)), name


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    earlier.register_network()
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(earlier.ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    data = folder / "data/synthetic"
    ensure_written(data / "prcc", PrccSpec(**earlier.TARGET, picture_size=earlier.PICTURE))
    ensure_written(data / "Celeb-reID", CelebSpec(**earlier.EXTERNAL, picture_size=earlier.PICTURE))
    found = Earlier(Home(folder), json.loads((folder / "earlier.json").read_text()))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store = f"sqlite:///{folder}/runs/mlflow.db"
        for run in (*folder.glob("runs/teachers/*/run.json"), *folder.glob("runs/*/run.json")):
            shown = found.home.command("track", "sync", run.parent, "--uri", store)
            assert shown.exit_code == 0, shown.output
        yield found


def test_the_tracking_store_is_filled_from_the_run_folders(old):
    run = old.home.named("finished")
    assert run.info.status == "FINISHED" and run.data.params["backbone.name"] == "earlier_resnet"
    scores = {name: value for name, value in old.record["metrics"].items() if name.startswith("best/")}
    assert {name: run.data.metrics[name] for name in scores} == scores
    assert {"experiment.yaml", "teacher.yaml", "eval/per_query.json"} <= set(old.home.files(run.info.run_id))
    assert old.home.named("stopped").info.status == "KILLED"


def test_the_settings_have_the_fingerprint_that_the_run_was_tagged_with(old):
    tags = old.home.named("finished").data.tags
    with old.home.entered():
        assert fingerprint(load(old.folder("finished") / "experiment.yaml")) == tags["rlq.settings_fingerprint"]


def test_a_finished_run_evaluates_to_its_scores(old):
    scores = old.evaluated(old.folder("finished"))
    old.check(scores, old.record["evaluated"])
    metrics = old.record["metrics"]
    for group in ("CC", "SC", "General"):
        best = {name: metrics[f"best/{group}/{name}"] for name in ("rank1", "mAP")}
        old.check({name: scores[group.upper()][name] for name in best}, best)


def test_a_stopped_run_resumes_and_ends_as_one_that_was_not_stopped(old):
    teachers = list(old.runs.glob("teachers/*/run.json"))
    result = old.home.resume(str(old.folder("stopped")))
    assert list(old.runs.glob("teachers/*/run.json")) == teachers  # the earlier teacher is used, none is trained
    assert read_about(old.folder("stopped")).status == "FINISHED"
    names = [name for name in old.record["metrics"] if not name.startswith("attributes/")]
    old.check({name: result.metrics[name] for name in names}, {name: old.record["metrics"][name] for name in names})
    for which, digest in old.record["weights"].items():
        file = old.folder("stopped") / which / "model.safetensors"
        if old.alike:
            assert hashlib.sha256(file.read_bytes()).hexdigest() == digest
        else:
            ours, theirs = load_file(file), load_file(old.folder("finished") / which / "model.safetensors")
            assert ours.keys() == theirs.keys()
            for name, value in theirs.items():
                torch.testing.assert_close(ours[name], value, rtol=WEIGHT, atol=WEIGHT)


def test_a_rerun_finds_only_other_code_and_gives_equal_scores(old):
    run_id = old.home.named("finished").info.run_id
    with old.home.entered():
        changed = differences(find(run_id, Path("runs")))
    if old.alike:
        assert len(changed) == 1 and "code" in changed[0], lines_of(changed, 5)
    shown = old.home.command("rerun", run_id, "--anyway")
    assert shown.exit_code == 0, shown.output
    (compared,) = [line for line in shown.output.splitlines() if line.startswith("compared ")]
    if old.alike:
        assert compared.startswith("compared all ") and run_id[:8] in compared


@pytest.mark.slow
def test_imported_weights_evaluate_to_their_scores(old):
    scores = old.evaluated(old.record["imported"]["folder"])
    old.check(scores, old.record["imported"]["evaluated"])
