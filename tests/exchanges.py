"""Two processes on this machine that share their work, and what they exchange. Loads torch and no network."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.multiprocessing import start_processes

from rlq.core import distributed
from rlq.core.distributed import Place

PATIENCE = 180  # seconds until processes that wait for each other are given up


def in_two_processes(work: Callable[[Path, Place], dict], folder: Path) -> list[dict]:
    """What `work`, a function of a module, returns in rank 0 and in rank 1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = start_processes(_be_one, args=(work, folder, port), nprocs=2, join=False, start_method="spawn")
    deadline = time.monotonic() + PATIENCE
    try:
        while not group.join(timeout=1):
            assert time.monotonic() < deadline, f"two processes still compute or wait after {PATIENCE} s"
    finally:
        for process in group.processes:
            process.kill()
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _be_one(rank: int, work: Callable[[Path, Place], dict], folder: Path, port: int) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    torch.save(work(folder, distributed.start("cpu")), folder / f"{rank}.pt")
    distributed.stop()


def exchanges(folder: Path, place: Place) -> dict:
    """The small functions of rlq.core.distributed; each process has its own numbers."""
    rank = place.rank
    uneven = torch.arange(6.0).reshape(3, 2) + 10 if rank == 0 else torch.arange(2.0).reshape(1, 2)
    rows = uneven.clone().requires_grad_()
    pooled = distributed.pool_rows(rows)
    (pooled * torch.arange(1.0, 9.0).reshape(4, 2)).sum().backward()
    line = nn.Linear(2, 2)
    line.weight.grad = torch.full((2, 2), float(rank))  # the bias has none
    distributed.average_gradients(line.parameters())
    return {
        "uneven": distributed.gather_rows(uneven),
        "empty": distributed.gather_rows(torch.zeros(0 if rank == 0 else 2, 3)),
        "labels": distributed.gather_rows(torch.arange(2) + 2 * rank),
        "carries gradient": distributed.gather_rows(rows).requires_grad,
        "pooled": pooled.detach(),
        "pool gradient": rows.grad,
        "mean": distributed.mean_over_processes(torch.tensor([rank, 3.0])),
        "averaged": line.weight.grad,
        "untouched": line.bias.grad,
        "shared": distributed.share_from_main({"rank": rank}),
    }
