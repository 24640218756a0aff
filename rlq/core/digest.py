"""SHA-256 digests. Fingerprints and names of cached files depend on them, so their results must never change."""

import hashlib
import json
from pathlib import Path
from typing import Any

SHORT = 16  # hex digits


def short_digest(*parts: str | bytes | memoryview) -> str:
    """Return 16 hex digits of the concatenated parts; text is encoded as UTF-8."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:SHORT]


def tree_digest(tree: Any) -> str:
    """Return 16 hex digits of a tree of plain values; the order of its keys does not count."""
    return short_digest(json.dumps(tree, sort_keys=True))


def file_digest(path: Path) -> str:
    """Return all 64 hex digits of a file's content. Raise OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """Return all 64 hex digits of the names, sizes and contents of the files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(bytes.fromhex(file_digest(path)))
    return digest.hexdigest()
