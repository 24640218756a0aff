"""Tracking: one small interface, a tracker in memory, MLflow behind a journal on disk, and runs that belong together.

Light to import.
"""

from rlq.tracking.family import close_run, family_links
from rlq.tracking.interface import NullTracker, Status, Tracker, TrackingError
from rlq.tracking.journal import logged_metrics
from rlq.tracking.memory import MemoryTracker
from rlq.tracking.mlflow import MlflowTracker, open_run, store_of, sync
from rlq.tracking.provenance import git_tags, library_versions
from rlq.tracking.registry import Registered, check_model_name, load_function, register_folder, save_function
from rlq.tracking.store import resolve_uri

__all__ = [
    "MemoryTracker",
    "MlflowTracker",
    "NullTracker",
    "Registered",
    "Status",
    "Tracker",
    "TrackingError",
    "check_model_name",
    "close_run",
    "family_links",
    "git_tags",
    "library_versions",
    "load_function",
    "logged_metrics",
    "open_run",
    "register_folder",
    "resolve_uri",
    "save_function",
    "store_of",
    "sync",
]
