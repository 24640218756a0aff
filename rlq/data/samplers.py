"""Which pictures make up each batch of an epoch. Takes labels only, so it serves any kind of sample."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.records import Record, sorted_pids


class Draw(NamedTuple):
    """One sample of an epoch: what a data set is asked for. Its seeds are made from all three numbers."""

    epoch: int
    position: int  # in the epoch's order over all devices
    index: int  # type: ignore[assignment]  # of the picture; hides a tuple's own index(), which no draw is asked for


class IdentityBatches:
    """Batches of P identities x K pictures, for `DataLoader(batch_sampler=...)`; yields lists of `Draw`.

    Each identity's pictures are shuffled and cut into groups of `instances`; a rest is left out, and identities with
    fewer pictures give one group drawn with replacement. All groups are shuffled together and dealt to batches, so an
    identity may be in a batch twice; the last, partial batch is left out. A batch that would hold one identity only
    trades a group with the nearest batch that can spare one, because no triplet exists in it.
    With several devices (`world`), device `rank` takes every world-th batch of the one global order.
    """

    def __init__(
        self,
        pids: Sequence[int] | np.ndarray,
        batch: int,
        instances: int,
        seed: int,
        *,
        stream: str = "cap",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """pids [N]: an identity per picture; `stream` names the pass, so that two passes do not shuffle alike."""
        if batch % instances or batch < 2 * instances:
            raise DataError(f"a batch of {batch} is not two or more whole groups of {instances} pictures")
        self.batch, self.instances, self.seed, self.stream = batch, instances, seed, stream
        self.rank, self.world = rank, world
        pids = np.asarray(pids)
        self.members = [np.flatnonzero(pids == pid) for pid in np.unique(pids)]
        self.epoch, self.first_batch = 0, 0
        self._check(len(pids))

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """Choose the epoch's order; `first_batch` skips what this device has already done of it (resuming)."""
        self.epoch, self.first_batch = epoch, first_batch

    def __len__(self) -> int:
        """Batches that this device still has in the epoch."""
        return self.groups * self.instances // self.batch // self.world - self.first_batch

    @property
    def groups(self) -> int:
        """Groups of K pictures in an epoch, before the last partial batch is left out."""
        return sum(self._groups_of(own) for own in self.members)

    def __iter__(self) -> Iterator[list[Draw]]:
        order = self._order()  # [batches, pictures]
        for number in range(self.first_batch, len(order) // self.world):
            batch = number * self.world + self.rank
            start = batch * self.batch
            yield [Draw(self.epoch, start + at, int(index)) for at, index in enumerate(order[batch])]

    def _order(self) -> np.ndarray:
        """Picture indices of all batches of all devices: [batches, batch]."""
        rng = generator(self.seed, self.stream, "order", self.epoch)
        groups: list[np.ndarray] = []  # each [K]
        owners: list[int] = []
        for owner, own in enumerate(self.members):
            if len(own) < self.instances:
                cut = rng.choice(own, self.instances)[None]  # [1, K]
            else:
                whole = self._groups_of(own) * self.instances
                cut = rng.permutation(own)[:whole].reshape(-1, self.instances)  # [groups, K]
            groups.extend(cut)
            owners.extend([owner] * len(cut))
        order = mix_batches(rng.permutation(len(groups)), np.array(owners), self.batch // self.instances)
        return np.stack(groups)[order].reshape(-1, self.batch)

    def _groups_of(self, own: np.ndarray) -> int:
        return max(1, len(own) // self.instances)

    def _check(self, pictures: int) -> None:
        batches = self.groups * self.instances // self.batch
        if batches < self.world:
            raise DataError(
                f"{pictures} pictures of {len(self.members)} identities make {batches} batches of {self.batch} "
                f"(groups of {self.instances}) for {self.world} devices; lower data.batch or add pictures"
            )
        largest = max(self._groups_of(own) for own in self.members)
        if self.groups - largest < batches:
            raise DataError(
                f"one of the {len(self.members)} identities owns {largest} of {self.groups} groups of {self.instances} "
                f"pictures, so that some of the {batches} batches would hold nobody else; raise data.batch"
            )


def mix_batches(order: np.ndarray, owners: np.ndarray, size: int) -> np.ndarray:
    """Cut a shuffled order of groups into batches of `size`, trading groups where a batch has one owner only.

    order [G] of group numbers, owners [G] per group number -> [whole batches * size]. What does not fill a batch may
    be traded in. The caller makes sure that there are enough groups of others.
    """
    order = order.copy()
    used = len(order) // size * size
    for start in range(0, used, size):
        own = owners[order[start]]
        if (owners[order[start : start + size]] != own).any():
            continue
        there = _spare_group(order, owners, own, start, size)
        last = start + size - 1
        order[last], order[there] = order[there], order[last]
    return order[:used]


def keep_fraction(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """A fixed share of each identity's pictures, at least one, in the old order."""
    by_pid: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        by_pid.setdefault(record.pid, []).append(index)
    kept = set()
    for pid, own in by_pid.items():
        order = generator(seed, "fraction", pid).permutation(own)
        kept.update(order[: max(1, round(share * len(own)))].tolist())
    return [record for index, record in enumerate(records) if index in kept]


def keep_identities(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """All pictures of a fixed share of the identities, at least two of them, in the old order."""
    pids = sorted_pids({record.pid for record in records})
    kept = set(generator(seed, "sampling").permutation(pids)[: max(2, round(share * len(pids)))].tolist())
    return [record for record in records if record.pid in kept]


def _spare_group(order: np.ndarray, owners: np.ndarray, own: int, start: int, size: int) -> int:
    """The next place (cyclically) with another owner's group whose batch can take a group of `own` for it."""
    used = len(order) // size * size
    for there in (*range(start + size, len(order)), *range(start)):
        if owners[order[there]] == own:
            continue
        begin = there // size * size
        others = owners[order[begin : begin + size]]
        if there >= used or (np.delete(others, there - begin) != own).any():
            return there
    raise DataError("no batch can spare a group of another identity")
