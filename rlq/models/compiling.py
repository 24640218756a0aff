"""torch.compile for networks and functions that training calls in every step."""

import os
import shutil
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

from rlq.core.errors import SettingsError

Function = TypeVar("Function", bound=Callable[..., Any])


def compile_forward(network: nn.Module, *, backend: str = "inductor") -> None:
    """Compile the forward pass of a network in place. Raise SettingsError without a C++ compiler.

    Names of weights, copies, saved files and all other methods do not change.
    """
    _check_compiler(backend)
    network.compile(backend=backend, dynamic=False)


def compiled(work: Function, *, backend: str = "inductor") -> Function:
    """Return a compiled form of a function or method. Raise SettingsError without a C++ compiler."""
    _check_compiler(backend)
    result: Any = torch.compile(work, backend=backend, dynamic=False)
    return result


def forget_compiled() -> None:
    """Discard what earlier runs of this process compiled, because torch compiles a function only a few times."""
    torch.compiler.reset()


def _check_compiler(backend: str) -> None:
    compiler = os.environ.get("CXX", "g++")
    if backend == "inductor" and shutil.which(compiler) is None:
        raise SettingsError(
            f"compute.compile = true needs a C++ compiler, and there is no {compiler}; install g++, name another one "
            "in the environment variable CXX, or set compute.compile=false"
        )
