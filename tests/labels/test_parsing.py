import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.data.clothes import read_mask
from rlq.data.lip import LIP_NAMES as LIP
from rlq.data.lip import LOWER, UPPER, WORN
from rlq.data.masks import PALETTE, write_mask
from rlq.labels.parsing import (
    ATR,
    NAMES,
    PASCAL,
    TO_LIP,
    Source,
    check_mask,
    check_source,
    convert,
    likelier_set,
    read_labels,
)


def labels(count: int, shape: tuple[int, int] = (9, 5)) -> np.ndarray:
    return (np.arange(shape[0] * shape[1]).reshape(shape) % count).astype(np.uint8)


def grey_png(path: Path, mask: np.ndarray, bits: int) -> None:
    """A greyscale PNG of 2 or 4 bits per pixel, which Pillow cannot write."""
    rows = np.unpackbits(mask[:, :, None], axis=2)[:, :, 8 - bits :].reshape(len(mask), -1)
    lines = b"".join(b"\0" + np.packbits(row).tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", mask.shape[1], mask.shape[0], bits, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_the_sets_are_those_of_schp():
    assert (len(LIP), len(ATR), len(PASCAL)) == (20, 18, 7)
    assert [len(set(names)) for names in NAMES.values()] == [20, 18, 7]
    assert [LIP.index(name) for name in ("upper clothes", "coat", "jumpsuit")] == list(UPPER)
    assert [LIP.index(name) for name in ("trousers", "skirt")] == list(LOWER)
    bare = {"background", "hair", "sunglasses", "face", "left arm", "right arm", "left leg", "right leg"}
    assert {LIP[label] for label in WORN} == set(LIP) - bare
    assert list(ATR).index("upper clothes") == 4 and list(ATR).index("trousers") == 6


def test_equal_names_stay_and_only_belts_and_bags_change():
    assert {name: lip for name, lip in ATR.items() if name != lip} == {"belt": "trousers", "bag": "background"}
    for known in ("atr", "pascal"):
        assert TO_LIP[known].tolist() == [LIP.index(name) for name in {"atr": ATR, "pascal": PASCAL}[known].values()]
    assert [LIP[label] for label in TO_LIP["pascal"]][2::3] == ["upper clothes", "trousers"]


@pytest.mark.parametrize(("count", "bits"), [(20, 8), (7, 4), (4, 2), (2, 1)])
def test_palettes_of_any_depth_are_read_by_number(tmp_path, count, bits):
    image = Image.fromarray(labels(count))
    image.putpalette(PALETTE)
    image.save(tmp_path / "a.png", bits=bits)
    with Image.open(tmp_path / "a.png") as saved:
        assert saved.mode == "P"
    assert (read_labels(tmp_path / "a.png") == labels(count)).all()


@pytest.mark.parametrize(("count", "bits"), [(16, 4), (4, 2)])
def test_greys_of_few_bits_are_not_spread_over_256(tmp_path, count, bits):
    grey_png(tmp_path / "a.png", labels(count), bits)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array(image).max() == 255
    assert (read_labels(tmp_path / "a.png") == labels(count)).all()
    assert (read_mask(tmp_path / "a.png") == labels(count)).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, bool])
def test_greys_of_8_and_16_bits_and_of_one_are_labels(tmp_path, kind):
    mask = labels(20 if kind is not bool else 2)
    Image.fromarray(mask.astype(kind)).save(tmp_path / "a.png")
    read = read_labels(tmp_path / "a.png")
    assert (read == mask).all() and read.dtype == np.uint8


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_arrays_of_whole_numbers_are_labels(tmp_path, kind):
    np.save(tmp_path / "a.npy", labels(18).astype(kind))
    read = read_labels(tmp_path / "a.npy", "atr")
    assert (read == labels(18)).all() and read.dtype == np.uint8


def test_logits_objects_and_rubbish_are_no_labels(tmp_path):
    np.save(tmp_path / "logits.npy", np.zeros((9, 5, 20), np.float32))
    with pytest.raises(DataError) as raised:
        read_labels(tmp_path / "logits.npy")
    assert_names(raised.value, "logits.npy", "[9, 5, 20]", "float32")
    np.save(tmp_path / "flat.npy", np.zeros((9, 5)))
    with pytest.raises(DataError) as raised:
        read_labels(tmp_path / "flat.npy")
    assert_names(raised.value, "flat.npy", "[9, 5]", "float64")
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(DataError, match=r"objects\.npy.*allow_pickle"):
        read_labels(tmp_path / "objects.npy")
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.npy"):
        read_labels(tmp_path / "empty.npy")


