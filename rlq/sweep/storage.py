"""Where a study is kept: a SQLite file, a database server, a journal file on a shared disk, or a gRPC proxy."""

import importlib.util
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from rlq.core.errors import RlqError
from rlq.sweep.retry import ask_again
from rlq.sweep.spec import Heartbeat

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

# the word before :// -> the driver that is used, its package, our extra that installs it
DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
    "postgres": ("postgresql+psycopg", "psycopg", "postgres"),
    "postgresql+psycopg": ("postgresql+psycopg", "psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "pymysql", "mysql"),
    "mysql+pymysql": ("mysql+pymysql", "pymysql", "mysql"),
}
FORMS = (
    "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE, mysql://USER:PASSWORD@HOST/DATABASE, journal:FILE "
    "or grpc://HOST:PORT"
)
PATIENCE = 10  # seconds until a server that does not answer counts as away
LOCKED = 60  # seconds that SQLite waits for another process
ATTEMPTS = 5  # to make the tables: two machines that do so at once disturb each other

# Optuna replays the whole file, and meets lines that are none of its own in all these ways.
BROKEN_JOURNAL = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)

Stale = Callable[["Study", "FrozenTrial"], None]

log = logging.getLogger(__name__)


def default_storage(runs: Path, name: str) -> str:
    """A SQLite file among the runs."""
    return f"sqlite:///{(runs / 'sweeps' / name).absolute()}.db"


def shown(url: str) -> str:
    """The address without user, password and options, for messages."""
    kind, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    if url.startswith(("journal:", "sqlite:///")):  # files, whose names may hold an @
        return url.partition("?")[0]
    rest = rest.partition("@")[2] or rest  # by hand: a password may hold what urlsplit takes for its end
    return f"{kind}{mark}{rest.partition('?')[0].rpartition('@')[2]}"


def open_storage(url: str, heartbeat: Heartbeat, stale: Stale) -> "BaseStorage":
    """The storage at an address; its tables are made where they are missing.

    `stale` is told of each trial whose worker gave no sign of life for `heartbeat.grace` seconds. Raises RlqError for
    an address that makes no sense, a driver that is not installed and a server that does not answer.
    """
    kind, colon, rest = url.partition(":")
    if colon and kind == "journal":
        return _open_journal(Path(rest))
    if url.startswith("grpc://"):
        return _open_proxy(url)
    if "://" not in url:
        raise RlqError(f"--storage {shown(url)!r} is no address of a storage; wanted is one of {FORMS}")
    return _open_database(url, heartbeat, stale)


def notices_death(storage: "BaseStorage") -> bool:
    """Whether the storage itself finds trials whose worker has died."""
    from optuna.storages._heartbeat import is_heartbeat_enabled

    return is_heartbeat_enabled(storage)


def storage_errors() -> tuple[type[Exception], ...]:
    """What a storage raises that is away, full or broken."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError, StorageInternalError, *_proxy_errors())


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn the errors of a storage that is away, full or broken into RlqError; our own bugs pass through."""
    try:
        yield
    except storage_errors() as error:
        raise RlqError(f"the storage {shown(url)} cannot be used: {_reason(error, url)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's lines about every trial, which are said in our own words, and its notes on new features."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _open_journal(path: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if not path.name:
        raise RlqError("--storage journal: names no file; such as journal:/shared/pose_k.log")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path)))
    except (OSError, *BROKEN_JOURNAL) as error:
        raise RlqError(f"the storage journal:{path} cannot be used: {str(error) or type(error).__name__}") from error


def _open_proxy(url: str) -> "BaseStorage":
    if importlib.util.find_spec("grpc") is None:
        raise RlqError(f"the storage {shown(url)} needs the package grpcio: pip install 'rlq[grpc]'")
    from optuna.storages import GrpcStorageProxy

    try:
        host, port = urlsplit(url).hostname, urlsplit(url).port
    except ValueError as error:
        raise RlqError(f"--storage {shown(url)}: {error}; wanted is grpc://HOST:PORT") from error
    if host is None or port is None:
        raise RlqError(f"--storage {shown(url)} should name host and port: grpc://HOST:PORT")
    proxy = GrpcStorageProxy(host=host, port=port)
    try:
        proxy.wait_server_ready(timeout=PATIENCE)
    except ConnectionError as error:
        raise RlqError(f"the storage {shown(url)} cannot be used: no answer in {PATIENCE} s") from error
    return proxy


