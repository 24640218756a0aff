"""How torch computes in this process: how many threads, fastest or repeatable."""

import os

import torch

from rlq.core.distributed import Place
from rlq.core.settings import ComputeSettings

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def configure_torch(compute: ComputeSettings, place: Place) -> None:
    """Set threads, determinism and the choice of convolutions as a run asks for; call it before the run computes.

    With `compute.deterministic` torch raises RuntimeError at an operation that has no repeatable form. Otherwise a GPU
    tries all its convolutions on the first batch of each size and keeps the fastest, which may be another one in
    another run. On a CPU results repeat in any case, with as many threads.
    """
    if compute.threads is not None:
        torch.set_num_threads(compute.threads)
    if place.device.type == "cuda":
        # Read once per process, at the first product: a later run of this process may be a deterministic one.
        os.environ.setdefault(CUBLAS, ":4096:8")
    torch.use_deterministic_algorithms(compute.deterministic)
    torch.backends.cudnn.benchmark = place.device.type == "cuda" and not compute.deterministic
