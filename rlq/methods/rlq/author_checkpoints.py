"""The weights that the authors publish (*.pth.tar): read without executing anything, and put into our network.

Nothing is taken by guess: every tensor of the network is filled from the file, and every tensor of the file is used or
named as left out.
"""

import hashlib
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
from rlq.core.errors import DataError
from rlq.core.safe_load import UNREADABLE, allocates_bytearray, compressed_parts
from rlq.methods.rlq.author_names import ID_HEAD, ID_HEAD_APART, POSE_HEAD, Layout, find_layout, published_name, some
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings

MODEL, HEAD, CLOTHES = "model_state_dict", "classifier_state_dict", "clothes_classifier_state_dict"
KEYS = (MODEL, HEAD, CLOTHES, "rank1", "epoch")
SIZE = (384, 192)  # of the pictures that the authors train and test with
MOST_CLASSES = 10**6

# `rank1` may be a NumPy number. This is all that reading one takes, by NumPy's present name and by that of NumPy 1.
NUMPY_NUMBER: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (scalar, "numpy._core.multiarray.scalar"),
    (scalar, "numpy.core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
]


@dataclass(frozen=True)
class Released:
    """What a file of the authors holds, under the names that it uses."""

    tensors: Mapping[str, Tensor]  # of the network; the CAL branch's ID head as classifier_state_dict.classifier.*
    left_out: Mapping[str, tuple[int, ...]]  # name -> shape of what our network has no place for
    layout: Layout
    identities: int | None  # classes of the ID heads; None when the file has none
    clusters: int | None  # pose clusters, without the class of pictures in which no pose was found
    epoch: int | None  # counted from 0
    rank1: float | None
    unread: tuple[str, ...] = ()  # other keys of the file, such as an optimiser's


class Rebuilt(NamedTuple):
    """Our network with the authors' weights."""

    network: RlqNetwork
    settings: RlqSettings
    zeros: list[str]  # our names of what the file does not hold and is 0


def read_released(path: Path) -> tuple[Released, str]:
    """Read and check a file of the authors; also its sha256. Raises DataError that names what is wrong with it."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    tree = _unpickle(path)
    try:
        return sort_out(tree), digest
    except DataError as error:
        raise DataError(f"{path} {error}") from error


def sort_out(tree: Any) -> Released:
    """Check what a file of the authors holds. Raises DataError whose message follows the file's name."""
    if not isinstance(tree, dict) or MODEL not in tree:
        found = some(tree) if isinstance(tree, dict) and tree else f"a {type(tree).__name__}"
        raise DataError(f"holds no {MODEL}, but {found}: it is no published checkpoint of RLQ or CAL")
    model, head, clothes = (_tensors(tree.get(key, {}), key) for key in (MODEL, HEAD, CLOTHES))
    if HEAD in tree and set(head) != {"classifier.weight", "classifier.bias"}:
        raise DataError(f"should hold classifier.weight and classifier.bias in {HEAD}, not {some(head) or 'nothing'}")
    if CLOTHES in tree and set(clothes) != {"weight"}:
        raise DataError(f"should hold weight alone in {CLOTHES}, not {some(clothes) or 'nothing'}")
    tensors = model | {f"{HEAD}.{name}": value for name, value in head.items()}
    layout = find_layout(model)
    rows = _rows(tensors, ID_HEAD if "bot" in layout.branches else ID_HEAD_APART)
    poses = _rows(tensors, POSE_HEAD) if layout.pose_split is not None else None
    if poses is not None and poses < 3:
        raise DataError(f"has a pose head ({POSE_HEAD}) of {poses} classes; two clusters and `no pose` are the least")
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
    """The network with all weights of the file. Raises DataError, as sort_out does, when names or shapes are not its.

    An ID head of the CAL branch that the file lacks becomes 0: features do not depend on it.
    """
    settings = _settings(released, dataset, root)
    network = RlqNetwork(settings, identities=identities, pretrained=False)
    own = network.state_dict()
    names = {name: published_name(name, released.layout) for name in own}
    head_given = any(name.startswith(ID_HEAD_APART) for name in released.tensors)
    zeros = [] if head_given else [name for name, theirs in names.items() if theirs.startswith(ID_HEAD_APART)]
    wanted = {theirs: own[name] for name, theirs in names.items() if name not in zeros}
    problems = _differences(wanted, released.tensors)
    if problems:
        raise DataError(f"does not hold the weights of {released.layout.describe()}: {'; '.join(problems)}")
    network.load_state_dict(
        {name: torch.zeros_like(own[name]) if name in zeros else released.tensors[names[name]] for name in own}
    )
    return Rebuilt(network, settings, zeros)


