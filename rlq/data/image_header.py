"""How many pixels a picture file promises, read from its first bytes: a few hundred of them may ask for gigabytes."""

from io import BytesIO

from PIL import Image

MOST_PIXELS = 100_000_000  # 300 MB as RGB; no camera of a re-identification set comes near
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers whose segment states the size; those are tables
ALONE = frozenset((0x00, 0x01, *range(0xD0, 0xDA)))  # markers without a segment
SCAN = 0xDA

# What Pillow has been seen to raise at files that are no picture, or a broken one.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def refusal(data: bytes) -> str | None:
    """Why the content of a file is not to be decoded: it is no picture, or one that is too large; None for the others.

    The headers of JPEG and PNG are read here, as Pillow takes up to a quarter of the time that decoding a small
    picture does; those of other formats are left to it.
    """
    if not data:
        return "empty file"
    try:
        size = _declared(data)
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


def _declared(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the file holds it, not yet turned by EXIF; None without a header that can be read."""
    if data.startswith(PNG):
        return (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) if len(data) >= 24 else None
    if data.startswith(JPEG):
        return _frame(data)
    with Image.open(BytesIO(data)) as picture:
        return picture.size


def _frame(data: bytes) -> tuple[int, int] | None:
    """The size in a JPEG's frame header: segments are a marker and their length, up to the first scan."""
    at, last = 2, len(data) - 8
    while at < last:
        if data[at] != 0xFF:  # decoders pass over whatever is between two segments, and so must we
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
