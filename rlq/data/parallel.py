"""The same work on many files, in several processes where that pays."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
CHUNK = 256  # items that a process takes at most at once


def parallel_map(function: Callable[[Item], Result], items: Sequence[Item], processes: int = 1) -> Iterator[Result]:
    """function(item) of each, in their order; a function of a module, so that other processes find it by name."""
    if processes <= 1 or len(items) < 2:
        yield from map(function, items)
        return
    chunk = max(1, min(CHUNK, len(items) // (4 * processes)))
    try:
        pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    except OSError:  # no locks between processes, as where shared memory is full: alone it takes longer
        yield from map(function, items)
        return
    with pool:
        yield from pool.map(function, items, chunksize=chunk)
