import numpy as np
import pytest
import torch

from rlq.core.seeding import generator, seed_from
from rlq.data.batches import Batch, PairBatch, collate_pairs, collate_plain, collate_target
from rlq.data.clothes import ClothesClasses, Recolouring, mask_path
from rlq.data.datasets import Classes, ExternalPairs, PlainPictures, TargetPictures, in_order, loader
from rlq.data.degradation import DegradationRanges, Degrading, degrade, draw_degradation
from rlq.data.pictures import read_picture
from rlq.data.readers.celeb_reid import read_celeb_reid
from rlq.data.readers.prcc import read_prcc
from rlq.data.records import class_indices
from rlq.data.samplers import Draw, IdentityBatches
from rlq.data.transforms import TestTransform, TrainTransform

SIZE = (24, 12)


@pytest.fixture(scope="module")
def target(prcc_folder, tmp_path_factory, write_mask):
    """Make the data set with or without recoloured copies; poses are 1, mirrored 2."""
    data = read_prcc(prcc_folder)
    labels = class_indices(data.train)
    masks = tmp_path_factory.mktemp("masks")
    garment = np.repeat([5, 9], 8)[:, None].repeat(8, axis=1)
    for record in data.train:
        write_mask(mask_path(masks, record.path, data.root), garment)
    classes = ClothesClasses(labels.owner, len(labels.pid_names))
    count = len(data.train)

    def make(copies: bool = True, seed: int = 0, **kwargs) -> TargetPictures:
        plain = {"pose": Classes(np.ones(count, int)), "gender": Classes(labels.pids % 2)}
        kwargs = {"classes": plain, **kwargs}
        recolouring = Recolouring(classes, masks, data.root) if copies else None
        return TargetPictures(data.train, labels, TrainTransform(SIZE), seed, recolouring=recolouring, **kwargs)

    return make


def test_a_picture_and_its_recoloured_copy_are_two_rows_with_the_same_labels(target):
    pictures = target()
    rows = rows_of(pictures, Draw(0, 0, 5))
    labels = pictures.labels
    assert rows.images.shape == (2, 3, *SIZE) and rows.images.dtype == torch.float32
    assert rows.pids.tolist() == [labels.pids[5]] * 2 and rows.labels["gender"].tolist() == [labels.pids[5] % 2] * 2
    assert rows.clothes[0] == labels.clothes[5]
    assert pictures.recolouring.classes.owner[rows.clothes[1]] == labels.pids[5]
    assert rows.clothes[1] >= len(labels.owner)
    assert rows.paths == (str(pictures.records[5].path),) * 2
    assert not torch.equal(rows.images[0], rows.images[1])


def test_without_copies_a_picture_is_one_row(target):
    rows = rows_of(target(copies=False), Draw(0, 0, 3))
    assert rows.rows == 1 and rows.images.shape[0] == 1 and len(rows.clothes) == 1


def test_a_spoilt_copy_is_the_picture_under_one_artefact_with_its_labels_and_leaves_the_other_rows_as_they_are(target):
    ranges, draw = DegradationRanges(gaussian_sigma=(2.0, 3.0), mix={"gaussian": 1.0}), Draw(1, 3, 5)
    for copies in (True, False):
        usual, spoilt = target(copies), target(copies, ranges=ranges)
        before, rows = rows_of(usual, draw), rows_of(spoilt, draw)
        assert torch.equal(rows.images[:-1], before.images) and rows.rows == before.rows + 1 == len(rows.paths)
        artefact = draw_degradation(generator(0, "cap", "artefact", *draw), ranges)
        picture = degrade(read_picture(usual.records[5].path), artefact)
        wanted = usual.transform(picture, seed_from(0, "cap", "transform", *draw, rows.rows - 1)).image
        assert torch.equal(rows.images[-1], torch.from_numpy(wanted))
        for labels in (rows.pids, rows.clothes, *rows.labels.values()):
            assert labels[-1] == labels[0]
        assert not torch.equal(rows.images[-1], rows_of(spoilt, Draw(2, 3, 5)).images[-1])


def test_copies_that_their_pixelation_cannot_spoil_are_counted_over_a_batch(target):
    shorter = min(read_picture(target().records[0].path).shape[:2])
    for size, unchanged in ((shorter, 3), (shorter - 1, 0)):
        pictures = target(ranges=DegradationRanges(pixelation=(size, size), mix={"pixelation": 1.0}))
        batch = collate_target([pictures[Draw(0, at, at)] for at in range(3)])
        assert (batch.rows, batch.unchanged) == (9, unchanged)
    assert collate_target([target()[Draw(0, at, at)] for at in range(3)]).unchanged == 0


def test_labels_that_are_not_in_use_are_not_there(target):
    assert rows_of(target(classes=None), Draw(0, 0, 3)).labels == {}


def test_labels_of_another_length_are_refused(target):
    with pytest.raises(ValueError, match=r"pose.*\[3\].*\[34\]"):
        target(classes={"pose": Classes(np.ones(3))})


def test_a_draw_alone_decides_what_is_drawn(target):
    pictures = target()
    first = rows_of(pictures, Draw(2, 7, 4))
    rows_of(pictures, Draw(2, 8, 9))
    assert torch.equal(first.images, rows_of(target(), Draw(2, 7, 4)).images)
    draws = [(target(), Draw(3, 7, 4)), (target(), Draw(2, 8, 4)), (target(seed=1), Draw(2, 7, 4))]
    others = [rows_of(*draw) for draw in draws]
    assert all(not torch.equal(first.images, other.images) for other in others)
    assert len({tuple(row.clothes for row in target()[Draw(0, n, 4)]) for n in range(12)}) > 6


