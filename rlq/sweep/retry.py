"""A database server that is away for a while, as while it restarts, is asked again."""

import functools
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

AWAY = 60.0  # seconds for which it is asked again
PAUSE = 0.5  # seconds between two attempts
# What may be said twice without harm, as the answer to the first time may be what was lost. A trial that is begun or
# ended is not among it: whoever has that fail leaves the trial to the study, which queues it again.
REPEATABLE = (
    "_get_trials",
    "get_all_studies",
    "get_all_trials",
    "get_best_trial",
    "get_n_trials",
    "get_study_directions",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_system_attrs",
    "get_study_user_attrs",
    "get_trial",
    "get_trial_id_from_study_id_trial_number",
    "set_study_system_attr",
    "set_study_user_attr",
    "set_trial_intermediate_value",
    "set_trial_param",
    "set_trial_system_attr",
    "set_trial_user_attr",
)

log = logging.getLogger(__name__)


def ask_again(storage: "RDBStorage", seconds: float = AWAY) -> None:
    """Let a storage try what it is asked for again, for so many seconds, before it raises what it raises."""
    for name in REPEATABLE:
        setattr(storage, name, _again(getattr(storage, name), seconds))


def _again(ask: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    @functools.wraps(ask)
    def asked(*arguments: Any, **options: Any) -> Any:
        end = time.monotonic() + seconds
        told = False
        while True:
            try:
                return ask(*arguments, **options)
            except (OperationalError, StorageInternalError):
                if time.monotonic() >= end:
                    raise
            if not told:
                log.warning("the storage does not answer; it is asked again for %.0f s", seconds)
            told = True
            time.sleep(PAUSE)

    return asked
