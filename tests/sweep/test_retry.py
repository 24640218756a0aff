"""A database that is away for a moment is asked again; one that stays away is told."""

import pytest
from optuna import create_study
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError, ProgrammingError

from rlq.sweep import retry
from rlq.sweep.retry import add_retries, retry_colliding


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(retry, "PAUSE", 0.01)


def away(times, monkeypatch, method, error):
    """Let a method of the storage raise so many times."""
    works, left = getattr(RDBStorage, method), [times]

    def fails(self, *arguments, **options):
        if left[0]:
            left[0] -= 1
            raise error
        return works(self, *arguments, **options)

    monkeypatch.setattr(RDBStorage, method, fails)
    return left


GONE = (StorageInternalError("An exception is raised during the commit"), OperationalError("select", {}, OSError()))


@pytest.mark.parametrize("error", GONE)
def test_what_fails_for_a_moment_is_done_in_the_end(tmp_path, monkeypatch, caplog, error):
    left = away(3, monkeypatch, "set_trial_user_attr", error)
    storage = RDBStorage(f"sqlite:///{tmp_path}/study.db")
    add_retries(storage)
    study = create_study(storage=storage)
    trial = study.ask()
    trial.set_user_attr("worker", "me")
    assert left == [0] and study.trials[0].user_attrs == {"worker": "me"}
    (told,) = [record.getMessage() for record in caplog.records if record.name == retry.__name__]
    assert "60 s" in told


def test_what_stays_away_is_told_after_a_while(tmp_path, monkeypatch):
    storage = RDBStorage(f"sqlite:///{tmp_path}/study.db")
    away(10**6, monkeypatch, "set_trial_user_attr", GONE[0])
    add_retries(storage, seconds=0.1)
    trial = create_study(storage=storage).ask()
    with pytest.raises(StorageInternalError):
        trial.set_user_attr("worker", "me")


def test_the_end_of_a_trial_is_said_once(tmp_path, monkeypatch):
    left = away(2, monkeypatch, "set_trial_state_values", GONE[0])
    storage = RDBStorage(f"sqlite:///{tmp_path}/study.db")
    add_retries(storage)
    study = create_study(storage=storage)
    study.enqueue_trial({})
    with pytest.raises(StorageInternalError):
        study.ask()
    assert left == [1] and study.trials[0].state == TrialState.WAITING


@pytest.mark.parametrize(("failures", "succeeds"), [(4, True), (5, False)])
def test_tables_that_two_machines_create_at_once_are_tried_five_times(failures, succeeds):
    calls = []

    def create():
        calls.append(None)
        if len(calls) <= failures:
            raise ProgrammingError("CREATE TABLE", {}, Exception("already exists"))
        return "storage"

    if succeeds:
        assert retry_colliding(create) == "storage"
    else:
        with pytest.raises(ProgrammingError):
            retry_colliding(create)
    assert len(calls) == 5
