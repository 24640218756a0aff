"""Where studies are kept, and what is said when that cannot be reached."""

import importlib.util
import socket
import threading

import optuna
import pytest
from naming import assert_names
from optuna.trial import TrialState, create_trial

from rlq.core.errors import RlqError
from rlq.sweep.spec import Heartbeat
from rlq.sweep.storage import default_storage, notices_death, open_storage, quiet, reaching, shown

BEAT = Heartbeat(interval=1, grace=2)


def never(study, trial):
    raise AssertionError("no trial is stale here")


def opened(url):
    with quiet():
        return open_storage(url, BEAT, never)


@pytest.fixture
def nobody():
    """A port where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def without(monkeypatch):
    """Pretend that a package is not installed."""
    real = importlib.util.find_spec

    def hide(package):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))

    return hide


def test_the_default_is_a_file_among_the_runs_that_notices_death(tmp_path):
    url = default_storage(tmp_path / "runs", "pose_k")
    assert url == f"sqlite:///{tmp_path}/runs/sweeps/pose_k.db"
    assert notices_death(opened(url))
    assert (tmp_path / "runs/sweeps/pose_k.db").is_file()
    assert opened(url).get_all_studies() == []


def test_a_journal_file_works_and_notices_no_death(tmp_path):
    storage = opened(f"journal:{tmp_path}/shared/study.log")
    assert not notices_death(storage)
    assert storage.get_all_studies() == []


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("study.db", ("'study.db'", "sqlite:///FILE")),
        ("nosuch://host/x", ("nosuch://host/x", "sqlite:///FILE")),
        ("postgresql://host:port/x", ("postgresql://host:port/x",)),
        ("journal:", ("journal:",)),
    ],
)
def test_an_address_that_makes_no_sense_is_answered_with_those_that_do(url, named):
    with pytest.raises(RlqError) as refused:
        opened(url)
    assert_names(refused.value, *named)


def test_a_server_that_is_away_is_named_without_its_password(nobody):
    pytest.importorskip("psycopg")
    with pytest.raises(RlqError) as told:
        opened(f"postgresql://me:very-secret@127.0.0.1:{nobody}/rlq?application_name=very-secret")
    assert_names(told.value, f"postgresql://127.0.0.1:{nobody}/rlq", "refused")
    assert "very-secret" not in str(told.value)


def test_a_missing_driver_is_named_with_what_installs_it(without):
    without("psycopg")
    with pytest.raises(RlqError) as missing:
        opened("postgresql://me:secret@host/x")
    assert_names(missing.value, "postgresql://host/x", "psycopg", "pip install 'rlq[postgres]'")
    without("pymysql")
    with pytest.raises(RlqError) as missing:
        opened("mysql://host/x")
    assert_names(missing.value, "mysql://host/x", "pymysql", "pip install 'rlq[mysql]'")
    without("grpc")
    with pytest.raises(RlqError) as missing:
        opened("grpc://host:1")
    assert_names(missing.value, "grpc://host:1", "grpcio", "pip install 'rlq[grpc]'")


def test_files_that_hold_no_study_are_refused(tmp_path):
    (tmp_path / "picture.db").write_bytes(b"not a database" * 100)
    with pytest.raises(RlqError) as told:
        opened(f"sqlite:///{tmp_path}/picture.db")
    assert_names(told.value, "picture.db", "file is not a database")
    with pytest.raises(RlqError, match=r"picture\.db/study\.db"):
        opened(f"sqlite:///{tmp_path}/picture.db/study.db")
    (tmp_path / "study.log").write_text("no\njournal\nat all\n")
    with pytest.raises(RlqError, match=r"study\.log"):
        opened(f"journal:{tmp_path}/study.log")


def test_errors_of_the_database_are_ours_and_other_errors_stay(tmp_path):
    from sqlalchemy.exc import OperationalError

    with (
        pytest.raises(RlqError, match=r"sqlite:///x\.db.*disk is full"),
        reaching("sqlite:///x.db"),
    ):
        raise OperationalError("INSERT", {}, Exception("disk is full"))
    with pytest.raises(KeyError), reaching("sqlite:///x.db"):
        raise KeyError("a mistake of ours")


def test_addresses_are_shown_without_user_password_and_options():
    assert shown("postgresql://me:secret@host:5432/rlq?password=secret") == "postgresql://host:5432/rlq"
    assert shown("sqlite:////tmp/a.db") == "sqlite:////tmp/a.db"
    assert shown("journal:/shared/a.log") == "journal:/shared/a.log"


@pytest.mark.slow
def test_of_workers_that_reach_for_one_queue_at_once_each_takes_other_trials(tmp_path):
    url, taken = default_storage(tmp_path, "queue"), []
    study = optuna.create_study(storage=opened(url), study_name="queue")
    for _ in range(40):
        study.add_trial(create_trial(state=TrialState.WAITING))

    def take_all():
        mine = optuna.load_study(storage=opened(url), study_name="queue")
        while (trial := mine.ask()).number < 40:  # an empty queue gives a new trial
            taken.append(trial.number)

    threads = [threading.Thread(target=take_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(40))


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("postgresql://u:hunter2@h:5432/d?sslmode=require", "postgresql://h:5432/d"),
        ("postgresql://u:hun/ter2@h/d", "postgresql://h/d"),
        ("post_gres://u:hunter2@h/d?password=hunter2", "post_gres://h/d"),
        ("postgresql:/u:hunter2@h/d", "h/d"),
        ("sqlite:////home/a@b/x.db", "sqlite:////home/a@b/x.db"),
        ("journal:/home/a@b/x.log", "journal:/home/a@b/x.log"),
    ],
)
def test_an_address_is_shown_without_its_password(address, wanted):
    assert shown(address) == wanted
