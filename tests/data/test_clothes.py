from pathlib import Path

import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.clothes import (
    COLOURS,
    ClothesClasses,
    Recolouring,
    head_megabytes,
    mask_path,
    mask_problems,
    missing_masks,
    palette,
    read_mask,
    read_unusable,
    recolour,
    usable,
)
from rlq.data.lip import LOWER, UPPER, WORN
from rlq.data.records import Record

UPPER_ROWS, LOWER_ROWS, HAT_ROWS, FACE_ROWS = slice(4, 8), slice(8, 12), slice(0, 2), slice(2, 4)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 10, 3), np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    """From the top: hat, face, coat, trousers, background."""
    labels = np.zeros((16, 10), np.uint8)
    labels[HAT_ROWS], labels[FACE_ROWS], labels[UPPER_ROWS], labels[LOWER_ROWS] = 1, 13, 7, 9
    return labels


def painted(region: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.rint(0.3 * region.astype(float) + 0.7 * colour.astype(float))


def test_upper_and_lower_clothes_get_their_colours_and_the_rest_stays(picture, mask):
    result = recolour(picture, mask, np.random.default_rng(1))
    upper, lower = divmod(result.pair, 9)
    colours = palette(9)
    assert np.abs(result.picture[UPPER_ROWS] - painted(picture[UPPER_ROWS], colours[upper])).max() <= 1
    assert np.abs(result.picture[LOWER_ROWS] - painted(picture[LOWER_ROWS], colours[lower])).max() <= 1
    for rows in (HAT_ROWS, FACE_ROWS, slice(12, 16)):
        assert (result.picture[rows] == picture[rows]).all()


def test_the_picture_that_is_given_does_not_change(picture, mask):
    before = picture.copy()
    recolour(picture, mask, np.random.default_rng(1))
    assert (picture == before).all()


@pytest.mark.parametrize(("colours", "pairs"), [(9, 81), (6, 36)])
def test_all_pairs_of_colours_are_drawn(picture, mask, colours, pairs):
    rng = np.random.default_rng(0)
    assert {recolour(picture, mask, rng, colours=colours).pair for _ in range(900)} == set(range(pairs))


@pytest.mark.parametrize("case", ["listed upper", "listed lower", "no upper", "small lower"])
def test_an_unusable_mask_means_one_colour_for_everything_worn(picture, mask, case):
    if case == "no upper":
        mask[UPPER_ROWS] = 8
    if case == "small lower":
        mask[LOWER_ROWS] = 5
        mask[11, 9] = 9  # 1 of 160 pixels
    result = recolour(
        picture,
        mask,
        np.random.default_rng(4),
        unusable_upper=case == "listed upper",
        unusable_lower=case == "listed lower",
    )
    upper, lower = divmod(result.pair, 9)
    assert upper == lower
    worn = np.concatenate([picture[HAT_ROWS], picture[4:12]])
    dyed = np.concatenate([result.picture[HAT_ROWS], result.picture[4:12]])
    assert np.abs(dyed - painted(worn, palette(9)[upper])).max() <= 1
    assert (result.picture[FACE_ROWS] == picture[FACE_ROWS]).all()


def test_one_percent_of_the_picture_is_usable():
    mask = np.zeros((20, 10), np.uint8)
    mask[0, 0] = 5
    assert not usable(mask, (5, 7))
    mask[0, 1] = 7
    assert usable(mask, (5, 7))


def test_a_mask_of_another_size_is_refused(picture, mask):
    with pytest.raises(ValueError, match=r"\[15, 10\].*\[16, 10\]"):
        recolour(picture, mask[1:], np.random.default_rng(0))


def test_palettes_are_the_colours_of_css_in_the_authors_order():
    assert palette(9)[0].tolist() == [0, 128, 0] and palette(9)[-1].tolist() == [255, 192, 203]
    assert palette(9).shape == (9, 3) and len(COLOURS) == 9
    names = [next(name for name, rgb in COLOURS.items() if rgb == tuple(row)) for row in palette(6).tolist()]
    assert names == ["green", "blue", "purple", "red", "yellow", "pink"]


@pytest.mark.parametrize(
    ("outfits", "people", "colours", "labels", "total"),
    [
        (256, 77, 9, "pairs", 6_493),
        (300, 150, 9, "pairs", 12_450),
        (1_219, 450, 9, "pairs", 37_669),
        (16_035, 5_000, 6, "pairs", 196_035),
        (20_208, 632, 9, "pairs", 71_400),
        (16_035, 5_000, 6, "person", 21_035),
        (256, 77, 9, "none", 256),
    ],
)
def test_the_number_of_classes_is_the_published_one(outfits, people, colours, labels, total):
    own = np.arange(outfits) % people
    classes = ClothesClasses(own, people, colours, labels)
    assert classes.total == total == len(classes.owner)
    assert classes.owner.dtype == np.int32 and (classes.owner[:outfits] == own).all()


def test_classes_of_recoloured_copies_belong_to_their_person():
    pairs = ClothesClasses(np.array([0, 0, 1, 2]), 3, 6)
    seen = [pairs.recoloured(pid, pair) for pid in range(3) for pair in range(36)]
    assert seen == list(range(4, 4 + 108))
    assert all(pairs.owner[pairs.recoloured(pid, pair)] == pid for pid in range(3) for pair in (0, 35))
    person = ClothesClasses(np.array([0, 0, 1, 2]), 3, 6, "person")
    assert [person.recoloured(pid, 35) for pid in range(3)] == [4, 5, 6]
    assert person.owner.tolist() == [0, 0, 1, 2, 0, 1, 2]
    assert ClothesClasses(np.array([0, 1]), 2, 9, "none").recoloured(1, 5) == -1


def test_masks_are_read_by_label_not_by_colour(tmp_path, write_mask, mask):
    assert (read_mask(write_mask(tmp_path / "a.png", mask)) == mask).all()


def test_masks_that_tell_no_labels_are_refused(tmp_path, write_mask, mask):
    write_mask(tmp_path / "a.png", mask)
    Image.open(tmp_path / "a.png").convert("RGB").save(tmp_path / "rgb.png")
    with pytest.raises(DataError, match=r"rgb\.png.*\bRGB\b"):
        read_mask(tmp_path / "rgb.png")
    with pytest.raises(DataError, match=r"b\.png.*\b24\b.*\b19\b"):
        read_mask(write_mask(tmp_path / "b.png", mask + 11))
    (tmp_path / "c.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"c\.png"):
        read_mask(tmp_path / "c.png")
    with pytest.raises(DataError, match=r"gone\.png"):
        read_mask(tmp_path / "gone.png")


def test_lists_of_unusable_masks_name_a_picture_in_any_of_three_ways(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text("255/C_cropped_rgb064.jpg\n\n093_A_cropped_rgb001\n001_2_c3_000004.png\r\n094_B_cropped_rgb002.jpg")
    assert read_unusable(path) == {
        "255_C_cropped_rgb064",
        "093_A_cropped_rgb001",
        "001_2_c3_000004",
        "094_B_cropped_rgb002",
    }
    with pytest.raises(DataError, match=r"gone\.txt"):
        read_unusable(tmp_path / "gone.txt")


def test_masks_lie_where_their_pictures_lie(tmp_path):
    root = tmp_path / "set"
    path = mask_path(tmp_path / "masks", root / "rgb/train/001/A_cropped_rgb001.jpg", root)
    assert path == tmp_path / "masks/rgb/train/001/A_cropped_rgb001.png"
    there = tmp_path / "here.png"
    there.write_bytes(b"")
    assert missing_masks([path, there, tmp_path / "a.png"]) == sorted([path, tmp_path / "a.png"])


def test_a_copy_is_found_by_its_record(tmp_path, write_mask, picture, mask):
    record = Record(tmp_path / "set/001/x.jpg", "001", "A", "001", "train", "001_x")
    write_mask(tmp_path / "masks/001/x.png", mask)
    classes = ClothesClasses(np.array([0, 1]), 2)
    plain = Recolouring(classes, tmp_path / "masks", tmp_path / "set")
    copy, label = plain.copy_of(picture, record, 1, np.random.default_rng(1))
    expected = recolour(picture, mask, np.random.default_rng(1))
    assert (copy == expected.picture).all() and label == 2 + 81 + expected.pair
    listed = Recolouring(classes, tmp_path / "masks", tmp_path / "set", frozenset({"001_x"}))
    pair = listed.copy_of(picture, record, 0, np.random.default_rng(1))[1] - 2
    assert pair // 9 == pair % 9
    with pytest.raises(DataError, match=r"x\.png.*\[16, 10\].*\[10, 10\]"):
        plain.copy_of(picture[:10], record, 0, np.random.default_rng(1))
    assert Path(record.path).name == "x.jpg"


def test_the_names_of_test_pictures_are_no_training_pictures(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text("gallery/12_3_4.jpg\nquery/001_1_c3_000004\nCeleb-reID/test/5_6_7.png\ntrain/8_9_1.jpg")
    assert read_unusable(path) == {"gallery/12_3_4", "query/001_1_c3_000004", "test/5_6_7", "8_9_1"}


@pytest.mark.parametrize("processes", [1, 2])
def test_masks_that_would_stop_training_are_found_by_their_headers(tmp_path, write_mask, mask, processes):
    records = [Record(tmp_path / f"set/{name}.png", "1", "A", "1", "train", name) for name in "abcdef"]
    (tmp_path / "set").mkdir()
    for record in records:
        Image.new("RGB", (10, 16)).save(record.path)
        write_mask(tmp_path / f"masks/{record.key}.png", mask)
    (tmp_path / "masks/b.png").unlink()
    write_mask(tmp_path / "masks/c.png", mask[1:])
    Image.new("RGB", (10, 16)).save(tmp_path / "masks/d.png")
    (tmp_path / "masks/e.png").write_bytes(b"none")
    (tmp_path / "set/f.png").write_bytes(b"none")
    found = dict(mask_problems(records, tmp_path / "masks", tmp_path / "set", processes))
    assert list(found) == [tmp_path / f"masks/{name}.png" for name in "bcdef"]
    told = list(found.values())
    assert len(set(told)) == 5 and all(told)
    assert_names(told[1], "10 x 15", "10 x 16", records[2].path)
    assert_names(told[2], "RGB")
    assert_names(told[4], records[5].path)


def test_every_frame_of_a_tracklet_wants_its_mask(tmp_path):
    record = Record(tmp_path / "1", "1", "A", "1", "train", "1", frames=("a.jpg", "b.jpg"))
    found = [mask for mask, _ in mask_problems([record], tmp_path / "masks", tmp_path)]
    assert found == [tmp_path / "masks/1/a.png", tmp_path / "masks/1/b.png"]


def test_a_mask_is_as_large_as_its_picture_is_shown(tmp_path, write_mask, mask):
    picture = Image.new("RGB", (16, 10))
    exif = picture.getexif()
    exif[0x0112] = 6  # a quarter turn
    (tmp_path / "set").mkdir()
    picture.save(tmp_path / "set/a.jpg", exif=exif)
    record = Record(tmp_path / "set/a.jpg", "1", "A", "1", "train", "a")
    write_mask(tmp_path / "masks/a.png", mask)  # 16 rows of 10
    assert mask_problems([record], tmp_path / "masks", tmp_path / "set") == []
    write_mask(tmp_path / "masks/a.png", mask.T.copy())
    assert len(mask_problems([record], tmp_path / "masks", tmp_path / "set")) == 1


def test_the_memory_of_a_clothes_head_is_four_numbers_a_weight():
    last = ClothesClasses(np.zeros(16_035, np.int64), 5000, 6)
    assert last.total == 196_035
    assert head_megabytes(last, 4096) == pytest.approx(196_035 * 4096 * 16 / 1e6)
    assert round(head_megabytes(last, 4096)) == 12_847


def test_recolouring_is_its_definition_pixel_by_pixel_whatever_the_mask():
    random = np.random.default_rng(0)
    for number in range(60):
        shape = tuple(random.integers(1, 30, 2))
        picture = random.integers(0, 256, (*shape, 3), np.uint8)
        before, mask = picture.copy(), np.zeros(shape, np.uint8)
        if number % 3 == 0:  # labels all over, or boxes of a few
            mask = random.integers(0, 20, shape, np.uint8)
        for label in random.integers(0, 20, 4 * (number % 3)):
            (top, bottom), (left, right) = (sorted(random.integers(0, side + 1, 2)) for side in shape)
            mask[top:bottom, left:right] = label
        made = recolour(picture, mask, generator(number))
        upper, lower = generator(number).integers(9, size=2)
        parts = dict.fromkeys(UPPER, upper) | dict.fromkeys(LOWER, lower)
        if not usable(mask, UPPER) or not usable(mask, LOWER):
            parts, lower = dict.fromkeys(WORN, upper), upper
        for label, colour in parts.items():
            mixed = np.rint((1 - 0.7) * before[mask == label] + 0.7 * palette(9)[colour].astype(float))
            assert np.array_equal(made.picture[mask == label], mixed)
        rest = ~np.isin(mask, list(parts))
        assert np.array_equal(made.picture[rest], before[rest]) and made.pair == 9 * upper + lower
        assert np.array_equal(picture, before)
