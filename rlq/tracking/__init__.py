"""Tracking: one small interface, a tracker in memory, and MLflow behind a journal on disk. Light to import."""

from rlq.tracking.interface import NullTracker, Status, Tracker, TrackingError
from rlq.tracking.memory import MemoryTracker
from rlq.tracking.mlflow import MlflowTracker, open_run, sync
from rlq.tracking.provenance import git_tags, library_versions
from rlq.tracking.store import resolve_uri

__all__ = [
    "MemoryTracker",
    "MlflowTracker",
    "NullTracker",
    "Status",
    "Tracker",
    "TrackingError",
    "git_tags",
    "library_versions",
    "open_run",
    "resolve_uri",
    "sync",
]
