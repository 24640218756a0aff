"""The weights that the authors publish (*.pth.tar): read without executing code, and copied into our network.

Every tensor of the network is filled from the file, and every tensor of the file is used or listed as left out.
"""

import math
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy._core.multiarray import scalar
from torch import Tensor

from rlq.core.config import validate
from rlq.core.digest import file_digest
from rlq.core.errors import DataError
from rlq.core.safe_load import UNREADABLE, allocates_bytearray, compressed_parts
from rlq.methods.rlq.author_names import (
    ID_HEAD,
    ID_HEAD_APART,
    POSE_HEAD,
    Layout,
    find_layout,
    first_names,
    published_name,
)
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings

MODEL, HEAD, CLOTHES = "model_state_dict", "classifier_state_dict", "clothes_classifier_state_dict"
KEYS = (MODEL, HEAD, CLOTHES, "rank1", "epoch")
SIZE = (384, 192)  # of pictures in the authors' training and tests
MOST_CLASSES = 10**6

# `rank1` may be a NumPy number. These are needed to read one, by the present name and by that of NumPy 1.
NUMPY_NUMBER: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (scalar, "numpy._core.multiarray.scalar"),
    (scalar, "numpy.core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
]


@dataclass(frozen=True)
class Released:
    """The content of a file of the authors, with its names."""

    tensors: Mapping[str, Tensor]  # of the network; the CAL branch's ID head as classifier_state_dict.classifier.*
    left_out: Mapping[str, tuple[int, ...]]  # name -> shape of tensors that our network does not have
    layout: Layout
    identities: int | None  # classes of the ID heads; None if the file has none
    clusters: int | None  # pose clusters, without the class of pictures without a detected pose
    epoch: int | None  # counted from 0
    rank1: float | None
    unread: tuple[str, ...] = ()  # other keys of the file, such as an optimiser's


class Rebuilt(NamedTuple):
    """Our network with the authors' weights."""

    network: RlqNetwork
    settings: RlqSettings
    zeros: list[str]  # our names of tensors that the file does not hold; they are 0


def read_checkpoint(path: Path) -> tuple[Released, str]:
    """Read and check a file of the authors; return its content and SHA-256 digest. Raises DataError."""
    try:
        digest = file_digest(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    tree = _unpickle(path)
    try:
        return parse_checkpoint(tree), digest
    except DataError as error:
        raise DataError(f"{path} {error}") from error


def parse_checkpoint(tree: Any) -> Released:
    """Check the content of a file of the authors. Raises DataError; its message follows the file's name."""
    if not isinstance(tree, dict) or MODEL not in tree:
        content = first_names(tree) if isinstance(tree, dict) and tree else f"a {type(tree).__name__}"
        raise DataError(f"holds no {MODEL}, but {content}; wanted is a published checkpoint of RLQ or CAL")
    model, head, clothes = (_tensors(tree.get(key, {}), key) for key in (MODEL, HEAD, CLOTHES))
    if HEAD in tree and set(head) != {"classifier.weight", "classifier.bias"}:
        raise DataError(
            f"should hold classifier.weight and classifier.bias in {HEAD}, not {first_names(head) or 'nothing'}"
        )
    if CLOTHES in tree and set(clothes) != {"weight"}:
        raise DataError(f"should hold weight alone in {CLOTHES}, not {first_names(clothes) or 'nothing'}")
    tensors = model | {f"{HEAD}.{name}": value for name, value in head.items()}
    layout = find_layout(model)
    rows = _rows(tensors, ID_HEAD if "bot" in layout.branches else ID_HEAD_APART)
    poses = _rows(tensors, POSE_HEAD) if layout.pose_split is not None else None
    if poses is not None and poses < 3:
        raise DataError(
            f"has a pose head ({POSE_HEAD}) of {poses} classes; wanted are at least 3: two clusters and `no pose`"
        )
    return Released(
        tensors=tensors,
        left_out={f"{CLOTHES}.{name}": tuple(value.shape) for name, value in clothes.items()},
        layout=layout,
        identities=rows,
        clusters=poses - 1 if poses is not None else None,
        epoch=_number(tree, "epoch", int),
        rank1=_number(tree, "rank1", float),
        unread=tuple(sorted(str(key) for key in tree if key not in KEYS)),
    )


def rebuild(released: Released, *, dataset: str, root: str, identities: int) -> Rebuilt:
    """Return our network with all weights of the file. Raises DataError, as parse_checkpoint does, if they do not fit.

    If the file lacks the CAL branch's ID head, it becomes 0, as features do not depend on it.
    """
    settings = _settings(released, dataset, root)
    network = RlqNetwork(settings, identities=identities, pretrained=False)
    state = network.state_dict()
    names = {name: published_name(name, released.layout) for name in state}
    head_given = any(name.startswith(ID_HEAD_APART) for name in released.tensors)
    zeros = [] if head_given else [name for name, theirs in names.items() if theirs.startswith(ID_HEAD_APART)]
    expected = {theirs: state[name] for name, theirs in names.items() if name not in zeros}
    problems = _differences(expected, released.tensors)
    if problems:
        raise DataError(f"does not hold the weights of {released.layout.describe()}: {'; '.join(problems)}")
    network.load_state_dict(
        {name: torch.zeros_like(state[name]) if name in zeros else released.tensors[names[name]] for name in state}
    )
    return Rebuilt(network, settings, zeros)


def _unpickle(path: Path) -> Any:
    """Return the content of a torch.save file: only tensors, plain data and a NumPy number are read."""
    try:
        _refuse_compressed(path)
        with torch.serialization.safe_globals(NUMPY_NUMBER), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about files before it refuses them
            return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if code:
            raise DataError(
                f"{path} is refused: reading it would call {code[1]}, which weights do not need; nothing was executed"
            ) from error
        raise DataError(
            f"{path} cannot be read as weights of torch.save: it is damaged, incomplete or another kind of file"
        ) from error


def _refuse_compressed(path: Path) -> None:
    """Raise DataError for a compressed file. torch.save compresses nothing, and such a file may exceed the memory."""
    if allocates_bytearray(path):
        raise DataError(f"{path} is refused: reading it would allocate memory of any size, which weights do not need")
    packed = compressed_parts(path)
    if packed:
        raise DataError(f"{path} is refused: it is compressed ({first_names(packed)}), which torch.save never does")


def _tensors(state: Any, key: str) -> dict[str, Tensor]:
    """Return the tensors of one dictionary, without the prefix of DistributedDataParallel."""
    if not isinstance(state, dict):
        raise DataError(f"should hold a dictionary of tensors as {key}, not a {type(state).__name__}")
    wrong = [name for name, value in state.items() if not isinstance(name, str) or not _is_plain(value, name)]
    if wrong:
        raise DataError(f"should hold dense tensors of float32 (counters int64) in {key}, not {first_names(wrong)}")
    broken = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if broken:
        raise DataError(f"has numbers that are not finite in {key}: {first_names(broken)}")
    wrapped = bool(state) and all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if wrapped else name: value for name, value in state.items()}


