"""Commands that compute in one process, on data that features can rank."""

from collections.abc import Iterator
from contextlib import contextmanager

from rlq.core import distributed
from rlq.core.distributed import Place
from rlq.core.errors import DataError, RlqError
from rlq.data.records import ReidData


@contextmanager
def alone() -> Iterator[Place]:
    """A place of its own, for commands that several processes would not speed up."""
    place = distributed.start()
    try:
        if place.world > 1:
            raise RlqError("this command runs in one process; torchrun is for rlq train")
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
