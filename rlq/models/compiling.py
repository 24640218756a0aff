"""torch.compile for what training repeats thousands of times."""

import os
import shutil
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

from rlq.core.errors import SettingsError

Function = TypeVar("Function", bound=Callable[..., Any])


def compile_forward(network: nn.Module, *, backend: str = "inductor") -> None:
    """Compile what calling the network does, in place: names of weights, copies and files stay as they are, and so does
    every other method. Raises SettingsError without a C++ compiler."""
    _prepare(backend)
    network.compile(backend=backend, dynamic=False)


def compiled(work: Function, *, backend: str = "inductor") -> Function:
    """A compiled form of a function or method. Raises SettingsError without a C++ compiler."""
    _prepare(backend)
    made: Any = torch.compile(work, backend=backend, dynamic=False)
    return made


def forget_compiled() -> None:
    """Drop what other runs of this process compiled: torch keeps a few forms of each function and then compiles no
    more."""
    torch.compiler.reset()


def _prepare(backend: str) -> None:
    compiler = os.environ.get("CXX", "g++")
    if backend == "inductor" and shutil.which(compiler) is None:
        raise SettingsError(
            f"compute.compile = true needs a C++ compiler, and there is no {compiler}; install g++, name another one "
            "in the environment variable CXX, or say compute.compile=false"
        )
