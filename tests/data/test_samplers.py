import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.records import Record
from rlq.data.samplers import Draw, IdentityBatches, keep_fraction, keep_identities, mix_batches

UNEVEN = np.repeat(np.arange(7), [9, 4, 2, 17, 5, 12, 8])  # groups of 4: 2 1 1 4 1 3 2 = 14


def pictures(batches) -> list[list[int]]:
    return [[draw.index for draw in batch] for batch in batches]


def test_batches_are_groups_of_k_pictures_of_one_person():
    sampler = IdentityBatches(UNEVEN, 8, 4, seed=0)
    assert sampler.groups == 14 and len(sampler) == 7
    batches = pictures(sampler)
    assert [len(batch) for batch in batches] == [8] * 7
    for batch in batches:
        for start in (0, 4):
            assert len({UNEVEN[index] for index in batch[start : start + 4]}) == 1


def test_pictures_come_once_but_for_people_with_too_few():
    counts = Counter(index for batch in pictures(IdentityBatches(UNEVEN, 8, 4, seed=0)) for index in batch)
    few = set(np.flatnonzero(UNEVEN == 2))
    assert sum(counts[index] for index in few) == 4
    assert all(count == 1 for index, count in counts.items() if index not in few)


def test_a_rest_changes_from_epoch_to_epoch():
    sampler = IdentityBatches(UNEVEN, 8, 4, seed=0)
    left_out = []
    for epoch in range(5):
        sampler.set_epoch(epoch)
        left_out.append(frozenset(range(len(UNEVEN))) - {i for batch in pictures(sampler) for i in batch})
    assert len(set(left_out)) > 1


def test_seed_epoch_and_stream_make_the_order():
    def order(seed, epoch, stream):
        sampler = IdentityBatches(UNEVEN, 8, 4, seed, stream=stream)
        sampler.set_epoch(epoch)
        return pictures(sampler)

    first = order(1, 2, "cap")
    assert first == order(1, 2, "cap")
    assert first not in (order(2, 2, "cap"), order(1, 3, "cap"), order(1, 2, "tad"))


def test_draws_tell_epoch_position_and_picture():
    sampler = IdentityBatches(UNEVEN, 8, 4, seed=0)
    sampler.set_epoch(3)
    draws = [draw for batch in sampler for draw in batch]
    assert all(isinstance(draw, Draw) and draw.epoch == 3 for draw in draws)
    assert [draw.position for draw in draws] == list(range(56))


def test_devices_share_the_batches_of_one_global_order():
    whole = list(IdentityBatches(UNEVEN, 8, 4, seed=5))
    parts = [list(IdentityBatches(UNEVEN, 8, 4, seed=5, rank=rank, world=3)) for rank in range(3)]
    assert [len(part) for part in parts] == [2, 2, 2]
    assert [batch for pair in zip(*parts) for batch in pair] == whole[:6]


def test_an_epoch_goes_on_where_it_stopped():
    sampler = IdentityBatches(UNEVEN, 8, 4, seed=5)
    sampler.set_epoch(2)
    whole = list(sampler)
    sampler.set_epoch(2, first_batch=4)
    assert list(sampler) == whole[4:] and len(sampler) == 3


def test_no_batch_has_one_person_only_where_this_can_be_helped():
    pids = np.repeat(np.arange(5), [28, 4, 4, 8, 12])  # 7 of 14 groups are of one person: exactly as many as batches
    sampler = IdentityBatches(pids, 8, 4, seed=0)
    for epoch in range(60):
        sampler.set_epoch(epoch)
        batches = pictures(sampler)
        assert len(batches) == 7
        assert all(len({pids[index] for index in batch}) > 1 for batch in batches)
        counts = Counter(index for batch in batches for index in batch)
        assert set(counts.values()) == {1}


