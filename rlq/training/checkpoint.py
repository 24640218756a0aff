"""Checkpoint files: written whole or not at all, and read without executing anything in them."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rlq.core.errors import DataError, RlqError
from rlq.core.files import written_whole
from rlq.core.safe_load import first_line, load_plain


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path and move the result to `path`.

    Raise RlqError if the file cannot be written, also for errors of torch and safetensors.
    """
    try:
        with written_whole(path) as temporary:
            write(temporary)
    except (RuntimeError, SafetensorError) as error:  # what torch and safetensors raise when the disk is full
        raise RlqError(f"{path} cannot be written: {first_line(error)} (is the disk full?)") from error


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Save everything that an exact resume needs: tensors and plain data only."""
    write_whole(path, lambda temporary: torch.save(dict(state), temporary))


def load_state(path: Path) -> dict[str, Any]:
    """Return what `save_state` wrote. Raise DataError if it is broken or contains more than plain data."""
    state = load_plain(path, "checkpoint of rlq")
    if not isinstance(state, dict):
        raise DataError(f"{path} is not a checkpoint of rlq: it holds a {type(state).__name__}")
    return state


def save_weights(path: Path, network: nn.Module) -> None:
    """Save weights and buffers as safetensors."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_whole(path, lambda temporary: save_file(tensors, temporary, metadata={"format": "rlq-1"}))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} cannot be read as safetensors: {error}") from error


def random_state() -> dict[str, Any]:
    """Return the state of every global random generator, as tensors and plain data."""
    numbers: Any = np.random.get_state()  # noqa: NPY002 - the global state is saved
    name, keys, position, has_gauss, cached = numbers
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Restore what `random_state` returned."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
