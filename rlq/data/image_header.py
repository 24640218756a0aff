"""Read the size of a picture from its header, because a file of a few hundred bytes may decode to gigabytes."""

from io import BytesIO

from PIL import Image

MOST_PIXELS = 100_000_000  # 300 MB as RGB; pictures of re-identification data sets are far smaller
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
FRAMES = frozenset(range(0xC0, 0xD0)) - {
    0xC4,
    0xC8,
    0xCC,
}  # markers whose segment holds the size; the three hold tables
ALONE = frozenset((0x00, 0x01, *range(0xD0, 0xDA)))  # markers without a segment
SCAN = 0xDA

# What Pillow raises at files that are not pictures, or broken ones.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def refusal(data: bytes) -> str | None:
    """Return why the content of a file must not be decoded (no picture, or too large), None if it may be.

    JPEG and PNG headers are read here, because Pillow takes up to a quarter of the time of decoding a small picture;
    Pillow reads the headers of other formats.
    """
    if not data:
        return "empty file"
    try:
        size = _size_in_header(data)
    except Image.DecompressionBombError as error:
        return f"{error}; shrink it or leave it out"
    except UNREADABLE:
        return "no picture"
    if size is None:
        return "no picture"
    width, height = size
    if width * height <= MOST_PIXELS:
        return None
    return (
        f"{width} x {height} pixels are {width * height / 1e6:.0f} million, at most {MOST_PIXELS / 1e6:.0f} million "
        "are read; shrink it or leave it out"
    )


def _size_in_header(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) before EXIF rotation, None without a readable header."""
    if data.startswith(PNG):
        return (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) if len(data) >= 24 else None
    if data.startswith(JPEG):
        return _jpeg_size(data)
    with Image.open(BytesIO(data)) as picture:
        return picture.size


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) from a JPEG's frame header; the segments before it are a marker and a length each."""
    at, last = 2, len(data) - 8
    while at < last:
        if data[at] != 0xFF:  # decoders skip bytes between two segments, so this must too
            at = data.find(b"\xff", at)
            if at < 0:
                return None
            continue
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in FRAMES:
            return data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6]
        elif marker == SCAN:
            return None
        else:
            at += 2 if marker in ALONE else 2 + (data[at + 2] << 8 | data[at + 3])
    return None
