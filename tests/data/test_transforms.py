import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from rlq.data.transforms import (
    DEVIATION,
    ERASED_FILL,
    MEAN,
    NOWHERE,
    TestTransform,
    TrainTransform,
    normalise,
    resize,
)

SIZE = (48, 24)
FILL = np.float32(ERASED_FILL)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Smooth, and darker on the left than on the right."""
    small = np.random.default_rng(0).integers(0, 256, (10, 6, 3), np.uint8)
    return (
        np.asarray(Image.fromarray(small).resize((40, 90), Image.Resampling.BICUBIC)) // 2
        + np.arange(0, 120, 3, dtype=np.uint8)[None, :, None]
    )


def erased(image: np.ndarray) -> np.ndarray:
    """Where an image [3, H, W] has the constants of erasing."""
    return (image == FILL[:, None, None]).all(axis=0)


def plain(picture: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The test transform in plain words: Pillow's bilinear resize, then mean and deviation."""
    small = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))
    return ((small / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)


@pytest.mark.parametrize("size", [(12, 7), SIZE, (90, 40), (200, 100)])
def test_resizing_is_that_of_pillow(picture, size):
    theirs = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))
    ours = resize(picture, size)
    assert ours.shape == (*size, 3) and ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_a_test_picture_is_resized_and_normalised(picture):
    image = TestTransform(SIZE)(picture)
    assert image.shape == (3, *SIZE) and image.dtype == np.float32
    assert np.abs(image - plain(picture)).max() < 1.01 / 255 / min(DEVIATION)


def test_equal_seeds_give_equal_pictures_whatever_came_before(picture):
    transform = TrainTransform(SIZE)
    first = transform(picture, 2**62 + 1)
    for seed in range(5):
        transform(picture, seed)
    again = TrainTransform(SIZE)(picture, 2**62 + 1)
    assert (first.image == transform(picture, 2**62 + 1).image).all()
    assert (first.image == again.image).all() and first.flipped == again.flipped
    assert (
        len({transform(picture, seed).image.tobytes() for seed in range(20)}) > 12
    )  # an eighth stays plain, an eighth is only flipped


def test_each_step_happens_half_of_the_time_and_independently(picture):
    transform = TrainTransform(SIZE)
    expected, tolerance = plain(picture), 1.01 / 255 / min(DEVIATION)
    seen = []
    for seed in range(400):
        image, flipped = transform(picture, seed)
        kept = ~erased(image)
        straight = image[:, :, ::-1] if flipped else image
        kept = kept[:, ::-1] if flipped else kept
        cropped = np.abs(straight - expected)[:, kept].max() > tolerance
        seen.append((flipped, cropped, bool(erased(image).any())))
    shares = np.mean(seen, axis=0)
    assert ((shares > 0.42) & (shares < 0.58)).all(), shares
    assert len(set(seen)) == 8
    assert np.abs(np.corrcoef(np.array(seen, float).T) - np.eye(3)).max() < 0.2


def test_flipped_is_what_happened(picture):
    transform = TrainTransform(SIZE)
    for seed in range(30):
        image, flipped = transform(picture, seed)
        left, right = image[:, :, :4][:, ~erased(image)[:, :4]], image[:, :, -4:][:, ~erased(image)[:, -4:]]
        if left.size and right.size:
            assert (left.mean() > right.mean()) == flipped


