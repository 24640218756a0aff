"""The size that a header promises, against Pillow's reading of it."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rlq.core.errors import DataError
from rlq.data.image_check import look_at
from rlq.data.image_header import MOST_PIXELS, refusal
from rlq.data.pictures import picture_sizes, read_picture


def content(kind: str, size: tuple[int, int], **options: object) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind, **options)
    return buffer.getvalue()


def promising(kind: str, width: int, height: int) -> bytes:
    """A small file whose header states another size."""
    data = content(kind, (16, 24))
    if kind == "PNG":
        header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    sizes = {"JPEG": (">HH", height, width), "BMP": ("<ii", width, height), "GIF": ("<HH", width, height)}
    form, *numbers = sizes[kind]
    own = (24, 16) if kind == "JPEG" else (16, 24)
    assert data.count(struct.pack(form, *own)) >= 1
    return data.replace(struct.pack(form, *own), struct.pack(form, *numbers), 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    options=st.fixed_dictionaries(
        {"progressive": st.booleans(), "quality": st.integers(1, 95), "comment": st.binary(max_size=300)}
    ),
    fill=st.integers(0, 3),
    thumbnail=st.booleans(),
)
def test_the_size_of_a_jpeg_is_found_behind_whatever_comes_before_it(width, height, options, fill, thumbnail):
    exif = Image.Exif()
    if thumbnail:  # a picture within the picture, with a size of its own
        exif[0x010E] = content("JPEG", (8, 8)).hex()
    data = content("JPEG", (width, height), exif=exif, **options)
    data = data[:2] + b"\xff" * fill + data[2:]  # fill bytes are allowed before a marker
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlq.data.image_header.MOST_PIXELS", width * height)
        assert refusal(data) is None
        patch.setattr("rlq.data.image_header.MOST_PIXELS", width * height - 1)
        assert f"{width} x {height}" in refusal(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_a_picture_of_gigabytes_is_refused_by_its_header(tmp_path, kind):
    path = tmp_path / f"bomb.{kind.lower()}"
    path.write_bytes(promising(kind, 20_000, 20_000))
    told = "20000 x 20000|400000000"
    for read in (read_picture, lambda bomb: picture_sizes([bomb])):
        with pytest.raises(DataError, match=rf"bomb\.\w+.*({told})"):
            read(path)
    assert re.search(told, look_at(path).reason)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_the_limit_is_a_hundred_million_pixels(kind):
    assert MOST_PIXELS == 100_000_000
    assert refusal(promising(kind, 10_000, 10_000)) is None
    assert "10000 x 10001" in refusal(promising(kind, 10_000, 10_001))


@pytest.mark.parametrize("cut", [3, 11, 20, 23, 100])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_header_that_ends_too_early_is_no_picture(kind, cut):
    data = content(kind, (16, 24))
    found = refusal(data[:cut])
    assert found == (refusal(b"words, no picture") if kind == "JPEG" or cut < 24 else None)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b""]))
def test_any_bytes_are_answered(tail, head):
    assert refusal(head + tail) is None or isinstance(refusal(head + tail), str)
