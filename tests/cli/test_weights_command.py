"""rlq weights import and export, and what their results are good for."""

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from authors import Branches, PlainCal, save, trained, without

from rlq.core import files
from rlq.core.errors import SettingsError
from rlq.data.catalogue import read
from rlq.methods.rlq import figures
from rlq.runs.folder import find_weights
from rlq.weights import convert

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
    assert shown.splitlines() == [
        f"read      {published}: epoch 39 (from 0), rank-1 0.625, sha256 {digest[:16]}",
        (
            "network   resnet18.tv_in1k, branches cal and bot sharing blocks 1 to 2, pose branch from block 1 on, 150 "
            "identities"
        ),
        "data      prcc (the set with 150 training identities; or say --data)",
        "left out  clothes_classifier_state_dict.weight [9, 1024]: the clothes head serves training only",
        "not there no gender head: the authors' files hold none",
        "written   runs/imported/prcc_best; rlq evaluate runs/imported/prcc_best ranks prcc with it",
    ]
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


def test_imported_weights_teach(home, imported, monkeypatch):
    monkeypatch.setattr(figures, "draw", lambda *_args, **_options: {})
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
    assert shown.exit_code == 1 and "holds other weights; --force replaces them" in shown.stderr
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    shown = home.command("weights", "import", other, "--output", output, "--force", "--data", "synthetic")
    assert shown.exit_code == 0, shown.output
    config = json.loads((output / "config.json").read_text())
    assert config["settings"]["branches"] == ["cal"] and config["settings"]["data"]["dataset"] == "synthetic"
    assert "data      synthetic (as you say)" in shown.stdout
    assert home.command("weights", "import", other, "--output", output).exit_code == 0  # the same file once more
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.pth.tar", "w"]


def test_a_folder_with_anything_else_in_it_is_never_replaced(home, published, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    shown = home.command("weights", "import", published, "--output", tmp_path, "--force")
    assert shown.exit_code == 1 and "holds notes.txt, which is no part of imported weights" in shown.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
    shown = home.command("weights", "import", published, "--output", tmp_path / "notes.txt")
    assert shown.exit_code == 1 and "is a file; it should name a folder" in shown.stderr


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
    assert convert.guess_data(Path("w"), released, None)[:2] == (name, identities)
    assert convert.guess_data(Path("w"), released, "synthetic") == ("synthetic", identities, "as you say")
    assert convert.guess_data(Path("w"), released, name) == (name, identities, "as you say")


def test_a_set_that_trains_another_number_of_people_is_pointed_out(home, tmp_path):
    file = tmp_path / "w.pth.tar"
    save(PlainCal(), file, identities=16)
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "ltcc")
    assert shown.exit_code == 0, shown.output
    told = "ltcc (as you say; ltcc trains 77 people, this file 16)"
    assert f"data      {told}" in shown.stdout.splitlines()
    assert json.loads((tmp_path / "w/source.json").read_text())["data"] == told


def test_the_data_set_is_asked_for_when_the_heads_do_not_tell(home, tmp_path):
    file = tmp_path / "odd.pth.tar"
    state = save(PlainCal(), file, identities=88)
    shown = home.command("weights", "import", file, "--output", tmp_path / "w")
    assert shown.exit_code == 1 and "has heads for 88 people, the number of 0 data sets (prcc 150" in shown.stderr
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "prc")
    assert shown.exit_code == 1 and "did you mean prcc?" in shown.stderr
    torch.save(without(state, "classifier_state_dict"), file)
    shown = home.command("weights", "import", file, "--output", tmp_path / "w")
    assert shown.exit_code == 1 and "has no identity head to tell its data set by; say it with --data" in shown.stderr
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "synthetic")
    assert shown.exit_code == 1 and "how many people synthetic trains is not known" in shown.stderr
    assert not (tmp_path / "w").exists()
    shown = home.command("weights", "import", file, "--output", tmp_path / "w", "--data", "prcc")
    assert shown.exit_code == 0, shown.output
    assert "not there id_heads.cal.weight: the file has none, so it is 0" in shown.stdout
    assert json.loads((tmp_path / "w/config.json").read_text())["identities"] == 150


