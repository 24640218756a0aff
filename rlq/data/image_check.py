"""Look at every picture of a set before anything is trained on it: can it be read, and is it there twice?"""

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
    """What is to be said of one file."""

    reason: str | None  # why it cannot be read; None when it can
    digest: bytes  # 16 bytes that tell its content from any other; empty for a file that is not there


def inspect(paths: Sequence[Path], processes: int = 1) -> Iterator[Finding]:
    """Read every picture whole, in the order of `paths`; no more than a few are in memory at a time.

    Stricter than `read_picture`: a decoder may fill up a truncated file with grey and say nothing.
    """
    return parallel_map(look_at, paths, processes)


def unreadable(paths: Iterable[Path], findings: Iterable[Finding]) -> list[tuple[Path, str]]:
    """Every picture that is missing, broken or cut short, with the reason, in the order of `paths`."""
    return [(path, found.reason) for path, found in zip(paths, findings, strict=True) if found.reason]


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
        # Pillow names the buffer it was given, which says nothing to anybody
        return "no picture" if "cannot identify image file" in str(error) else str(error) or type(error).__name__
    return None
