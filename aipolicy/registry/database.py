"""Opening a registry's database: whose it is, what it lacks, and errors that say what to do."""

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
from aipolicy.registry.url import masked


class Kind(Protocol):
    """What one kind of database does in its own way: the modules ``sqlite`` and ``postgres``."""

    @property
    def ELSEWHERE(self) -> str: ...  # noqa: N802 - a constant of the module
    def open_engine(self, url: URL, *, create: bool) -> Engine: ...
    def writer(self, engine: Engine) -> Engine: ...
    def prepare(self, connection: Connection) -> None: ...
    def begin_reading(self, connection: Connection) -> None: ...
    def lock_creation(self, connection: Connection) -> None: ...
    def protect_history(self, connection: Connection) -> None: ...
    def fix(self, error: DBAPIError) -> str | None: ...


_KINDS: dict[str, Kind] = {
    "sqlite": sqlite,
    "sqlite+pysqlite": sqlite,
    "postgres": postgres,  # as some hosting services write it
    "postgresql": postgres,
    "postgresql+psycopg": postgres,
}


class Database:
    """An open database that is a registry. Every error of the driver comes out as a RegistryError."""

    def __init__(self, url: str, *, create: bool) -> None:
        self._kind, parsed = _parsed(url)
        self._engine = self._kind.open_engine(parsed, create=create)
        self._writer = self._kind.writer(self._engine)
        self.name = masked(parsed.render_as_string(hide_password=True))
        # Threads queue for their turn here; SQLite's own lock is polled, and the unlucky wait long.
        self._turn = threading.Lock()
        self._at_work: int | None = None  # the thread whose turn it is
        self._closed = False
        self._replica_of = ""
        survive_forks(self)
        try:
            self.registry_id = self._open(create=create)
        except BaseException:
            self.close()
            raise

    def after_fork(self) -> None:
        """Connect anew in a child.

        PostgreSQL's connections stay the parent's: closed here, they would end there. SQLite's must be closed
        before another is opened, which would share what this process takes for its locks.
        """
        self._turn = threading.Lock()
        self._at_work = None
        self._engine.dispose(close=self._kind is sqlite)

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one statement: what it reads is one state of the registry."""
        with self._connection(self._engine) as connection:
            yield connection

    @contextmanager
    def comparing(self) -> Iterator[Connection]:
        """A connection for several statements, with temporary tables; nobody waits for it."""
        with self._connection(self._engine) as connection:
            self._kind.begin_reading(connection)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed at the end and undone by an exception.

        Raises RegistryError also within another one of the same thread, which would wait for itself.
        """
        if self._replica_of:
            fix = f"write to the registry itself, {self._replica_of}"
            raise RegistryError(f"'{self.name}' is a replica, which its follower alone writes: {fix}")
        if self._at_work == threading.get_ident():
            fix = "do it before, or afterwards"
            raise RegistryError(f"registry '{self.name}' can't be written while a write goes on: {fix}")
        with self._turn:
            self._at_work = threading.get_ident()
            try:
                with self._connection(self._writer) as connection:
                    yield connection
            finally:
                self._at_work = None

    @contextmanager
    def _connection(self, engine: Engine) -> Iterator[Connection]:
        if self._closed:
            raise RegistryError(f"registry '{self.name}' is closed: open it again")
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            known = self._kind.fix(error)
            hint = f": {known}" if known else ""
            said = " ".join(str(error.orig).split()).removesuffix(".")  # PostgreSQL's have several lines
            raise RegistryError(f"registry '{self.name}': {said}{hint}") from error
        except PoolTimeoutError as error:
            fix = "too many threads use it at once: try again, or use fewer"
            raise RegistryError(f"registry '{self.name}': {fix}") from error

    def _open(self, *, create: bool) -> str:
        with self.reading() as connection:
            registry_id = self._registry_id(connection)
            if registry_id is None and not create:
                fix = "check the address; 'aipolicy set' makes a new registry"
                raise RegistryError(f"registry '{self.name}' is an empty database: {fix}")
            self._kind.prepare(connection)
        if registry_id is not None:
            return registry_id
        with self.writing() as connection:
            self._kind.lock_creation(connection)
            # Another process may have been quicker.
            return self._registry_id(connection) or self._create(connection)

    def _create(self, connection: Connection) -> str:
        metadata.create_all(connection, checkfirst=False)
        self._kind.protect_history(connection)
        registry_id = uuid.uuid4().hex
        about = {"schema_version": SCHEMA_VERSION, "registry_id": registry_id}
        connection.execute(insert(meta), [{"key": key, "value": value} for key, value in about.items()])
        connection.execute(insert(sequence), {"id": 1, "seq": 0})
        return registry_id

    def _registry_id(self, connection: Connection) -> str | None:
        """Which registry this is; None for a database without a table."""
        inspector = inspect(connection)
        tables = inspector.get_table_names()
        if not tables:
            return None
        about: dict[str, str] = {}
        if "meta" in tables and [c["name"] for c in inspector.get_columns("meta")] == meta.c.keys():
            about = {row.key: row.value for row in connection.execute(select(meta))}
        if not about.keys() >= {"schema_version", "registry_id"}:
            fix = self._kind.ELSEWHERE
            raise RegistryError(f"registry '{self.name}' is another program's database: {fix}")
        if about["schema_version"] != SCHEMA_VERSION:
            fix = f"this aipolicy reads version {SCHEMA_VERSION}: upgrade it"
            raise RegistryError(f"registry '{self.name}' has schema version {about['schema_version']}: {fix}")
        self._replica_of = about.get("replica_of", "")
        return about["registry_id"]


def _parsed(url: str) -> tuple[Kind, URL]:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        fix = "write one like sqlite:///aipolicy.db or postgresql://user@host/database"
        raise RegistryURLError(f"registry {_shown(url)} is no URL: {fix}") from None
    kind = _KINDS.get(parsed.drivername)
    if kind is None:
        fix = "write sqlite:///aipolicy.db or postgresql://user@host/database"
        raise RegistryURLError(f"registry scheme {parsed.drivername!r} is not supported: {fix}")
    return kind, parsed


def _shown(url: object) -> str:
    return repr(masked(url) if isinstance(url, str) else url)
