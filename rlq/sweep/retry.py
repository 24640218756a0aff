"""Retries of calls to a database server: while it is unreachable, and when several machines create its tables."""

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_incrementing,
)

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

PATIENCE = 60.0  # seconds for which a call is retried
PAUSE = 0.5  # seconds between two attempts; when creating tables, so much longer each time
ATTEMPTS = 5  # to create the tables
# Calls that are safe to repeat when only the answer was lost. Beginning and ending a trial are not: when they fail, the
# study requeues the trial.
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

Result = TypeVar("Result")

log = logging.getLogger(__name__)


def add_retries(storage: "RDBStorage", seconds: float = PATIENCE) -> None:
    """Make a storage retry its repeatable calls for so many seconds before they raise their last error."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    def warn_once(state: RetryCallState) -> None:
        if state.attempt_number == 1:
            log.warning("the storage does not answer; retrying for %.0f s", seconds)

    retrying = Retrying(
        retry=retry_if_exception_type((OperationalError, StorageInternalError)),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(PAUSE),
        before_sleep=warn_once,
        reraise=True,
    )
    for name in REPEATABLE:
        setattr(storage, name, _with_retries(getattr(storage, name), retrying))


def retry_colliding(create: Callable[[], Result]) -> Result:
    """Call `create` again when another machine has created the tables of a new database at the same time."""
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    retrying = Retrying(
        retry=retry_if_exception_type((IntegrityError, ProgrammingError)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_incrementing(start=PAUSE, increment=PAUSE),
        reraise=True,
    )
    return retrying(create)


def _with_retries(call: Callable[..., Any], retrying: Retrying) -> Callable[..., Any]:
    @functools.wraps(call)
    def retried(*arguments: Any, **options: Any) -> Any:
        return retrying.copy()(
            call, *arguments, **options
        )  # a copy, as these calls use each other and threads call them

    return retried
