"""One process or several (torchrun): rank, device, and the exchanges between processes."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rlq.core.errors import SettingsError


@dataclass(frozen=True)
class Place:
    """The device and rank of this process, and the number of processes."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which alone tracks, prints and writes."""
        return self.rank == 0


def start(device: str = "auto") -> Place:
    """Choose the device ("auto", "cpu" or "cuda") and join the other processes that torchrun started, if any."""
    on_gpu = usable_device(device) == "cuda"
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if on_gpu and local >= torch.cuda.device_count():
        raise SettingsError(f"process {local} has no GPU for itself: torch sees {torch.cuda.device_count()}")
    chosen = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(chosen)
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=timedelta(hours=12))
    return Place(chosen, rank, world)


def usable_device(device: str = "auto") -> str:
    """Return cpu or cuda for "auto", "cpu" or "cuda". Raise SettingsError for cuda if torch sees no GPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("compute.device = cuda, but torch sees no GPU; use auto or cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def is_joined() -> bool:
    """Return whether this process has joined other processes."""
    return dist.is_initialized()


def stop() -> None:
    """Leave the group of processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def wrap(network: nn.Module, place: Place, *, partial: bool = True) -> nn.Module:
    """Return the network, with several processes as DistributedDataParallel.

    `partial`: some passes leave parameters without gradients, as TAD does with the heads of attributes.
    """
    if place.world == 1:
        return network
    ids = [place.device.index] if place.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=ids, find_unused_parameters=partial)


def gather_rows(rows: Tensor, *, equal: bool = False) -> Tensor:
    """Return all processes' rows by rank, without gradients: [n, ...] each, n may differ -> [sum of n, ...].

    `equal`: n is the same in all processes, which saves an exchange of counts.
    """
    if not dist.is_initialized():
        return rows.detach()
    if equal:
        local = rows.detach().contiguous()
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local)
        return torch.cat(parts)
    counts = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    longest = int(max(counts))
    padded = rows.new_zeros((longest, *rows.shape[1:]))
    padded[: len(rows)] = rows.detach()
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)  # equal shapes are required, hence the padding
    return torch.cat([part[: int(count)] for part, count in zip(parts, counts, strict=True)])


def pool_rows(rows: Tensor, *, equal: bool = False) -> Tensor:
    """Return the same as gather_rows, but the rows of this process keep their gradients."""
    if not dist.is_initialized():
        return rows
    rank = dist.get_rank()
    if equal:
        start = rank * len(rows)
    else:
        start = sum(gather_rows(torch.tensor([len(rows)], device=rows.device)).tolist()[:rank])
    pooled = gather_rows(rows, equal=equal)
    return torch.cat([pooled[:start], rows, pooled[start + len(rows) :]])


def mean_over_processes(values: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes."""
    if not dist.is_initialized():
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values / dist.get_world_size()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average gradients over the processes, for modules outside DistributedDataParallel."""
    if not dist.is_initialized():
        return
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()


def share_buffers(network: nn.Module) -> None:
    """Copy the main process's buffers to all processes, whose batch norm statistics differ."""
    if dist.is_initialized():
        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


def share_from_main(value: object) -> Any:
    """Return the main process's value in every process."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def wait_for_all() -> None:
    """Wait until all processes have reached this point."""
    if dist.is_initialized():
        dist.barrier()


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the hardware computes in bfloat16 natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def type_name(precision: str, device: torch.device) -> str:
    """Return the name of compute_type's result, such as bfloat16."""
    return str(compute_type(precision, device)).removeprefix("torch.")


def compute_type(precision: str, device: torch.device) -> torch.dtype:
    """Return the type of the forward pass for "auto", "float32" or "bfloat16"."""
    if precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
