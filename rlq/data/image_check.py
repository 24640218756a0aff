"""Read every picture of a data set before training: find those that cannot be read, and digests to find duplicates."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from rlq.core.files import content_of
from rlq.data.image_header import UNREADABLE, refusal
from rlq.data.parallel import parallel_map


class Finding(NamedTuple):
    """The result for one file."""

    reason: str | None  # why it cannot be read, None if it can
    digest: bytes  # of its content, 16 bytes; empty for a missing file


def inspect(paths: Sequence[Path], processes: int = 1) -> Iterator[Finding]:
    """Read every picture whole, in the order of `paths`, with only a few in memory at a time.

    This is stricter than `read_picture`, whose decoder may fill up a truncated file with grey without an error.
    """
    return parallel_map(look_at, paths, processes)


def unreadable(paths: Iterable[Path], findings: Iterable[Finding]) -> list[tuple[Path, str]]:
    """Return every picture that is missing, broken or truncated, with the reason, in the order of `paths`."""
    return [(path, finding.reason) for path, finding in zip(paths, findings, strict=True) if finding.reason]


def look_at(path: Path) -> Finding:
    """Read one file and decode it."""
    try:
        data = content_of(path)
    except OSError as error:
        return Finding(error.strerror or str(error), b"")
    return Finding(_reason(data), hashlib.blake2b(data, digest_size=16).digest())


def _reason(data: bytes) -> str | None:
    reason = refusal(data)
    if reason:
        return reason
    try:
        with Image.open(BytesIO(data)) as picture:
            picture.load()
    except UNREADABLE as error:
        # Pillow's message names a buffer in memory, which does not help anybody
        return "no picture" if "cannot identify image file" in str(error) else str(error) or type(error).__name__
    return None
