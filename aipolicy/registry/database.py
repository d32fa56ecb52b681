"""The database of a registry: connections, transactions, and errors with a fix."""

import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine, insert, inspect, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aipolicy.errors import RegistryError, RegistryURLError
from aipolicy.forks import survive_forks
from aipolicy.registry import postgres, sqlite
from aipolicy.registry.schema import SCHEMA_VERSION, meta, metadata, sequence

_SECRET_OPTION = re.compile(r"([?&](?:ssl)?password=)[^&]*", re.IGNORECASE)
_LOGIN = re.compile(r"([^:/]*:?/+)?([^:]*)(:.*)?", re.DOTALL)


class Backend(Protocol):
    """The functions that differ between databases: the modules ``sqlite`` and ``postgres``."""

    @property
    def WRONG_DATABASE_FIX(self) -> str: ...  # noqa: N802 - a constant of the module
    def open_engine(self, url: URL, *, create: bool) -> Engine: ...
    def writer(self, engine: Engine) -> Engine: ...
    def prepare(self, connection: Connection) -> None: ...
    def begin_reading(self, connection: Connection) -> None: ...
    def lock_creation(self, connection: Connection) -> None: ...
    def protect_history(self, connection: Connection) -> None: ...
    def fix(self, error: DBAPIError) -> str | None: ...


_BACKENDS: dict[str, Backend] = {
    "sqlite": sqlite,
    "sqlite+pysqlite": sqlite,
    "postgres": postgres,  # the spelling of some hosting services
    "postgresql": postgres,
    "postgresql+psycopg": postgres,
}


class Database:
    """An open registry database. Every error of the driver is raised as a RegistryError."""

    def __init__(self, url: str, *, create: bool) -> None:
        self._backend, parsed = _parsed(url)
        self._engine = self._backend.open_engine(parsed, create=create)
        self._writer = self._backend.writer(self._engine)
        self.name = masked(parsed.render_as_string(hide_password=True))
        # Threads queue here: SQLite's own lock is polled, so that some would wait for long.
        self._write_lock = threading.Lock()
        self._writer_thread: int | None = None
        self._closed = False
        self._replica_of = ""
        survive_forks(self)
        try:
            self.registry_id = self._open(create=create)
        except BaseException:
            self.close()
            raise

    def after_fork(self) -> None:
        """Open new connections in a child.

        PostgreSQL's connections stay open: closing them here would end the parent's. SQLite's must be closed
        before another is opened, which would share the locks of this process.
        """
        self._write_lock = threading.Lock()
        self._writer_thread = None
        self._engine.dispose(close=self._backend is sqlite)

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection for one statement, which reads one state of the registry."""
        with self._connection(self._engine) as connection:
            yield connection

    @contextmanager
    def comparing(self) -> Iterator[Connection]:
        """Yield a connection for several statements and temporary tables, without blocking others."""
        with self._connection(self._engine) as connection:
            self._backend.begin_reading(connection)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, which is committed at the end and undone by an exception.

        Raises:
            RegistryError: The registry is a replica, or this thread is in such a transaction already.
        """
        if self._replica_of:
            fix = f"write to the registry itself, {self._replica_of}"
            raise RegistryError(f"'{self.name}' is a read-only replica: {fix}")
        if self._writer_thread == threading.get_ident():
            fix = "write before it begins or after it ends"
            raise RegistryError(f"registry '{self.name}' is in the middle of another write: {fix}")
        with self._write_lock:
            self._writer_thread = threading.get_ident()
            try:
                with self._connection(self._writer) as connection:
                    yield connection
            finally:
                self._writer_thread = None

    @contextmanager
    def _connection(self, engine: Engine) -> Iterator[Connection]:
        if self._closed:
            raise RegistryError(f"registry '{self.name}' is closed: open it again")
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            known = self._backend.fix(error)
            hint = f": {known}" if known else ""
            message = " ".join(str(error.orig).split()).removesuffix(".")  # PostgreSQL's have several lines
            raise RegistryError(f"registry '{self.name}': {message}{hint}") from error
        except PoolTimeoutError as error:
            fix = "try again, or use fewer threads"
            raise RegistryError(f"registry '{self.name}': too many threads use it at once: {fix}") from error

    def _open(self, *, create: bool) -> str:
        with self.reading() as connection:
            registry_id = self._registry_id(connection)
            if registry_id is None and not create:
                fix = "check the address; 'aipolicy set' creates a new registry"
                raise RegistryError(f"registry '{self.name}' is an empty database: {fix}")
            self._backend.prepare(connection)
        if registry_id is not None:
            return registry_id
        with self.writing() as connection:
            self._backend.lock_creation(connection)
            # Another process may have created it first.
            return self._registry_id(connection) or self._create(connection)

    def _create(self, connection: Connection) -> str:
        metadata.create_all(connection, checkfirst=False)
        self._backend.protect_history(connection)
        registry_id = uuid.uuid4().hex
        about = {"schema_version": SCHEMA_VERSION, "registry_id": registry_id}
        connection.execute(insert(meta), [{"key": key, "value": value} for key, value in about.items()])
        connection.execute(insert(sequence), {"id": 1, "seq": 0})
        return registry_id

    def _registry_id(self, connection: Connection) -> str | None:
        """Return the registry's id; None for a database without tables."""
        inspector = inspect(connection)
        tables = inspector.get_table_names()
        if not tables:
            return None
        about: dict[str, str] = {}
        if "meta" in tables and [c["name"] for c in inspector.get_columns("meta")] == meta.c.keys():
            about = {row.key: row.value for row in connection.execute(select(meta))}
        if not about.keys() >= {"schema_version", "registry_id"}:
            fix = self._backend.WRONG_DATABASE_FIX
            raise RegistryError(f"registry '{self.name}' is the database of another program: {fix}")
        if about["schema_version"] != SCHEMA_VERSION:
            fix = f"upgrade aipolicy, which reads version {SCHEMA_VERSION}"
            raise RegistryError(f"registry '{self.name}' has schema version {about['schema_version']}: {fix}")
        self._replica_of = about.get("replica_of", "")
        return about["registry_id"]


def _parsed(url: str) -> tuple[Backend, URL]:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        fix = "use one like sqlite:///aipolicy.db or postgresql://user@host/database"
        name = repr(masked(url) if isinstance(url, str) else url)
        raise RegistryURLError(f"registry {name} is not a URL: {fix}") from None
    backend = _BACKENDS.get(parsed.drivername)
    if backend is None:
        fix = "use sqlite:///aipolicy.db or postgresql://user@host/database"
        raise RegistryURLError(f"registry scheme {parsed.drivername!r} is not supported: {fix}")
    return backend, parsed


def masked(url: str) -> str:
    """Return ``url`` with ``***`` for its password; in a malformed URL, more may be hidden."""
    login, at, rest = url.rpartition("@")
    if at:
        match = _LOGIN.fullmatch(login)
        if match and match[3]:
            login = f"{match[1] or ''}{match[2]}:***"
    return _SECRET_OPTION.sub(r"\1***", f"{login}{at}{rest}")