def test_mixing_changes_nothing_but_batches_of_one_owner():
    owners = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    good = np.array([0, 3, 1, 4, 2, 5, 6, 7])
    assert mix_batches(good, owners, 2).tolist() == good.tolist()
    assert mix_batches(np.array([0, 1, 3, 5, 2, 4, 6, 7]), owners, 2).tolist() == [0, 3, 1, 5, 2, 4, 6, 7]
    mixed = mix_batches(np.array([3, 5, 6, 7, 2, 4, 0, 1]), owners, 2)
    assert mixed[-2] == 0 and owners[mixed[-1]] != 0
    assert sorted(mixed) == list(range(8))


def test_what_fills_no_batch_may_be_traded_in():
    owners = np.array([0, 0, 0, 0, 1, 2])
    traded = mix_batches(np.array([2, 4, 0, 1, 5]), owners, 2)
    assert traded.tolist() == [2, 4, 0, 5]


@pytest.mark.parametrize(
    ("sizes", "batch", "world", "named", "numbers"),
    [
        ([4, 4], 12, 1, "data.batch", {8, 2, 0, 12, 4, 1}),
        ([8, 8], 8, 3, "data.batch", {2, 8, 3}),
        ([40, 4], 8, 1, "data.batch", {2, 10, 11}),
        ([8, 8], 10, 1, "batch", {10, 4}),
        ([8, 8], 4, 1, "batch", {4}),
    ],
)
def test_too_few_pictures_or_people_are_explained(sizes, batch, world, named, numbers):
    with pytest.raises(DataError) as raised:
        IdentityBatches(np.repeat(np.arange(len(sizes)), sizes), batch, 4, seed=0, world=world)
    assert_names(raised.value, named)
    assert numbers <= {int(number) for number in re.findall(r"\d+", str(raised.value))}


def test_an_epoch_has_as_many_pictures_as_the_formula_says():
    """Per person K * floor(max(n, K) / K), over sizes spread as in the real sets."""
    sizes = np.random.default_rng(0).integers(1, 96, 300)
    for k in (4, 8):
        expected = sum(k * (max(n, k) // k) for n in sizes)
        sampler = IdentityBatches(np.repeat(np.arange(300), sizes), 5 * k, k, seed=0)
        assert sampler.groups * k == expected
        assert len(sampler) == expected // (5 * k)


@pytest.fixture
def records() -> list[Record]:
    sizes = {"1": 25, "2": 50, "3": 3, "10": 100}
    return [
        Record(Path(f"/{pid}/{n}.jpg"), pid, "1", f"{pid}_{n}", "train", f"{pid}_{n}")
        for pid, size in sizes.items()
        for n in range(size)
    ]


def test_a_fraction_keeps_a_share_of_each_persons_pictures(records):
    kept = keep_fraction(records, 0.08, seed=1)
    assert Counter(r.pid for r in kept) == {"1": 2, "2": 4, "3": 1, "10": 8}
    assert kept == [r for r in records if r in set(kept)]
    assert kept == keep_fraction(records, 0.08, seed=1) != keep_fraction(records, 0.08, seed=2)
    assert keep_fraction(records, 1.0, seed=1) == records


def test_a_persons_share_does_not_depend_on_the_others(records):
    alone = [r for r in records if r.pid == "10"]
    assert [r for r in keep_fraction(records, 0.2, 1) if r.pid == "10"] == keep_fraction(alone, 0.2, 1)


def test_sampling_keeps_whole_people_and_at_least_two(records):
    kept = keep_identities(records, 0.5, seed=0)
    assert len({r.pid for r in kept}) == 2
    assert kept == [r for r in records if r.pid in {k.pid for k in kept}]
    assert len({r.pid for r in keep_identities(records, 0.01, seed=0)}) == 2
    assert keep_identities(records, 1.0, seed=0) == records
    shuffled = [replace(r) for r in reversed(records)]
    assert {r.pid for r in keep_identities(shuffled, 0.5, seed=0)} == {r.pid for r in kept}
