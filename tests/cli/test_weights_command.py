"""rlq weights import and export, and what their results are good for."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from authors import Branches, PlainCal, save, trained, without
from naming import assert_names

from rlq.core import files
from rlq.core.errors import SettingsError
from rlq.data.catalogue import read
from rlq.methods.rlq.author_import import identify_data
from rlq.methods.rlq.method import Rlq
from rlq.runs.folder import find_weights

IDENTITIES = 150  # as PRCC
TINY = [32, 16]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published file of a network with a pose branch."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("published") / "prcc_best.pth.tar"
    save(trained(Branches(pose=1, identities=IDENTITIES)), file, IDENTITIES)
    return file


@pytest.fixture(scope="module")
def imported(home, published):
    """The folder that it becomes, and what was shown; pictures then made tiny, to be fast."""
    shown = home.command("weights", "import", published)
    assert shown.exit_code == 0, shown.output
    folder = home.folder / "runs/imported/prcc_best"
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["data"]["size"] == [384, 192] and config["identities"] == IDENTITIES
    config["settings"]["data"] |= {"size": TINY, "workers": 0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder, shown.stdout


def test_an_import_tells_what_it_found_and_what_it_left_out(imported, published):
    folder, shown = imported
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    wanted = [
        ("read", published, 39, 0, 0.625, digest[:16]),
        ("network", "resnet18.tv_in1k", "cal", "bot", 1, 2, "pose", IDENTITIES),
        ("data", "prcc", IDENTITIES, "--data"),
        ("left out", "clothes_classifier_state_dict.weight", "[9, 1024]"),
        ("not there", "gender"),
        ("written", "runs/imported/prcc_best", "rlq evaluate runs/imported/prcc_best", "prcc"),
    ]
    for line, (label, *named) in zip(shown.splitlines(), wanted, strict=True):
        assert line.startswith(f"{label} ")
        assert_names(line, *named)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "source.json"]
    source = json.loads((folder / "source.json").read_text())
    assert source["file"] == "prcc_best.pth.tar" and source["sha256"] == digest
    assert (source["epoch"], source["rank1"], source["identities"]) == (39, 0.625, IDENTITIES)
    assert len(source["left_out"]) == 1 and len(source["not_there"]) == 1


def test_imported_weights_are_evaluated_and_give_features(home, imported, tmp_path):
    shown = home.command("evaluate", imported[0], "--data", "synthetic", "--root", "data", "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["CC"]["queries"] == 8
    for record in read("synthetic", home.folder / "data").gallery[:3]:
        (tmp_path / "pictures").mkdir(exist_ok=True)
        shutil.copy(record.path, tmp_path / "pictures")
    shown = home.command("embed", imported[0], tmp_path / "pictures", "--output", tmp_path / "f.npz")
    assert shown.exit_code == 0, shown.output
    with np.load(tmp_path / "f.npz") as file:
        assert file["features"].shape[1] == 2048


@pytest.mark.slow
def test_imported_weights_teach(home, imported, monkeypatch):
    monkeypatch.setattr(Rlq, "figures", lambda *_args, **_options: ())
    settings = (f"tad.teacher={imported[0]}", "schedule.epochs=1", "optim.milestones=[]", "schedule.clothes_from=0")
    student = ("backbone.name=resnet18.tv_in1k", "cap.pose.enabled=false", "cap.gender.enabled=false")
    fast = ("schedule.baselines=false", "tad.sampling=0.5", "clothes.augment=false")
    result = home.run(*settings, *student, *fast, "tracking.name=taught")
    assert result.metrics["last/CC/rank1"] >= 0
    assert home.tracked(result.run_id).data.tags["rlq.teacher"] == str(imported[0])
    distilled = home.history(result.run_id)["loss/tad/distill_bot_hq"][0]
    assert 0 < distilled < 4


def test_a_folder_with_other_weights_is_kept_unless_forced(home, published, imported, tmp_path):
    output = tmp_path / "w"
    shutil.copytree(imported[0], output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    other = tmp_path / "other.pth.tar"
    save(trained(PlainCal()), other, IDENTITIES)
    shown = home.command("weights", "import", other, "--output", output)
    assert shown.exit_code == 1
    assert_names(shown.stderr, output, "--force")
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    shown = home.command("weights", "import", other, "--output", output, "--force", "--data", "synthetic")
    assert shown.exit_code == 0, shown.output
    config = json.loads((output / "config.json").read_text())
    assert config["settings"]["branches"] == ["cal"] and config["settings"]["data"]["dataset"] == "synthetic"
    assert re.search(r"^data +synthetic\b", shown.stdout, re.MULTILINE)
    assert home.command("weights", "import", other, "--output", output).exit_code == 0  # the same file once more
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.pth.tar", "w"]


def test_a_folder_with_anything_else_in_it_is_never_replaced(home, published, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    shown = home.command("weights", "import", published, "--output", tmp_path, "--force")
    assert shown.exit_code == 1
    assert_names(shown.stderr, tmp_path, "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    shown = home.command("weights", "import", published, "--output", tmp_path / "notes.txt")
    assert shown.exit_code == 1
    assert_names(shown.stderr, tmp_path / "notes.txt")


def test_an_import_that_fails_half_way_leaves_the_old_folder(home, published, imported, tmp_path, monkeypatch):
    output = tmp_path / "w"
    shutil.copytree(imported[0], output)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    shown = home.command("weights", "import", published, "--output", output)
    assert shown.exit_code == 1 and "No space left on device" in shown.stderr
    assert json.loads((output / "config.json").read_text())["settings"]["data"]["size"] == TINY
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


@pytest.mark.parametrize(
    ("identities", "name"), [(77, "ltcc"), (150, "prcc"), (450, "deepchange"), (5000, "last"), (632, "celeb_reid")]
)
def test_the_number_of_identities_tells_the_data_set(identities, name):
    released = SimpleNamespace(identities=identities)
    assert identify_data(Path("w"), released, None)[:2] == (name, identities)
    assert identify_data(Path("w"), released, "synthetic")[:2] == ("synthetic", identities)
    assert identify_data(Path("w"), released, name)[:2] == (name, identities)


def test_a_set_that_trains_another_number_of_people_is_pointed_out(home, tmp_path):
    file = tmp_path / "w.pth.tar"
    save(PlainCal(), file, identities=16)
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "ltcc")
    assert shown.exit_code == 0, shown.output
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("data ")]
    assert_names(line, "ltcc", 77, 16)
    assert json.loads((tmp_path / "w/source.json").read_text())["data"] == line.removeprefix("data").strip()


def test_the_data_set_is_asked_for_when_the_heads_do_not_tell(home, tmp_path):
    file = tmp_path / "odd.pth.tar"
    state = save(PlainCal(), file, identities=88)
    shown = home.command("weights", "import", file, "--output", tmp_path / "w")
    assert shown.exit_code == 1
    assert_names(shown.stderr, file, 88, "prcc 150", "--data")
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "prc")
    assert shown.exit_code == 1
    assert_names(shown.stderr, "'prc'", "prcc")
    torch.save(without(state, "classifier_state_dict"), file)
    shown = home.command("weights", "import", file, "--output", tmp_path / "w")
    assert shown.exit_code == 1
    assert_names(shown.stderr, file, "--data")
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "synthetic")
    assert shown.exit_code == 1
    assert_names(shown.stderr, "synthetic")
    assert not (tmp_path / "w").exists()
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "prcc")
    assert shown.exit_code == 0, shown.output
    assert re.search(r"^not there id_heads\.cal\.weight\b.*\b0\b", shown.stdout, re.MULTILINE)
    assert json.loads((tmp_path / "w/config.json").read_text())["identities"] == 150


def test_files_that_cannot_be_ranked_with_say_what_to_do(home, published, tmp_path):
    onnx = tmp_path / "m.onnx"
    onnx.write_bytes(b"")
    told = {published: "rlq weights import", onnx: "ONNX"}
    for file, what in told.items():
        for words in (("evaluate", file), ("weights", "export", file, "--output", tmp_path / "m.safetensors")):
            shown = home.command(*words)
            assert shown.exit_code == 1 and shown.stderr.startswith("Error: ")
            assert_names(shown.stderr, file, what)
        with pytest.raises(SettingsError) as refused:
            home.run(f"tad.teacher={file}")
        assert_names(refused.value, "tad.teacher", file, ".yaml", what)


def test_a_file_that_is_no_checkpoint_is_one_line_and_leaves_nothing(home, tmp_path):
    file = tmp_path / "w.pth.tar"
    file.write_bytes(b"nothing of the kind")
    shown = home.command("weights", "import", file, "--output", tmp_path / "w")
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert shown.stderr.startswith("Error: ")
    assert_names(shown.stderr, file, "torch.save")
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth.tar"]


def test_an_exported_file_is_evaluated_like_the_run_it_comes_from(home, whole_run, tmp_path):
    shown = home.command("weights", "export", "whole", "--output", tmp_path / "model.safetensors")
    assert shown.exit_code == 0, shown.output
    assert_names(shown.stdout, "[32, 16]", "bot", "cal", 192)
    assert re.match(rf"written +{re.escape(str(tmp_path))}/model\.safetensors\b", shown.stdout.splitlines()[-1])
    numbers = json.loads(home.command("evaluate", tmp_path / "model.safetensors", "--json").stdout)
    wanted = json.loads(home.command("evaluate", home.folder / whole_run.folder / "best", "--json").stdout)
    assert numbers == wanted


def test_the_last_weights_are_exported_when_asked_for(home, whole_run, tmp_path):
    for which in ("best", "last"):
        words = ("weights", "export", "whole", "--output", tmp_path / f"{which}.safetensors", "--weights", which)
        assert home.command(*words).stdout.splitlines()[-1].endswith(f"/{which}")


@pytest.mark.slow
def test_onnx_is_compared_with_the_network_before_it_is_written(home, whole_run, tmp_path):
    shown = home.command("weights", "export", "whole", "--output", tmp_path / "m.onnx")
    assert shown.exit_code == 0, shown.output
    checked = shown.stdout.splitlines()[0]
    assert checked.startswith("checked ")
    assert_names(checked, "onnxruntime", "1e-03")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    ("output", "named"),
    [
        ("m.pt", ("m.pt", ".safetensors", ".onnx")),
        ("best/model.safetensors", ("best/model.safetensors",)),
        ("folder.onnx", ("folder.onnx",)),
    ],
)
def test_an_output_that_would_do_harm_is_refused(home, whole_run, tmp_path, output, named):
    (tmp_path / "folder.onnx").mkdir()
    shutil.copytree(home.folder / whole_run.folder / "best", tmp_path / "best")
    before = (tmp_path / "best/model.safetensors").read_bytes()
    shown = home.command("weights", "export", "whole", "--output", tmp_path / output)
    assert shown.exit_code == 1
    assert_names(shown.stderr, *named)
    assert (tmp_path / "best/model.safetensors").read_bytes() == before


def test_a_file_beside_a_runs_weights_is_itself(home, whole_run, tmp_path):
    shutil.copytree(home.folder / whole_run.folder / "best", tmp_path / "best")
    (tmp_path / "best/other.safetensors").write_bytes(b"")
    runs = home.folder / "runs"
    assert find_weights(str(tmp_path / "best/other.safetensors"), "best", runs)[0].name == "other.safetensors"
    assert find_weights(str(tmp_path / "best/model.safetensors"), "best", runs)[0] == tmp_path / "best"
    shown = home.command("evaluate", tmp_path / "best/other.safetensors")
    assert shown.exit_code == 1
    assert_names(shown.stderr, tmp_path / "best/other.safetensors")
