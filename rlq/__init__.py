"""rlq: clothes-changing person re-identification that survives bad pictures (RLQ, arXiv 2505.12580)."""

__version__ = "0.1.0"
