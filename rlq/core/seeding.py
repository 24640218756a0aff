"""Random generators that depend on names and numbers only, never on process, worker or order of calls."""

import hashlib

import numpy as np


def seed_from(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on these parts only, such as (run seed, "cap", epoch, position)."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: int | str) -> np.random.Generator:
    """Return a NumPy generator that depends on these parts only."""
    return np.random.default_rng(seed_from(*parts))
