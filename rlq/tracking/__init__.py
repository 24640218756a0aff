"""Tracking: a small interface, a tracker in memory, MLflow behind a journal on disk, and runs that belong together.

MLflow is imported only when a store is used.
"""

from rlq.tracking.children import close_run, family_links
from rlq.tracking.interface import NullTracker, Status, Tracker, TrackingError
from rlq.tracking.journal import logged_metrics
from rlq.tracking.lookup import StoredRun, fetch_files, find_stored_run
from rlq.tracking.memory import MemoryTracker
from rlq.tracking.mlflow import MlflowTracker, local_run_id, open_run, store_of, sync
from rlq.tracking.provenance import git_tags, library_versions, source_digest
from rlq.tracking.registry import RegisteredVersion, check_model_name, load_function, register_folder, save_function
from rlq.tracking.store import resolve_uri

__all__ = [
    "MemoryTracker",
    "MlflowTracker",
    "NullTracker",
    "RegisteredVersion",
    "Status",
    "StoredRun",
    "Tracker",
    "TrackingError",
    "check_model_name",
    "close_run",
    "family_links",
    "fetch_files",
    "find_stored_run",
    "git_tags",
    "library_versions",
    "load_function",
    "local_run_id",
    "logged_metrics",
    "open_run",
    "register_folder",
    "resolve_uri",
    "save_function",
    "source_digest",
    "store_of",
    "sync",
]
