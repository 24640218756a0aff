"""Apply one function to many files, in several processes if that is faster."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
CHUNK = 256  # most items that a process receives at a time


def parallel_map(function: Callable[[Item], Result], items: Sequence[Item], processes: int = 1) -> Iterator[Result]:
    """Yield function(item) of each item in order; `function` must be importable by name in other processes."""
    if processes <= 1 or len(items) < 2:
        yield from map(function, items)
        return
    chunk = max(1, min(CHUNK, len(items) // (4 * processes)))
    try:
        pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    except OSError:  # no locks between processes, such as when shared memory is full: use this process only
        yield from map(function, items)
        return
    with pool:
        yield from pool.map(function, items, chunksize=chunk)
