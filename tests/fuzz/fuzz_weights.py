"""Weights: checkpoints of torch, safetensors, folders of weights with their config, the authors' files."""

import io
import json
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from authors import Branches, state_of
from fuzz_side_files import near
from fuzzing import Files, Target
from hypothesis import strategies as st
from mutations import changed_seeds, one_file
from safetensors.torch import save as packed_tensors
from tiny import tiny_network, tiny_settings

from rlq.methods.base import CONFIG, WEIGHTS
from rlq.methods.rlq.author_checkpoints import read_checkpoint
from rlq.methods.rlq.export import write_safetensors
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.weights import load_network
from rlq.methods.weights_folder import write_config
from rlq.training.checkpoint import load_state, load_weights, save_weights

CPU = torch.device("cpu")
PLAIN = ("branches=[cal]", "losses.triplet=0", "cap.pose.enabled=false", "cap.gender.enabled=false")


class Payload:
    """Unpickles by calling something."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call, self.arguments


def saved(tree: Any, **options: Any) -> bytes:
    """What torch.save makes of it."""
    file = io.BytesIO()
    torch.save(tree, file, **options)
    return file.getvalue()


def _folder() -> Files:
    settings = tiny_settings(*PLAIN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_weights(folder / WEIGHTS, RlqNetwork(settings, identities=4))
        write_config(folder, settings, identities=4)
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _exported() -> bytes:
    settings = tiny_settings()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.safetensors"
        write_safetensors(tiny_network(settings).eval(), settings, path)
        return path.read_bytes()


def _headers() -> st.SearchStrategy[bytes]:
    """Safetensors whose header says what it likes."""
    number = st.integers(-1, 40) | st.sampled_from((2**63, 2**64, -(2**63), 10**30, 1.5, "a", None))
    tensor = st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(("F32", "F16", "I64", "BOOL", "F8_E4M3", "X", "")),
            "shape": st.lists(number, max_size=3),
            "data_offsets": st.lists(number, min_size=1, max_size=3),
        }
    )
    name = st.sampled_from(("w", "__metadata__", "", "../x", "\x00"))
    header = st.dictionaries(name, tensor | st.dictionaries(name, name), max_size=3).map(
        lambda h: json.dumps(h).encode()
    )
    length = st.none() | st.sampled_from((0, 1, 2**31, 2**63, 2**64 - 1))

    def file(words: bytes, said: int | None, data: bytes) -> bytes:
        return (len(words) if said is None else said).to_bytes(8, "little") + words + data

    return st.builds(file, header, length, st.binary(max_size=40))


def _pickles() -> st.SearchStrategy[bytes]:
    """Whatever pickle and torch.save can write, calls among it."""
    calls = st.sampled_from(
        (
            *(Payload(print, "called"), Payload(eval, "1"), Payload(open, "fuzzed", "w"), Payload(bytearray, 10**9)),
            *(Payload(torch.zeros, 3), Payload(getattr, dict, "fromkeys"), Payload(torch.load, "x")),
        )
    )
    leaf = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5) | calls
    leaf |= st.builds(lambda n: torch.arange(float(n)), st.integers(0, 4))
    key = st.sampled_from(("model_state_dict", "classifier_state_dict", "rank1", "epoch", "x"))
    tree = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(key, inner, max_size=3))
    form = st.sampled_from((saved, lambda found: saved(found, _use_new_zipfile_serialization=False), pickle.dumps))
    return st.builds(lambda how, found: how(found), form, tree)


def _published() -> bytes:
    """The authors' names, each with a tensor of a few numbers: the reader looks at names and heads."""
    tree = state_of(Branches())
    tree["model_state_dict"] = {
        name: value if "classifier" in name else value.flatten()[:2].clone() if value.ndim else value
        for name, value in tree["model_state_dict"].items()
    }
    return saved(tree)


RESUMED = {"epoch": 3, "model": {"w": torch.arange(6.0).view(2, 3)}, "history": {"1": 0.5}, "x": (1, None)}
STATE: Files = {"last.pt": saved(RESUMED)}
TENSORS: Files = {
    "model.safetensors": packed_tensors({"w": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)}, {"format": "rlq-1"})
}
FOLDER = _folder()
EXPORTED: Files = {"x.safetensors": _exported()}
RELEASED: Files = {"published.pth.tar": _published()}

TARGETS = (
    Target(
        "checkpoint",
        lambda folder: load_state(folder / "last.pt"),
        changed_seeds((STATE,)) | one_file("last.pt", _pickles()),
        (STATE,),
    ),
    Target(
        "safetensors",
        lambda folder: load_weights(folder / "model.safetensors"),
        changed_seeds((TENSORS,)) | one_file("model.safetensors", _headers()),
        (TENSORS,),
    ),
    Target(
        "weights_folder",
        lambda folder: load_network(folder, CPU),
        changed_seeds(({CONFIG: FOLDER[CONFIG]},)).map(lambda files: {**FOLDER, **files})
        | near(FOLDER[CONFIG]).map(lambda config: {**FOLDER, CONFIG: config})  # type: ignore[arg-type]
        | changed_seeds((FOLDER,)),
        (FOLDER,),
        share=0.25,
    ),
    Target(
        "exported",
        lambda folder: load_network(folder / "x.safetensors", CPU),
        changed_seeds((EXPORTED,)) | one_file("x.safetensors", _headers()),
        (EXPORTED,),
        share=0.25,
    ),
    Target(
        "released",
        lambda folder: read_checkpoint(folder / "published.pth.tar"),
        one_file("published.pth.tar", _pickles()) | changed_seeds((RELEASED,)),
        (RELEASED,),
    ),
)
