"""One process or several (torchrun): who we are, what we compute on, and the few exchanges between processes."""

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
    """This process among its peers."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Only the main process tracks, prints and writes."""
        return self.rank == 0


def start(device: str = "auto") -> Place:
    """Find the device ("auto", "cpu" or "cuda") and join the peers that torchrun announces, if any."""
    on_gpu = usable_device(device) == "cuda"
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if on_gpu and local >= torch.cuda.device_count():
        raise SettingsError(f"process {local} has no GPU of its own: torch sees {torch.cuda.device_count()}")
    chosen = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(chosen)
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=timedelta(hours=12))
    return Place(chosen, rank, world)


def usable_device(wanted: str = "auto") -> str:
    """cpu or cuda, as "auto", "cpu" or "cuda" says. Raises SettingsError for a GPU that torch does not see."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingsError("compute.device = cuda, but torch sees no GPU; use auto or cpu")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def is_joined() -> bool:
    """Whether this process already works with peers."""
    return dist.is_initialized()


def stop() -> None:
    """Leave the peers."""
    if dist.is_initialized():
        dist.destroy_process_group()


def wrap(network: nn.Module, place: Place, *, partial: bool = True) -> nn.Module:
    """The network as DistributedDataParallel among several processes, as it is alone.

    `partial` says that some passes leave parameters without gradient, such as the attributes' heads in TAD.
    """
    if place.world == 1:
        return network
    ids = [place.device.index] if place.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=ids, find_unused_parameters=partial)


def gather_rows(rows: Tensor, *, equal: bool = False) -> Tensor:
    """All processes' rows in the order of their ranks: [n, ...] each, n may differ -> [sum of n, ...]; no gradient.

    With `equal` the caller promises that n is the same everywhere, and nobody waits for a count.
    """
    if not dist.is_initialized():
        return rows.detach()
    if equal:
        own = rows.detach().contiguous()
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own)
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
    """As gather_rows, but this process's own rows keep their gradient."""
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
    """The mean of a tensor over all processes."""
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
    """Give every process the main one's buffers: each has the batch norm statistics of its own last batch."""
    if dist.is_initialized():
        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


def share_from_main(value: object) -> Any:
    """The main process's value, on every process; what that is, only the caller knows."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def wait_for_all() -> None:
    """Go on once every process is here."""
    if dist.is_initialized():
        dist.barrier()


def has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware computes in bfloat16 at speed."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def type_name(precision: str, device: torch.device) -> str:
    """Return the name of compute_type's result, such as bfloat16."""
    return str(compute_type(precision, device)).removeprefix("torch.")


def compute_type(precision: str, device: torch.device) -> torch.dtype:
    """The type of the forward pass for "auto", "float32" or "bfloat16"."""
    if precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