def _open_database(url: str, heartbeat: Heartbeat, stale: Stale) -> "BaseStorage":
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    address, options = _driver(url)
    path = Path(address.removeprefix("sqlite:///")) if address.startswith("sqlite:///") else None
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RlqError(f"the storage {shown(url)} cannot be used: {error}") from error

    class Beating(RDBStorage):
        """Misses a sign of life where the database is away, as while it restarts, and gives the next one."""

        def record_heartbeat(self, trial_id: int) -> None:
            try:
                super().record_heartbeat(trial_id)
            except (StorageInternalError, SQLAlchemyError):
                log.warning("the storage takes no sign of life of this trial just now")

    def opened() -> RDBStorage:
        storage = Beating(
            address,
            engine_kwargs=options,
            heartbeat_interval=heartbeat.interval,
            grace_period=heartbeat.grace,
            heartbeat_stale_trial_callback=stale,
        )
        if path is not None:
            _lock_before_reading(storage.engine)
        else:
            ask_again(storage)
        return storage

    with reaching(url):
        if path is None:
            return _patiently(opened)
        with FileLock(f"{path}.lock"):  # two processes that make one new file break it
            return opened()


def _patiently(opened: Callable[[], "BaseStorage"]) -> "BaseStorage":
    """Several machines may make the tables of a new database at once; all but one then fail, and find them made."""
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    for attempt in range(ATTEMPTS):
        try:
            return opened()
        except (IntegrityError, ProgrammingError):
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.5 * (attempt + 1))
    raise AssertionError("the last attempt returns or raises")


def _lock_before_reading(engine: "Engine") -> None:
    """Let every transaction lock the SQLite file from its first statement on, as SELECT FOR UPDATE does on servers.

    By default the lock comes with the first write, so that two workers can both find a trial waiting and both take it.
    """
    from sqlalchemy import event

    def connect(connection: "DBAPIConnection", _: Any) -> None:
        connection.isolation_level = None  # Python's driver does not begin transactions by itself

    def begin(connection: "Connection") -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
    engine.dispose()  # the connections so far are of the other kind


def _driver(url: str) -> tuple[str, dict[str, Any]]:
    """The address with the driver that we use, and the options of its connections."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    kind, _, rest = url.partition("://")
    address, package, extra = DRIVERS.get(kind, (kind, None, None))
    if package and importlib.util.find_spec(package) is None:
        raise RlqError(f"the storage {shown(url)} needs the package {package}: pip install 'rlq[{extra}]'")
    address = f"{address}://{rest}"
    try:
        parsed = make_url(address)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:  # ValueError: a port that is no number
        raise RlqError(f"--storage {shown(url)} is not understood; wanted is one of {FORMS}") from error
    except ImportError as error:
        raise RlqError(f"the storage {shown(url)} needs a package that is not installed: {error}") from error
    if parsed.get_backend_name() == "sqlite":
        return address, {"connect_args": {"timeout": LOCKED}}
    patience = {"connect_timeout": PATIENCE} if parsed.get_driver_name() in ("psycopg", "psycopg2", "pymysql") else {}
    return address, {"connect_args": patience, "pool_pre_ping": True}


def _proxy_errors() -> tuple[type[Exception], ...]:
    if importlib.util.find_spec("grpc") is None:
        return ()
    import grpc

    return (grpc.RpcError,)


def _reason(error: BaseException, url: str) -> str:
    """The first cause in one line, without the password."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(getattr(error, "orig", None) or error).split()).replace(url, shown(url))
    said = re.search("://[^:/@]*:([^@]+)@", url)
    for secret in (said[1], unquote(said[1])) if said else ():
        text = text.replace(secret, "***")
    return text if len(text) <= 300 else text[:297] + "..."
