"""The rules for names and values that every tracker shares."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from rlq.tracking import MemoryTracker, NullTracker
from rlq.tracking.interface import check_artifact, check_digest, check_name, param_texts, split_finite, tag_texts


def test_importing_tracking_loads_no_mlflow_and_no_torch():
    code = (
        "import sys, rlq.tracking; print([m for m in ('mlflow', 'torch', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["CC/rank1", "loss/cap/id_cal", "cap.pose.clusters", "a b:c-d"])
def test_good_names_pass(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["rank@1", "mAP (%)", "", "a//b", "../a", "/a", "a/", "x" * 251, "größe"])
def test_names_that_mlflow_cannot_store_are_refused(name):
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        check_name(name)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up.png", "a/../../b", "a\\b"])
def test_artifacts_stay_below_the_run(name):
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        check_artifact(name)


def test_params_are_spelled_as_on_the_command_line():
    texts = param_texts({"a": True, "b": None, "c": 3.5e-4, "d": "resnet50", "e": "", "f": ["cal", "bot"], "g": 7})
    assert texts == {
        "a": "true",
        "b": "null",
        "c": "0.00035",
        "d": "resnet50",
        "e": "",
        "f": '["cal", "bot"]',
        "g": "7",
    }


def test_a_range_is_also_given_by_its_ends_but_a_size_is_not():
    texts = param_texts({"tad.gaussian_kernel": [5, 21], "tad.sigma": (0.1, 2.0), "data.size": [384, 192]})
    assert texts == {
        "tad.gaussian_kernel": "[5, 21]",
        "tad.gaussian_kernel.low": "5",
        "tad.gaussian_kernel.high": "21",
        "tad.sigma": "[0.1, 2.0]",
        "tad.sigma.low": "0.1",
        "tad.sigma.high": "2.0",
        "data.size": "[384, 192]",
    }
    assert param_texts({"on": [False, True]}) == {"on": "[false, true]"}


def test_long_values_are_cut_visibly():
    assert param_texts({"a": "x" * 6001})["a"] == "x" * 5997 + "..."
    assert param_texts({"a": "x" * 6000})["a"] == "x" * 6000
    assert tag_texts({"a": "x" * 9000})["a"] == "x" * 7997 + "..."


def test_nan_and_infinity_are_told_apart_from_numbers():
    assert split_finite({"a": 1, "b": math.nan, "c": -math.inf}) == ({"a": 1.0}, ["b", "c"])


def test_a_fingerprint_that_is_too_long_is_refused_with_its_length():
    assert check_digest("3f2a9c01") == "3f2a9c01"
    with pytest.raises(ValueError, match=r"\b64\b"):
        check_digest("0" * 64)


def test_the_memory_tracker_keeps_everything(tmp_path: Path):
    tracker, figure = MemoryTracker(), Figure()
    tracker.log_params({"optim.lr": 0.1, "k": [1, 2]})
    tracker.log_params({"optim.lr": 0.2})
    tracker.log_tags({"rlq.kind": "trial"})
    tracker.log_metrics({"CC/rank1": 0.5, "loss": math.inf}, step=3)
    tracker.log_metrics({"CC/rank1": 0.9, "loss": math.nan}, step=3)
    tracker.log_metrics({"loss": math.nan}, step=4)
    tracker.log_text("hello", "a.txt")
    tracker.log_dict({"a": 1}, "a.json")
    tracker.log_figure(figure, "figures/a.png")
    tracker.log_file(tmp_path / "b.csv", "tables")
    tracker.log_dataset("prcc", "3f2a", tmp_path, "train")
    tracker.log_model(tmp_path, "rlq", {"split": 2})
    assert tracker.status is None
    tracker.end("KILLED")
    assert tracker.params == {"optim.lr": "0.1", "k": "[1, 2]", "k.low": "1", "k.high": "2"}
    assert tracker.tags == {"changed.optim.lr": "0.2", "rlq.kind": "trial", "nonfinite.loss": "3"}
    assert tracker.metrics == {"CC/rank1": {3: 0.5}}
    assert tracker.artifacts == {
        "a.txt": "hello",
        "a.json": {"a": 1},
        "figures/a.png": figure,
        "tables/b.csv": tmp_path / "b.csv",
    }
    assert tracker.datasets == [("prcc", "3f2a", str(tmp_path), "train")]
    assert tracker.models == {"rlq": (tmp_path, {"split": "2"})}
    assert (tracker.status, tracker.run_id, tracker.links()) == ("KILLED", "memory", {})


def test_the_null_tracker_takes_everything_and_says_nothing(tmp_path: Path):
    tracker = NullTracker()
    tracker.log_metrics({"rank@1": math.nan}, step=0)
    tracker.log_file(tmp_path / "missing")
    tracker.end()
    assert (tracker.run_id, tracker.links(), list(tmp_path.iterdir())) == ("none", {}, [])
