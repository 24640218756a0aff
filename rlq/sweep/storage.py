"""The storage of a study: a SQLite file, a database server, a journal file on a shared disk, or a gRPC proxy."""

import importlib.util
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from rlq.core.errors import RlqError
from rlq.sweep.retry import add_retries, retry_colliding
from rlq.sweep.spec import Heartbeat

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

# scheme of the address -> SQLAlchemy driver, its package, the extra of rlq that installs it
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
PATIENCE = 10  # seconds until a server that does not answer counts as unreachable
LOCKED = 60  # seconds that SQLite waits for another process

# Optuna replays the whole file, and fails in all these ways at lines that it did not write.
BROKEN_JOURNAL = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)

Stale = Callable[["Study", "FrozenTrial"], None]

log = logging.getLogger(__name__)


def default_storage(runs: Path, name: str) -> str:
    """Return the address of a SQLite file among the runs."""
    return f"sqlite:///{(runs / 'sweeps' / name).absolute()}.db"


def shown(url: str) -> str:
    """Return the address without user, password and options, for messages."""
    kind, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    if url.startswith(("journal:", "sqlite:///")):  # file names may contain an @
        return url.partition("?")[0]
    rest = rest.partition("@")[2] or rest  # not urlsplit: a password may contain what it takes for the end
    return f"{kind}{mark}{rest.partition('?')[0].rpartition('@')[2]}"


def open_storage(url: str, heartbeat: Heartbeat, stale: Stale) -> "BaseStorage":
    """Open the storage at an address, and create its tables where they are missing.

    `stale` is called with each trial whose worker sent no heartbeat for `heartbeat.grace` seconds. Raises RlqError for
    an invalid address, a driver that is not installed and a server that does not answer.
    """
    kind, colon, rest = url.partition(":")
    if colon and kind == "journal":
        return _open_journal(Path(rest))
    if url.startswith("grpc://"):
        return _open_proxy(url)
    if "://" not in url:
        raise RlqError(f"--storage {shown(url)!r} is no address of a storage; use one of {FORMS}")
    return _open_database(url, heartbeat, stale)


def notices_death(storage: "BaseStorage") -> bool:
    """Return whether the storage finds trials of dead workers by their heartbeats."""
    from optuna.storages._heartbeat import is_heartbeat_enabled

    return is_heartbeat_enabled(storage)


def storage_errors() -> tuple[type[Exception], ...]:
    """Return the errors of a storage that is unreachable, full or broken."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError, StorageInternalError, *_proxy_errors())


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn the errors of a storage that is unreachable, full or broken into RlqError; other errors pass through."""
    try:
        yield
    except storage_errors() as error:
        raise RlqError(f"the storage {shown(url)} cannot be used: {_reason(error, url)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's line about every trial, which rlq prints itself, and its notes on new features."""
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
        raise RlqError("--storage journal: names no file; write, for example, journal:/shared/pose_k.log")
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
        raise RlqError(f"--storage {shown(url)}: {error}; use grpc://HOST:PORT") from error
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

    class Storage(RDBStorage):
        """Skips a heartbeat while the database is unreachable, as during a restart; the next one follows."""

        def record_heartbeat(self, trial_id: int) -> None:
            try:
                super().record_heartbeat(trial_id)
            except (StorageInternalError, SQLAlchemyError):
                log.warning("the storage does not accept a heartbeat of this trial now; the next one follows")

    def open_once() -> RDBStorage:
        storage = Storage(
            address,
            engine_kwargs=options,
            heartbeat_interval=heartbeat.interval,
            grace_period=heartbeat.grace,
            heartbeat_stale_trial_callback=stale,
        )
        if path is not None:
            _lock_before_reading(storage.engine)
        else:
            add_retries(storage)
        return storage

    with reaching(url):
        if path is None:
            return retry_colliding(open_once)
        with FileLock(f"{path}.lock"):  # two processes that create the same file break it
            return open_once()


def _lock_before_reading(engine: "Engine") -> None:
    """Make every transaction lock the SQLite file from its first statement on, as SELECT FOR UPDATE does on servers.

    By default the first write locks it, so that two workers can both read that a trial is waiting, and both take it.
    """
    from sqlalchemy import event

    def connect(connection: "DBAPIConnection", _: Any) -> None:
        connection.isolation_level = None  # keep Python's driver from beginning transactions itself

    def begin(connection: "Connection") -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
    engine.dispose()  # existing connections do not lock first


def _driver(url: str) -> tuple[str, dict[str, Any]]:
    """Return the address with our driver for it, and the options of its connections."""
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
    except (ArgumentError, NoSuchModuleError, ValueError) as error:  # ValueError: the port is not a number
        raise RlqError(f"--storage {shown(url)} is not understood; use one of {FORMS}") from error
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
    """Return the first cause in one line, without the password."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(getattr(error, "orig", None) or error).split()).replace(url, shown(url))
    password = re.search("://[^:/@]*:([^@]+)@", url)
    for secret in (password[1], unquote(password[1])) if password else ():
        text = text.replace(secret, "***")
    return text if len(text) <= 300 else text[:297] + "..."
