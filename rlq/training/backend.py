"""Configure torch for this process: threads, deterministic operations, choice of convolutions."""

import os

import torch

from rlq.core.distributed import Place
from rlq.core.settings import ComputeSettings

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def configure_torch(compute: ComputeSettings, place: Place) -> None:
    """Set threads, determinism and the choice of convolutions. Call it before a run computes anything.

    With `compute.deterministic`, torch raises RuntimeError at an operation without a deterministic implementation.
    Otherwise a GPU tries all its convolutions on the first batch of each size and uses the fastest, which may be a
    different one in another run. On a CPU, results are the same in every run with the same number of threads.
    """
    if compute.threads is not None:
        torch.set_num_threads(compute.threads)
    if place.device.type == "cuda":
        # cuBLAS reads this once per process, at the first product, and a later run may be a deterministic one.
        os.environ.setdefault(CUBLAS, ":4096:8")
    torch.use_deterministic_algorithms(compute.deterministic)
    torch.backends.cudnn.benchmark = place.device.type == "cuda" and not compute.deterministic