def _unpickle(path: Path) -> Any:
    """The content of a torch.save file. Nothing but tensors, plain data and a NumPy number gets past the reader."""
    try:
        _refuse_compressed(path)
        with torch.serialization.safe_globals(NUMPY_NUMBER), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch muses about files that it is about to refuse
            return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if asked:
            raise DataError(
                f"{path} is refused: it wants {asked[1]} when it is read, and weights need no such thing; "
                "nothing of it was executed"
            ) from error
        raise DataError(
            f"{path} cannot be read as weights of torch.save (broken, cut short, or another kind of file)"
        ) from error


def _refuse_compressed(path: Path) -> None:
    """torch.save stores its parts as they are; packed ones may unpack to more than the memory holds."""
    if allocates_bytearray(path):
        raise DataError(f"{path} is refused: it asks for memory of any size when it is read, which weights do not")
    packed = compressed_parts(path)
    if packed:
        raise DataError(f"{path} is refused: it is a packed archive ({some(packed)}), which torch.save never writes")


def _tensors(state: Any, key: str) -> dict[str, Tensor]:
    """The tensors of one dictionary, without the prefix that DistributedDataParallel gives to all of them."""
    if not isinstance(state, dict):
        raise DataError(f"should hold a dictionary of tensors as {key}, not a {type(state).__name__}")
    odd = [name for name, value in state.items() if not isinstance(name, str) or not _is_plain(value, name)]
    if odd:
        raise DataError(f"should hold dense tensors of float32 (counters int64) in {key}: {some(odd)}")
    broken = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if broken:
        raise DataError(f"has numbers that are not finite in {key}: {some(broken)}")
    wrapped = bool(state) and all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if wrapped else name: value for name, value in state.items()}


def _is_plain(value: Any, name: str) -> bool:
    """Whether it is a tensor as a network has it, and as large in the file as it says."""
    kind = torch.int64 if name.endswith("num_batches_tracked") else torch.float32
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.dtype == kind
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _rows(tensors: Mapping[str, Tensor], head: str) -> int | None:
    """How many classes a head has; None when it is not there."""
    weight = tensors.get(f"{head}.weight")
    if weight is None:
        return None
    if weight.ndim != 2 or not 0 < len(weight) <= MOST_CLASSES:
        raise DataError(f"has {head}.weight of shape {list(weight.shape)}, which is no head [classes, features]")
    return len(weight)


def _number(tree: Mapping[str, Any], key: str, kind: type) -> Any:
    """`epoch` or `rank1` as a plain number; None when it is not there."""
    value = tree.get(key)
    allowed = (int,) if kind is int else (int, float)  # a NumPy float64 is a float
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise DataError(f"should hold a number as {key}, not {value!r:.40}")
    return kind(value)


def _settings(released: Released, dataset: str, root: str) -> RlqSettings:
    """The defaults, with everything that the file decides. A gender head is in no file of the authors."""
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


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    misshapen = [
        f"{name} {list(given[name].shape)} for {list(value.shape)}"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    found = {"missing": missing, "not in that network": unknown, "of another shape": misshapen}
    return [f"{len(names)} {what} ({some(names)})" for what, names in found.items() if names]


def finite_or_text(value: float | None) -> float | str | None:
    """For JSON, which has no word for infinities."""
    return value if value is None or math.isfinite(value) else str(value)
