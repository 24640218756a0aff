"""rlq pose on the command line; what it does is tested in tests/labels."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from naming import assert_names

from rlq.cli import main
from rlq.cli.pose import VECTORS
from rlq.labels import pose_cluster, pose_extract, pose_import
from rlq.labels.pose import VARIANTS


@pytest.fixture
def own(home, tmp_path):
    shutil.copytree(home.folder / "data/synthetic/prcc", tmp_path / "prcc")
    return tmp_path / "prcc"


def test_import_and_cluster_from_the_command_line(home, own):
    taken = own.parent / "alphapose.json"
    (own / "rlq/keypoints.json").rename(taken)
    shown = home.command("pose", "import", taken, "--data", "prcc", "--root", own)
    assert shown.exit_code == 0 and "AlphaPose" in shown.stdout and (own / "rlq/keypoints.json").is_file()
    sheets = own.parent / "sheets"
    words = ["--data", "prcc", "--root", own, "--k", "3", "--k", "4:6:2", "--vector", "angles", "--sheet", sheets]
    shown = home.command("pose", "cluster", *words)
    assert shown.exit_code == 0, shown.output
    header = (own / "rlq/pose_clusters.csv").read_text().splitlines()[0]
    assert header == "Category,Image,R_A_3,R_A_4,R_A_6"
    assert sorted(path.name for path in sheets.iterdir()) == ["R_A_3.png", "R_A_4.png", "R_A_6.png"]


class Done:
    """What a command's work returns."""

    unreadable = ()

    def to_text(self) -> str:
        return "done"


@pytest.mark.parametrize(
    ("work", "words", "wanted"),
    [
        ("import_keypoints", ["import", __file__, "--below", "train"], {"below": "train"}),
        (
            "extract_keypoints",
            ["extract", "--weights", __file__, "--batch", "8", "--device", "cpu", "--score", "0.7"],
            {"weights": Path(__file__), "batch": 8, "device": "cpu", "score": 0.7},
        ),
        (
            "cluster_training_poses",
            ["cluster", "--keypoints", __file__, "--k", "5:15:5", "--k", "7", "--vector", "all", "--seed", "3"],
            {"keypoints": Path(__file__), "counts": [5, 10, 15, 7], "vectors": VARIANTS, "sheets": None, "seed": 3},
        ),
        (
            "cluster_training_poses",
            ["cluster"],
            {"keypoints": None, "counts": [15], "vectors": ("lengths_angles",), "sheets": None, "seed": 0},
        ),
    ],
)
def test_the_options_reach_the_work(monkeypatch, work, words, wanted):
    asked = []

    def record(*args: object, console: object, **options: object) -> Done:
        asked.append((args, options))
        return Done()

    monkeypatch.setattr(
        {"import": pose_import, "extract": pose_extract, "cluster": pose_cluster}[words[0]], work, record
    )
    shown = CliRunner().invoke(main, ["pose", *words, "--data", "prcc", "--root", "r", "--output", "o"])
    assert (shown.exit_code, shown.output) == (0, "done\n")
    ((args, options),) = asked
    assert args[-2:] == ("prcc", Path("r")) and options == {"output": Path("o"), **wanted}


def test_the_vectors_on_the_command_line_are_those_there_are():
    assert VECTORS == VARIANTS


@pytest.mark.parametrize("count", ["1", "x", "5:", "5:4", "5:10:0", "2:10:3:4", "-3", "1.5"])
def test_a_wrong_number_of_clusters_is_wrong_usage(count):
    shown = CliRunner().invoke(main, ["pose", "cluster", "--data", "prcc", "--k", count])
    assert shown.exit_code == 2
    assert_names(shown.output, "'--k'", repr(count))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["import", "nowhere.json", "--data", "prcc"], ("'nowhere.json'",)),
        (["extract"], ("'--data'",)),
        (["cluster", "--data", "prcc", "--vector", "legs"], ("--vector", "'legs'", "'angles'")),
    ],
)
def test_wrong_usage_is_status_2(words, told):
    shown = CliRunner().invoke(main, ["pose", *words])
    assert shown.exit_code == 2
    assert_names(shown.output, *told)


def test_an_error_is_one_line(own, home):
    (own / "rlq/keypoints.json").write_text('[{"image_id": 1},\n oops]')
    shown = home.command("pose", "cluster", "--data", "prcc", "--root", own)
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert_names(shown.stderr, f"{own}/rlq/keypoints.json", "line 2", "column 2", "JSON")