def test_a_crop_is_a_window_of_the_enlarged_picture(picture):
    transform = TrainTransform(SIZE)
    enlarged = resize(resize(picture, SIZE), (54, 27))
    normal = ((enlarged / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)
    places = set()
    for seed in range(200):
        image, flipped = transform(picture, seed)
        if erased(image).any():
            continue
        image = image[:, :, ::-1] if flipped else image
        places |= {
            (top, left)
            for top in range(7)
            for left in range(4)
            if np.abs(image - normal[:, top : top + 48, left : left + 24]).max() < 1e-4
        }
    assert {top for top, _ in places} == set(range(7)) and {left for _, left in places} == set(range(4))


def test_erasing_fills_a_rectangle_of_2_to_40_percent_with_the_constants_after_normalising(picture):
    size = (96, 48)
    transform, shares, aspects = TrainTransform(size), [], []
    for seed in range(400):
        where = erased(transform(picture, seed).image)
        if where.any():
            rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
            tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
            assert where.sum() == tall * wide
            shares.append(where.mean())
            aspects.append(tall / wide)
    assert 0.015 < min(shares) < 0.05 and 0.33 < max(shares) < 0.41
    assert 0.17 < np.mean(shares) < 0.23
    assert 0.25 < min(aspects) < 0.6 and 2.5 < max(aspects) < 3.8


def test_results_lie_channels_last_in_memory(picture):
    for image in (TestTransform(SIZE)(picture), TrainTransform(SIZE)(picture, 0).image):
        assert image.transpose(1, 2, 0).flags["C_CONTIGUOUS"]


# What earlier versions, to whose draws published results belong, did with a picture of 48 x 24:
# seed -> top and left of the crop, flipped, what was erased
DRAWN = {
    0: (None, True, (25, 4, 19, 13)),
    1: (None, False, (20, 6, 20, 12)),
    3: (None, True, NOWHERE),
    4: ((3, 3), True, (1, 7, 25, 8)),
    5: (None, False, NOWHERE),
    7: ((5, 0), True, NOWHERE),
    9: ((1, 1), False, (2, 10, 27, 9)),
    2**62 + 1: ((0, 3), False, (8, 0, 29, 15)),
}


@pytest.mark.parametrize("seed", DRAWN)
def test_what_a_seed_draws_never_changes(picture, seed):
    place, flipped, erased_there = DRAWN[seed]
    wanted = resize(picture, SIZE)
    if place is not None:
        wanted = resize(wanted, (54, 27))[place[0] : place[0] + 48, place[1] : place[1] + 24]
    drawn = TrainTransform(SIZE).draw(picture, seed)
    assert np.array_equal(drawn.pixels, wanted[:, ::-1] if flipped else wanted)
    assert (drawn.flipped, drawn.erased) == (flipped, erased_there)


def test_resizing_is_the_same_to_the_last_bit_however_the_channels_lie():
    random = np.random.default_rng(0)
    for old, new in random.integers(1, [[60, 30], [40, 70]], (150, 2, 2)):
        picture = random.integers(0, 256, (*old, 3), np.uint8)
        planes = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]  # [1, 3, h, w], each channel by itself
        plain = F.interpolate(planes, tuple(new), mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(resize(picture, tuple(new)), plain), (old, new)
    assert resize(np.zeros((90, 40, 3), np.uint8), SIZE).flags["C_CONTIGUOUS"]  # slower and strided without


def test_normalising_a_batch_is_the_table_of_all_grey_levels_and_fills_each_rectangle():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    mean, scale = np.float32(255) * np.float32(MEAN), 1 / (np.float32(255) * np.float32(DEVIATION))
    table = (np.arange(256, dtype=np.float32)[:, None] - mean) * scale  # [256, 3]
    wanted = table.reshape(16, 16, 3).transpose(2, 0, 1)
    pixels = torch.from_numpy(np.stack([levels, levels[::-1]]))
    plain = normalise(pixels).numpy()
    assert plain.dtype == np.float32 and np.array_equal(plain, np.stack([wanted, wanted[:, ::-1]]))
    filled = normalise(pixels, [(2, 3, 4, 5), NOWHERE])
    assert np.array_equal(erased(filled[0].numpy()), erased(plain[0]) | _box(2, 3, 4, 5))
    assert np.array_equal(filled[0].numpy()[:, ~_box(2, 3, 4, 5)], plain[0][:, ~_box(2, 3, 4, 5)])
    assert np.array_equal(filled[1].numpy(), plain[1])
    assert filled.is_contiguous(memory_format=torch.channels_last)


def _box(top: int, left: int, height: int, width: int) -> np.ndarray:
    where = np.zeros((16, 16), bool)
    where[top : top + height, left : left + width] = True
    return where


def test_a_batch_of_another_length_than_its_rectangles_is_refused():
    with pytest.raises(ValueError, match="zip"):
        normalise(torch.zeros(2, 4, 4, 3, dtype=torch.uint8), [NOWHERE])


def test_what_inference_normalised_first_training_can_use():
    with torch.inference_mode():
        normalise(torch.zeros(1, 5, 37, 3, dtype=torch.uint8), [(0, 0, 2, 2)])
    weight = torch.ones(1, requires_grad=True)
    (normalise(torch.zeros(1, 5, 37, 3, dtype=torch.uint8), [(0, 0, 2, 2)]) * weight).sum().backward()
    assert weight.grad is not None
