"""Choose the samples of each batch of an epoch. Only labels are used, so any kind of sample can be drawn."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.records import Record, sorted_pids


class Draw(NamedTuple):
    """One sample of an epoch, the key that data sets take. The sample's seeds are made from all three numbers."""

    epoch: int
    position: int  # in the epoch's order over all devices
    index: int  # type: ignore[assignment]  # of the picture; hides tuple.index(), which is never used on a draw


class IdentityBatches:
    """Batches of P identities x K pictures, for `DataLoader(batch_sampler=...)`; yields lists of `Draw`.

    Each identity's pictures are shuffled and cut into groups of `instances`; a remainder is left out, and identities
    with fewer pictures give one group drawn with replacement. All groups are shuffled together and distributed over
    batches, so an identity can be in a batch twice; the last, partial batch is left out. A batch of a single identity
    holds no triplet, so it exchanges a group with the nearest batch that can spare one.
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
        """pids [N]: an identity per picture; `stream` names the pass, so that two passes are shuffled differently."""
        if batch % instances or batch < 2 * instances:
            raise DataError(f"a batch of {batch} is not two or more whole groups of {instances} pictures")
        self.batch, self.instances, self.seed, self.stream = batch, instances, seed, stream
        self.rank, self.world = rank, world
        pids = np.asarray(pids)
        self.members = [np.flatnonzero(pids == pid) for pid in np.unique(pids)]
        self.epoch, self.first_batch = 0, 0
        self._check(len(pids))

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """Select the epoch's order; `first_batch` skips batches that this device has processed before (resuming)."""
        self.epoch, self.first_batch = epoch, first_batch

    def __len__(self) -> int:
        """Return how many batches of the epoch are left for this device."""
        return self.groups * self.instances // self.batch // self.world - self.first_batch

    @property
    def groups(self) -> int:
        """Return the number of groups of K pictures in an epoch, including those of the last, partial batch."""
        return sum(self._groups_of(pictures) for pictures in self.members)

    def __iter__(self) -> Iterator[list[Draw]]:
        order = self._order()  # [batches, pictures]
        for number in range(self.first_batch, len(order) // self.world):
            batch = number * self.world + self.rank
            start = batch * self.batch
            yield [Draw(self.epoch, start + at, int(index)) for at, index in enumerate(order[batch])]

    def _order(self) -> np.ndarray:
        """Return the picture indices of all batches of all devices: [batches, batch]."""
        rng = generator(self.seed, self.stream, "order", self.epoch)
        groups: list[np.ndarray] = []  # each [K]
        owners: list[int] = []
        for owner, pictures in enumerate(self.members):
            if len(pictures) < self.instances:
                cut = rng.choice(pictures, self.instances)[None]  # [1, K]
            else:
                whole = self._groups_of(pictures) * self.instances
                cut = rng.permutation(pictures)[:whole].reshape(-1, self.instances)  # [groups, K]
            groups.extend(cut)
            owners.extend([owner] * len(cut))
        order = mix_batches(rng.permutation(len(groups)), np.array(owners), self.batch // self.instances)
        return np.stack(groups)[order].reshape(-1, self.batch)

    def _groups_of(self, pictures: np.ndarray) -> int:
        return max(1, len(pictures) // self.instances)

    def _check(self, pictures: int) -> None:
        batches = self.groups * self.instances // self.batch
        if batches < self.world:
            raise DataError(
                f"{pictures} pictures of {len(self.members)} identities make {batches} batches of {self.batch} "
                f"(groups of {self.instances}) for {self.world} devices; lower data.batch or add pictures"
            )
        largest = max(self._groups_of(members) for members in self.members)
        if self.groups - largest < batches:
            raise DataError(
                f"one of the {len(self.members)} identities has {largest} of {self.groups} groups of {self.instances} "
                f"pictures, so that some of the {batches} batches would hold no other identity; raise data.batch"
            )


def mix_batches(order: np.ndarray, owners: np.ndarray, size: int) -> np.ndarray:
    """Cut a shuffled order of groups into batches of `size`, exchanging groups where a batch has a single owner.

    order [G] of group numbers, owners [G] per group number -> [whole batches * size]. Groups of the last, partial batch
    can be exchanged too. The caller makes sure that there are enough groups of other owners.
    """
    order = order.copy()
    used = len(order) // size * size
    for start in range(0, used, size):
        owner = owners[order[start]]
        if (owners[order[start : start + size]] != owner).any():
            continue
        spare = _spare_group(order, owners, owner, start, size)
        last = start + size - 1
        order[last], order[spare] = order[spare], order[last]
    return order[:used]


def keep_fraction(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """Return a share of each identity's pictures, at least one, in the old order; the seed decides which."""
    by_pid: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        by_pid.setdefault(record.pid, []).append(index)
    chosen = set()
    for pid, indices in by_pid.items():
        order = generator(seed, "fraction", pid).permutation(indices)
        chosen.update(order[: max(1, round(share * len(indices)))].tolist())
    return [record for index, record in enumerate(records) if index in chosen]


def keep_identities(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """Return all pictures of a share of the identities, at least two, in the old order; the seed decides which."""
    pids = sorted_pids({record.pid for record in records})
    chosen = set(generator(seed, "sampling").permutation(pids)[: max(2, round(share * len(pids)))].tolist())
    return [record for record in records if record.pid in chosen]


def _spare_group(order: np.ndarray, owners: np.ndarray, owner: int, start: int, size: int) -> int:
    """Return the next place (cyclically) with a group of another owner whose batch can take one of `owner` instead."""
    used = len(order) // size * size
    for place in (*range(start + size, len(order)), *range(start)):
        if owners[order[place]] == owner:
            continue
        begin = place // size * size
        others = owners[order[begin : begin + size]]
        if place >= used or (np.delete(others, place - begin) != owner).any():
            return place
    raise DataError("no batch can spare a group of another identity")