def _is_plain(value: Any, name: str) -> bool:
    """Return whether it is a tensor of a network's kind that is fully stored in the file."""
    kind = torch.int64 if name.endswith("num_batches_tracked") else torch.float32
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.dtype == kind
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _rows(tensors: Mapping[str, Tensor], head: str) -> int | None:
    """Return how many classes a head has; None if it is missing."""
    weight = tensors.get(f"{head}.weight")
    if weight is None:
        return None
    if weight.ndim != 2 or not 0 < len(weight) <= MOST_CLASSES:
        raise DataError(
            f"has {head}.weight of shape {list(weight.shape)}; wanted is [classes, features], with 1 to "
            f"{MOST_CLASSES:,} classes"
        )
    return len(weight)


def _number(tree: Mapping[str, Any], key: str, kind: type) -> Any:
    """Return `epoch` or `rank1` as a plain number; None if it is missing."""
    value = tree.get(key)
    allowed = (int,) if kind is int else (int, float)  # a NumPy float64 is a float
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise DataError(f"should hold a number as {key}, not {value!r:.40}")
    return kind(value)


def _settings(released: Released, dataset: str, root: str) -> RlqSettings:
    """Return the default settings with those that the file implies. No file of the authors has a gender head."""
    layout = released.layout
    pose: dict[str, Any] = {"enabled": layout.pose_split is not None}
    if layout.pose_split is not None:
        pose |= {"split": layout.pose_split} | ({"clusters": released.clusters} if released.clusters else {})
    tree = {
        "variant": "released",
        "branches": list(layout.branches),
        "data": {"dataset": dataset, "root": root, "size": list(SIZE)},
        "backbone": {"name": layout.backbone, "pretrained": False, "split": layout.split},
        "cap": {"pose": pose, "gender": {"enabled": False}},
    }
    return validate(RlqSettings, tree, "the settings of the imported weights")


def _differences(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Return what is missing, unknown and of another shape, each with its first names."""
    missing = [name for name in expected if name not in given]
    unknown = [name for name in given if name not in expected]
    misshapen = [
        f"{name} {list(given[name].shape)}, should be {list(value.shape)}"
        for name, value in expected.items()
        if name in given and given[name].shape != value.shape
    ]
    names_of = {"missing": missing, "not in that network": unknown, "of another shape": misshapen}
    return [f"{len(names)} {what} ({first_names(names)})" for what, names in names_of.items() if names]


def finite_or_text(value: float | None) -> float | str | None:
    """Return a value for JSON, which has no infinities: those become text."""
    return value if value is None or math.isfinite(value) else str(value)
