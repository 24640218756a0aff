import json

import pytest
import torch
from naming import assert_names
from safetensors.torch import save_file
from tiny import ATTRIBUTES_OFF, CPU, IDENTITIES, noise, tiny_network, tiny_settings, values_of

from rlq.core.errors import DataError
from rlq.methods.base import CONFIG, WEIGHTS
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.weights import load_network, start_from
from rlq.methods.weights_folder import write_config
from rlq.training.checkpoint import save_weights


def write(folder, *changes, seed=0):
    """A weights folder, and the network in it, whose batch norms have seen something."""
    settings = tiny_settings(*changes)
    network = tiny_network(settings, seed)
    with torch.no_grad():
        network(noise(8, seed))
    save_weights(folder / WEIGHTS, network)
    write_config(folder, settings, identities=IDENTITIES)
    return network


@pytest.mark.parametrize("changes", [(), ("branches=[cal]", *ATTRIBUTES_OFF), ("cap.gender.on=both",)])
def test_a_written_network_comes_back_frozen_with_equal_features(tmp_path, changes):
    network = write(tmp_path, *changes).eval()
    loaded, settings = load_network(tmp_path, CPU.device)
    assert settings == tiny_settings(*changes)
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    wanted = values_of(network)
    assert all(torch.equal(value, wanted[name]) for name, value in values_of(loaded).items())
    with torch.no_grad():
        torch.testing.assert_close(loaded.embed(noise(3, 5)), network.embed(noise(3, 5)))


def test_loading_asks_for_no_pretrained_weights(tmp_path):
    write(tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())
    config["settings"]["backbone"]["pretrained"] = "gone.pth"
    (tmp_path / CONFIG).write_text(json.dumps(config))
    assert load_network(tmp_path, CPU.device)[1].backbone.pretrained == "gone.pth"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"config\.json"),
        ("{", r"config\.json"),
        ("[]", r"config\.json.*\bsettings\b.*\bidentities\b"),
        ('{"settings": {}}', r"config\.json.*\bidentities\b"),
        ('{"identities": 0, "settings": {}}', r"config\.json.*\bidentities\b"),
        ('{"identities": 10000000000, "settings": {}}', r"config\.json.*\bidentities\b"),
        ('{"identities": 4}', r"config\.json.*\bsettings\b"),
        ('{"identities": 4, "settings": {"data": {"dataset": "prcc"}, "lr": 1}}', r"config\.json.*\blr\b"),
    ],
)
def test_a_config_that_is_none_is_refused_by_name(tmp_path, text, message):
    write(tmp_path)
    (tmp_path / CONFIG).unlink()
    if text is not None:
        (tmp_path / CONFIG).write_text(text)
    with pytest.raises(DataError, match=message):
        load_network(tmp_path, CPU.device)


@pytest.mark.parametrize("content", [None, b"", b"no tensors here at all"])
def test_weights_that_are_none_are_refused_by_name(tmp_path, content):
    write(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    if content is not None:
        (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(DataError, match=r"model\.safetensors"):
        load_network(tmp_path, CPU.device)


def test_weights_of_another_network_than_the_config_says_are_refused(tmp_path):
    write(tmp_path)
    write_config(tmp_path, tiny_settings(), identities=IDENTITIES + 1)
    with pytest.raises(DataError) as raised:
        load_network(tmp_path, CPU.device)
    assert_names(raised.value, "model.safetensors", "config.json", "id_heads")


@pytest.mark.parametrize("named", ["", WEIGHTS, "run"])
def test_a_network_starts_from_a_weights_folder_a_file_or_a_run(tmp_path, named):
    given = write(tmp_path / "best" if named == "run" else tmp_path)
    network = tiny_network(tiny_settings(), seed=3)
    assert start_from(network, str(tmp_path if named == "run" else tmp_path / named)) == []
    wanted = values_of(given)
    assert all(torch.equal(value, wanted[name]) for name, value in values_of(network).items())


def test_heads_for_other_people_and_parts_that_were_not_there_keep_their_values(tmp_path):
    given = values_of(write(tmp_path, *ATTRIBUTES_OFF))
    network = RlqNetwork(tiny_settings(), identities=IDENTITIES + 2)
    before = values_of(network)
    kept = start_from(network, str(tmp_path))
    assert {name.split(".")[0] for name in kept} == {"id_heads", "pose_branch", "pose_head", "gender_head"}
    after = values_of(network)
    assert all(torch.equal(after[name], before[name] if name in kept else given[name]) for name in after)
    assert not torch.equal(after["branches.bot.neck.norm.weight"], before["branches.bot.neck.norm.weight"])


def test_weights_that_lack_a_part_of_the_blocks_are_refused_and_nothing_is_taken(tmp_path):
    write(tmp_path, "branches=[cal]", *ATTRIBUTES_OFF)
    network = tiny_network(tiny_settings(), seed=3)
    before = values_of(network)
    with pytest.raises(DataError, match=r"init_from.*\b\d+\b\D+\b\d+\b.*\bbranches\.bot"):
        start_from(network, str(tmp_path))
    assert all(torch.equal(value, before[name]) for name, value in values_of(network).items())
    save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(DataError, match=r"init_from.*foreign\.safetensors.*\b(\d+)\b\D+\b\1\b"):
        start_from(network, str(tmp_path / "foreign.safetensors"))


def test_a_start_that_is_nowhere_says_where_it_was_looked_for(tmp_path):
    gone = tmp_path / "gone"
    with pytest.raises(DataError) as raised:
        start_from(tiny_network(tiny_settings()), str(gone))
    assert_names(raised.value, "init_from", gone / "model.safetensors", gone / "best/model.safetensors")