def test_pictures_in_colour_and_in_lossy_files_are_no_labels(tmp_path):
    write_mask(tmp_path / "a.png", labels(20))
    with Image.open(tmp_path / "a.png") as image:
        image.convert("RGB").save(tmp_path / "rgb.png")
        image.convert("RGBA").save(tmp_path / "rgba.png")
    Image.fromarray(labels(20)).save(tmp_path / "grey.png", format="JPEG")
    for name, told in (("rgb", "RGB"), ("rgba", "RGBA"), ("grey", "JPEG")):
        with pytest.raises(DataError, match=rf"{name}\.png.*\b{told}\b"):
            read_labels(tmp_path / f"{name}.png")


@pytest.mark.parametrize(("known", "highest"), [("lip", 19), ("atr", 17), ("pascal", 6)])
def test_a_label_that_the_set_does_not_have_is_told_with_the_sets(tmp_path, known, highest):
    np.save(tmp_path / "a.npy", np.array([[0, highest]]))
    assert read_labels(tmp_path / "a.npy", known).max() == highest
    np.save(tmp_path / "a.npy", np.array([[0, highest + 1]]))
    with pytest.raises(DataError) as raised:
        read_labels(tmp_path / "a.npy", known)
    assert_names(raised.value, "a.npy", highest + 1, known, highest, "atr", 17)
    np.save(tmp_path / "a.npy", np.array([[0, -1]]))
    with pytest.raises(DataError, match=r"a\.npy.* -1\b"):
        read_labels(tmp_path / "a.npy", known)


@pytest.mark.parametrize("known", ["lip", "atr", "pascal"])
def test_a_converted_mask_shows_the_same_names(tmp_path, known):
    mask = labels(len(NAMES[known]))
    np.save(tmp_path / "a.npy", mask)
    target = tmp_path / "masks/001/a.png"
    convert(Source(tmp_path / "a.npy", tmp_path / "a.jpg", target, known))
    wanted = {"lip": {name: name for name in LIP}, "atr": ATR, "pascal": PASCAL}[known]
    names = [[LIP[label] for label in row] for row in read_mask(target)]
    assert names == [[wanted[NAMES[known][label]] for label in row] for row in mask]
    with Image.open(target) as image:
        assert image.mode == "P" and image.getpalette() == PALETTE[: len(image.getpalette())]
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]


def test_a_mask_of_another_size_is_told_with_both_sizes(tmp_path):
    Image.new("RGB", (5, 9)).save(tmp_path / "a.jpg")
    np.save(tmp_path / "a.npy", labels(20))
    source = Source(tmp_path / "a.npy", tmp_path / "a.jpg", tmp_path / "out.png", "lip")
    assert check_source(source) == ("", frozenset(range(20)))
    np.save(tmp_path / "a.npy", labels(20, (5, 9)))
    read = check_source(source)
    assert read.labels == frozenset()
    assert_names(read.problem, "a.npy", "9 x 5", "5 x 9", tmp_path / "a.jpg")
    assert_names(check_source(source._replace(labels="pascal")).problem, "a.npy", "pascal", 6)


def test_the_set_of_masks_is_guessed_from_what_many_of_them_show():
    atr = {0: 20, 4: 20, 6: 18, 9: 15, 11: 11, 17: 1}
    pascal = {0: 20, 1: 20, 2: 11, 6: 8}
    lip = {0: 20, 5: 20, 9: 17, 11: 20, 13: 15, 18: 1}
    assert likelier_set("lip", atr, 20) == "atr" and likelier_set("lip", pascal, 20) == "pascal"
    assert likelier_set("atr", pascal, 20) == "pascal"
    assert likelier_set("atr", atr, 20) is likelier_set("pascal", pascal, 20) is likelier_set("lip", lip, 20) is None
    assert likelier_set("lip", atr, 19) is likelier_set("lip", pascal, 19) is None  # too few
    assert likelier_set("lip", atr | {11: 10}, 20) is None  # scarves of LIP's, maybe
    assert (
        likelier_set("lip", {0: 20}, 20) is likelier_set("lip", {0: 20, 1: 20}, 20) is None
    )  # nobody, and silhouettes
    assert likelier_set("lip", pascal | {7: 1}, 20) is None


def test_a_mask_is_looked_at_as_training_will(tmp_path):
    picture, mask = tmp_path / "a.jpg", tmp_path / "a.png"
    Image.new("RGB", (10, 20)).save(picture)
    assert check_mask((picture, mask)).state == "missing"
    drawn = np.zeros((20, 10), np.uint8)
    drawn[:5], drawn[5, :1] = 7, 9
    write_mask(mask, drawn)
    assert check_mask((picture, mask)) == ("good", "", frozenset({0, 7, 9}), True, False)
    drawn[5, :2] = 9  # 1% of 200
    write_mask(mask, drawn)
    assert check_mask((picture, mask)).lower
    write_mask(mask, drawn.T.copy())
    assert check_mask((picture, mask)).state == "size" and "20 x 10" in check_mask((picture, mask)).problem
    mask.write_bytes(b"no mask")
    assert check_mask((picture, mask)).state == "unreadable"