def test_mirrored_rows_take_the_mirrored_pose_if_there_is_one(target):
    count = 34
    pictures = target(classes={"pose": Classes(np.ones(count, int), np.full(count, 2))})
    poses = collate_target([pictures[Draw(0, n, n)] for n in range(count)]).labels["pose"]
    assert set(poses.tolist()) == {1, 2} and 0.3 < (poses == 2).float().mean() < 0.7
    flips = [pictures.transform(read_picture(r.path), seed).flipped for seed, r in enumerate(pictures.records)]
    assert any(flips) and not all(flips)
    assert {row.labels["pose"] for n in range(count) for row in target()[Draw(0, n, n)]} == {1}


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_workers(target, workers):
    pictures = target()
    batches = IdentityBatches(pictures.labels.pids, 8, 4, seed=0)
    source = loader(pictures, batches, collate_target, workers=workers)
    for epoch in range(2):
        batches.set_epoch(epoch)
        got = list(source)
        wanted = [collate_target([pictures[draw] for draw in draws]).finished() for draws in batches]
        assert len(got) == len(wanted) == len(source)
        for one, other in zip(got, wanted):
            assert one.rows == 16 == len(one.paths)
            assert torch.equal(one.images, other.images) and torch.equal(one.clothes, other.clothes)
            assert one.images.is_contiguous(memory_format=torch.channels_last)


def test_batches_move_to_a_device_with_all_their_tensors(target):
    batch = rows_of(target(), Draw(0, 0, 0)).to("meta")
    assert {t.device.type for t in (batch.images, batch.pids, batch.clothes, *batch.labels.values())} == {"meta"}
    assert isinstance(batch.paths, tuple) and batch.rows == 2


def rows_of(pictures: TargetPictures, draw: Draw) -> Batch:
    return collate_target([pictures[draw]]).finished()


def pair_of(pairs: ExternalPairs, draw: Draw) -> PairBatch:
    return collate_pairs([pairs[draw]]).finished()


@pytest.fixture(scope="module")
def external(celeb_folder):
    return read_celeb_reid(celeb_folder).train


def test_pairs_hold_the_same_picture_good_and_bad_each_transformed_on_its_own(external):
    ranges = DegradationRanges(pixelation=(2, 2), mix={"pixelation": 1.0})
    pairs = ExternalPairs(external, TrainTransform(SIZE), ranges, seed=0)
    pair, same, other = (pair_of(pairs, draw) for draw in (Draw(0, 0, 3), Draw(0, 0, 3), Draw(0, 1, 3)))
    assert pair.hq.shape == pair.lq.shape == (1, 3, *SIZE) and pair.unchanged == 0
    assert pair.paths[0].endswith(external[3].path.name)
    assert torch.equal(pair.lq, same.lq) and not torch.equal(pair.lq, other.lq)
    batch = collate_pairs([pairs[draw] for draw in _draws(20)]).finished()
    detail = [[image.diff(dim=1).abs().mean() for image in pair] for pair in zip(batch.hq, batch.lq, strict=True)]
    assert all(hq > 2 * lq for hq, lq in detail)


def test_both_sides_of_a_pair_are_cropped_flipped_and_erased_independently(external):
    ranges = DegradationRanges(pixelation=(63, 63), mix={"pixelation": 1.0})  # leaves pictures of 16 x 8 as they are
    pairs = ExternalPairs(external, TrainTransform(SIZE), ranges, seed=0)
    items = [pairs[draw] for draw in _draws(30)]
    assert not any(item.changed for item in items)
    every = collate_pairs(items).finished()
    assert sum(torch.equal(hq, lq) for hq, lq in zip(every.hq, every.lq, strict=True)) < 8
    for draw, hq, lq in zip(_draws(30), every.hq, every.lq, strict=True):  # a batch is its pictures, one by one
        alone = pair_of(pairs, draw)
        assert torch.equal(alone.hq[0], hq) and torch.equal(alone.lq[0], lq)
    batch = collate_pairs(items[:6]).finished()
    assert batch.unchanged == 6 and batch.rows == 6 and len(batch.paths) == 6
    assert batch.hq.shape == batch.lq.shape == (6, 3, *SIZE)
    assert batch.to("meta").lq.device.type == "meta" and batch.to("meta").unchanged == 6


def _draws(count: int) -> list[Draw]:
    return [Draw(0, n, n) for n in range(count)]


def test_plain_pictures_come_in_order_and_unchanged(external):
    paths = [record.path for record in external]
    pictures = PlainPictures(paths, TestTransform(SIZE))
    batches = list(loader(pictures, in_order(len(pictures), 7), collate_plain))
    assert [batch.rows for batch in batches] == [7, 7, 7, 7, 2]
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(30))
    assert np.array_equal(batches[1].images[2].numpy(), TestTransform(SIZE)(read_picture(paths[9])))
    assert batches[0].to("meta").images.device.type == "meta"


def test_test_pictures_can_be_made_bad_and_always_in_the_same_way(external):
    paths = [record.path for record in external]
    motion = DegradationRanges(mix={"motion": 1.0})
    first, again, other = (
        PlainPictures(paths, TestTransform(SIZE), degrading=Degrading(motion, seed)) for seed in (0, 0, 1)
    )
    clean = PlainPictures(paths, TestTransform(SIZE))
    assert np.array_equal(first[4][0], again[4][0])
    assert not np.array_equal(first[4][0], clean[4][0]) and not np.array_equal(first[4][0], other[4][0])


def test_in_order_leaves_nothing_out():
    assert [list(batch) for batch in in_order(5, 2)] == [[0, 1], [2, 3], [4]]
    assert in_order(0, 2) == []
