"""The common part of commands that compute in one process."""

from collections.abc import Iterator
from contextlib import contextmanager

from rlq.core import distributed
from rlq.core.distributed import Place
from rlq.core.errors import DataError, RlqError
from rlq.data.records import ReidData


@contextmanager
def alone() -> Iterator[Place]:
    """Yield the place of a single process. Raises RlqError under torchrun."""
    place = distributed.start()
    try:
        if place.world > 1:
            raise RlqError(f"this command runs in one process, not in {place.world}; torchrun is for rlq train only")
        yield place
    finally:
        distributed.stop()


def rankable(data: ReidData) -> ReidData:
    """Return the same data set. Raises DataError unless it has queries and a gallery."""
    if not data.query or not data.gallery:
        raise DataError(
            f"{data.name} in {data.root} has {len(data.query)} queries and {len(data.gallery)} gallery pictures"
        )
    return data