def test_files_that_cannot_be_ranked_with_say_what_to_do(home, published, tmp_path):
    onnx = tmp_path / "m.onnx"
    onnx.write_bytes(b"")
    told = {published: "rlq weights import turns it into a folder first", onnx: "ONNX files are for other programs"}
    for file, what in told.items():
        for words in (("evaluate", file), ("weights", "export", file, "--output", tmp_path / "m.safetensors")):
            shown = home.command(*words)
            assert shown.exit_code == 1 and shown.stderr.startswith(f"Error: {file}: {what}")
        wanted = rf"tad\.teacher = {file} is no experiment file \(\.yaml\), folder of weights or run: {file}: {what}"
        with pytest.raises(SettingsError, match=wanted):
            home.run(f"tad.teacher={file}")


def test_a_file_that_is_no_checkpoint_is_one_line_and_leaves_nothing(home, tmp_path):
    file = tmp_path / "w.pth.tar"
    file.write_bytes(b"nothing of the kind")
    shown = home.command("weights", "import", file, "--output", tmp_path / "w")
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
    assert shown.stderr.startswith(f"Error: {file} cannot be read as weights of torch.save")
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth.tar"]


def test_an_exported_file_is_evaluated_like_the_run_it_comes_from(home, whole_run, tmp_path):
    shown = home.command("weights", "export", "whole", "--output", tmp_path / "model.safetensors")
    assert shown.exit_code == 0, shown.output
    assert "; here [32, 16]" in shown.stdout and "bot, then cal, 192 each" in shown.stdout
    assert shown.stdout.endswith(f"written  {tmp_path}/model.safetensors, from {shown.stdout.split('from ')[-1]}")
    numbers = json.loads(home.command("evaluate", tmp_path / "model.safetensors", "--json").stdout)
    wanted = json.loads(home.command("evaluate", home.folder / whole_run.folder / "best", "--json").stdout)
    assert numbers == wanted


def test_the_last_weights_are_exported_when_asked_for(home, whole_run, tmp_path):
    for which in ("best", "last"):
        words = ("weights", "export", "whole", "--output", tmp_path / f"{which}.safetensors", "--weights", which)
        assert home.command(*words).stdout.splitlines()[-1].endswith(f"/{which}")


def test_onnx_is_compared_with_the_network_before_it_is_written(home, whole_run, tmp_path):
    shown = home.command("weights", "export", "whole", "--output", tmp_path / "m.onnx")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("checked  onnxruntime's features are off by ") and "(allowed: 1e-03)" in shown.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("m.pt", "m.pt should end in .safetensors or .onnx"),
        ("best/model.safetensors", "would replace the weights that"),
        ("folder.onnx", "folder.onnx is a folder"),
    ],
)
def test_an_output_that_would_do_harm_is_refused(home, whole_run, tmp_path, output, message):
    (tmp_path / "folder.onnx").mkdir()
    shutil.copytree(home.folder / whole_run.folder / "best", tmp_path / "best")
    before = (tmp_path / "best/model.safetensors").read_bytes()
    shown = home.command("weights", "export", "whole", "--output", tmp_path / output)
    assert shown.exit_code == 1 and message in shown.stderr
    assert (tmp_path / "best/model.safetensors").read_bytes() == before


def test_a_file_beside_a_runs_weights_is_itself(home, whole_run, tmp_path):
    shutil.copytree(home.folder / whole_run.folder / "best", tmp_path / "best")
    (tmp_path / "best/other.safetensors").write_bytes(b"")
    runs = home.folder / "runs"
    assert find_weights(str(tmp_path / "best/other.safetensors"), "best", runs)[0].name == "other.safetensors"
    assert find_weights(str(tmp_path / "best/model.safetensors"), "best", runs)[0] == tmp_path / "best"
    shown = home.command("evaluate", tmp_path / "best/other.safetensors")
    assert shown.exit_code == 1 and "other.safetensors cannot be read as exported weights" in shown.stderr
