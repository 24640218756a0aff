import os
import pickle
import random

import numpy as np
import pytest
import torch
from naming import assert_names
from torch import nn

from rlq.core.errors import DataError, RlqError
from rlq.training.checkpoint import (
    load_state,
    load_weights,
    random_state,
    restore_random_state,
    save_state,
    save_weights,
    write_whole,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("unexpected pos 704\nand more"), "unexpected pos 704"),
    ],
)
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, error, reason):
    def half(temporary):
        temporary.write_text("hal")
        raise error

    path = tmp_path / "last.pt"
    write_whole(path, lambda temporary: temporary.write_text("whole"))
    with pytest.raises(RlqError) as raised:
        write_whole(path, half)
    assert_names(raised.value, "last.pt", reason)
    assert "and more" not in str(raised.value)
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["last.pt"]


def test_an_interrupted_write_leaves_nothing_either(tmp_path):
    def interrupted(temporary):
        temporary.write_text("hal")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "last.pt", interrupted)
    assert names(tmp_path) == []


def test_while_it_is_written_readers_see_the_old_file(tmp_path):
    path, seen = tmp_path / "a" / "last.pt", []
    save_state(path, {"epoch": 1})

    def slow(temporary):
        torch.save({"epoch": 2}, temporary)
        seen.append(load_state(path))

    write_whole(path, slow)
    assert (seen, load_state(path)) == ([{"epoch": 1}], {"epoch": 2})


def test_others_may_read_what_the_user_lets_them_read(tmp_path):
    before = os.umask(0o027)
    try:
        save_state(tmp_path / "last.pt", {})
        save_weights(tmp_path / "model.safetensors", nn.Linear(1, 1))
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode & 0o777) for path in sorted(tmp_path.iterdir())] == ["0o640", "0o640"]


def test_a_file_where_a_folder_should_be_is_an_error_of_ours(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RlqError, match=r"run/last\.pt"):
        save_state(tmp_path / "run" / "last.pt", {})


def test_a_state_comes_back_as_it_was(tmp_path):
    state = {"epoch": 3, "best": None, "x": torch.arange(3), "evaluations": {0: {"CC/mAP": 0.5, "SC/mAP": None}}}
    save_state(tmp_path / "last.pt", state)
    found = load_state(tmp_path / "last.pt")
    assert torch.equal(found.pop("x"), state.pop("x"))
    assert found == state


class Hostile:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    ("write", "trust"),
    [
        (torch.save, lambda path: torch.load(path, weights_only=False)),
        (lambda state, path: path.write_bytes(pickle.dumps(state, 2)), lambda path: pickle.loads(path.read_bytes())),
    ],
    ids=["torch", "pickle"],
)
def test_a_checkpoint_that_would_run_something_is_refused_unrun(tmp_path, write, trust):
    path, made = tmp_path / "last.pt", tmp_path / "made"
    write({"epoch": Hostile(made)}, path)
    with pytest.raises(DataError, match=r"last\.pt"):
        load_state(path)
    assert not made.exists()
    trust(path)
    assert made.exists()  # it is hostile indeed


def test_broken_and_absent_checkpoints_are_named(tmp_path):
    path = tmp_path / "last.pt"
    with pytest.raises(DataError, match=r"last\.pt"):
        load_state(path)
    save_state(path, {"x": torch.zeros(1000)})
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"last\.pt.*[^\s:]$"):
            load_state(path)


def test_weights_come_back_as_they_were_whatever_their_order_in_memory(tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    save_weights(tmp_path / "best" / "model.safetensors", network)
    found = load_weights(tmp_path / "best" / "model.safetensors")
    wanted = network.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in found.items())


def test_what_is_no_safetensors_file_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"{}")
    with pytest.raises(DataError, match=r"model\.safetensors"):
        load_weights(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=r"gone\.safetensors"):
        load_weights(tmp_path / "gone.safetensors")


def draw():
    normal = [random.gauss(0, 1), float(np.random.standard_normal()), torch.randn(1).item()]  # noqa: NPY002
    return [*normal, random.random(), np.random.randint(10**6), torch.randperm(100).tolist()]  # noqa: NPY002


def test_random_numbers_go_on_after_a_file_as_they_would_have(tmp_path):
    random.gauss(0, 1)
    np.random.standard_normal()  # noqa: NPY002 - one of a pair: the other is waiting in the state
    save_state(tmp_path / "last.pt", {"random": random_state()})
    wanted = draw()
    assert draw() != wanted
    restore_random_state(load_state(tmp_path / "last.pt")["random"])
    assert draw() == wanted
