import json
import re
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from naming import assert_names
from safetensors import safe_open
from safetensors.torch import save_file
from tiny import CPU, IDENTITIES, SIZE, noise, tiny_network, tiny_settings

from rlq import __version__
from rlq.core.errors import DataError, RlqError
from rlq.methods.rlq import export
from rlq.methods.rlq.export import write_onnx, write_safetensors
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.weights import load_network, start_from


def seasoned(settings, seed=0):
    """A network whose batch norms have seen something, frozen."""
    network = tiny_network(settings, seed)
    with torch.no_grad():
        network(noise(8, seed))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """settings, features of three pictures, what the .onnx and .safetensors say, and the folder of both."""
    settings, folder = tiny_settings(), tmp_path_factory.mktemp("exported")
    features = seasoned(settings).embed(noise(3, 5)).numpy()
    told, off = write_onnx(seasoned(settings), settings, folder / "m.onnx")
    write_safetensors(seasoned(settings), settings, folder / "m.safetensors")
    return settings, features, told, off, folder


def test_an_exported_file_has_no_heads_and_gives_the_same_features(exported):
    settings, features, _, _, folder = exported
    with safe_open(folder / "m.safetensors", "pt") as tensors:
        assert {name.split(".")[0] for name in tensors.keys()} == {"trunk", "branches"}  # noqa: SIM118 - no dictionary
    network, loaded = load_network(folder / "m.safetensors", CPU.device)
    assert loaded == settings
    assert network.embed(noise(3, 5)).numpy() == pytest.approx(features, abs=1e-6)
    teacher = network.branch_features(noise(3, 5))
    assert torch.cat([teacher["bot"], teacher["cal"]], dim=1).numpy() == pytest.approx(features, abs=1e-6)
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_a_network_of_one_branch_is_exported_as_one(tmp_path):
    settings = tiny_settings("branches=[cal]", "cap.pose.enabled=false", "cap.gender.enabled=false")
    features = seasoned(settings).embed(noise(2, 5))
    told = write_safetensors(seasoned(settings), settings, tmp_path / "m.safetensors")
    assert told["feature_order"] == '["cal"]' and told["feature_width"] == str(features.shape[1])
    found = load_network(tmp_path / "m.safetensors", CPU.device)[0].embed(noise(2, 5))
    torch.testing.assert_close(found, features, rtol=0, atol=1e-6)


def test_both_files_say_how_to_use_them(exported):
    settings, features, told, _, folder = exported
    with safe_open(folder / "m.safetensors", "pt") as tensors:
        assert tensors.metadata() == told
    properties = onnx.load(folder / "m.onnx").metadata_props
    assert {prop.key: prop.value for prop in properties} == told
    assert told["rlq"] == __version__ and told["dataset"] == "prcc" and json.loads(told["size"]) == list(SIZE)
    assert json.loads(told["mean"]) == [0.485, 0.456, 0.406] and json.loads(told["deviation"]) == [0.229, 0.224, 0.225]
    assert json.loads(told["feature_order"]) == ["bot", "cal"] and told["feature_width"] == str(features.shape[1])
    assert "RGB" in told["input"] and re.search(r"\bbot\b.*\bcal\b.*\b192\b", told["output"])
    assert json.loads(told["settings"]) == settings.model_dump(mode="json")


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_onnx_gives_the_networks_features_for_any_number_of_pictures(exported, batch):
    _, features, _, off, folder = exported
    session = onnxruntime.InferenceSession(folder / "m.onnx", providers=["CPUExecutionProvider"])
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("image", ["batch", 3, *SIZE])]
    (found,) = session.run(["feature"], {"image": noise(3, 5)[:batch].numpy()})
    assert found.dtype == np.float32 and found == pytest.approx(features[:batch], abs=1e-4)
    assert 0 <= off < 1e-5
    onnx.checker.check_model(onnx.load(folder / "m.onnx"))


def test_an_onnx_file_that_is_off_is_not_written(exported, tmp_path, monkeypatch):
    settings, _, _, _, folder = exported
    monkeypatch.setattr(export, "_translate", lambda *_: onnx.load(folder / "m.onnx"))
    with pytest.raises(RlqError, match=r"m\.onnx\b.*\bonnxruntime\b.*\d"):
        write_onnx(seasoned(settings, seed=1), settings, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_onnx_features_that_are_no_numbers_are_not_written(exported, tmp_path, monkeypatch):
    settings, _, _, _, folder = exported
    broken = seasoned(settings)
    broken.branches["cal"].neck.norm.bias[0] = torch.nan
    monkeypatch.setattr(export, "_translate", lambda *_: onnx.load(folder / "m.onnx"))
    with pytest.raises(RlqError, match=r"m\.onnx\b.*\bnan\b"):
        write_onnx(broken, settings, tmp_path / "m.onnx")


@pytest.mark.parametrize("library", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_library_is_one_line_that_says_how_to_get_it(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(RlqError) as raised:
        write_onnx(None, tiny_settings(), tmp_path / "m.onnx")
    assert_names(raised.value, "ONNX", library, "pip install 'rlq[export]'")


def test_training_starts_from_an_exported_file(exported):
    network = RlqNetwork(tiny_settings(), identities=IDENTITIES)
    kept = start_from(network, str(exported[4] / "m.safetensors"))
    assert {name.split(".")[0] for name in kept} == {"id_heads", "pose_branch", "pose_head", "gender_head"}
    assert network.eval().embed(noise(3, 5)).detach().numpy() == pytest.approx(exported[1], abs=1e-6)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, r"f\.safetensors.*rlq weights export"),
        ({"format": "rlq-1"}, r"f\.safetensors.*rlq weights export"),
        ({"format": "rlq-inference-1"}, r"f\.safetensors.*\bsettings\b"),
        ({"format": "rlq-inference-1", "settings": "{"}, r"f\.safetensors"),
        ({"format": "rlq-inference-1", "settings": "[]"}, r"f\.safetensors.*rlq weights export"),
        ({"format": "rlq-inference-1", "settings": '{"data": {"dataset": "prcc"}, "lr": 1}'}, r"\blr\b"),
    ],
)
def test_a_single_file_that_was_not_exported_is_refused(tmp_path, metadata, message):
    save_file({"x": torch.ones(1)}, tmp_path / "f.safetensors", metadata=metadata)
    with pytest.raises(DataError, match=message):
        load_network(tmp_path / "f.safetensors", CPU.device)


def test_tensors_that_are_not_those_of_the_metadata_are_refused(exported, tmp_path):
    save_file({"x": torch.ones(1)}, tmp_path / "f.safetensors", metadata=exported[2])
    with pytest.raises(DataError, match=r"f\.safetensors"):
        load_network(tmp_path / "f.safetensors", CPU.device)
