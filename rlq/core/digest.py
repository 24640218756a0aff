"""Short digests that stand for settings, data and files."""

import hashlib
import json
from typing import Any


def tree_digest(tree: Any) -> str:
    """Return 16 hex digits of a tree of plain values; the order of its keys does not count."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]
