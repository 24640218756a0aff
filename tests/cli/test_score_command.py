import json

import numpy as np
import pytest
from click.testing import CliRunner
from naming import assert_names

from rlq.cli.score import score


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "features.npz"
    np.savez(
        path,
        f_query=np.eye(3, dtype=np.float32), f_gallery=np.eye(3, dtype=np.float32)[[0, 2, 1]],
        q_pid=[1, 2, 3], g_pid=[1, 2, 3], q_cam=[0, 0, 0], g_cam=[1, 1, 0],
    )  # fmt: skip
    return path


def test_the_table_shows_percent_and_counts(file):
    shown = CliRunner().invoke(score, [str(file)])
    assert shown.exit_code == 0
    header, _, line = shown.output.splitlines()
    assert header.split() == ["rule", "R-1", "R-5", "R-10", "R-20", "mAP", "queries", "valid", "gallery"]
    assert line.split() == ["GENERAL", "50.0", "100.0", "100.0", "100.0", "66.7", "3", "2", "3"]


def test_json_shows_fractions_in_full(file):
    shown = CliRunner().invoke(score, [str(file), "--json"])
    result = json.loads(shown.output)["GENERAL"]
    assert result["rank1"] == 0.5 and result["mAP"] == pytest.approx((1 + 1 / 3) / 2, rel=1e-15)
    assert (result["queries"], result["valid_queries"], result["gallery"]) == (3, 2, 3)


def test_a_file_of_another_kind_is_one_line_and_status_1(tmp_path):
    path = tmp_path / "notes.npz"
    path.write_text("hello")
    shown = CliRunner().invoke(score, [str(path)])
    assert shown.exit_code == 1
    assert shown.output.startswith("Error: ") and shown.output.count("\n") == 1
    assert_names(shown.output, path, " .npz")
