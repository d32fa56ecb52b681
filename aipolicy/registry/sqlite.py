"""What is SQLite's own: the file, its pragmas, its transactions, its triggers. All else is portable."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from aipolicy.errors import RegistryURLError

BUSY_SECONDS = 5.0
"""How long a writer waits for another one."""

ELSEWHERE = "check the path, or name a new file"

_WRITES = "aipolicy_writes"
_LOOK = 0.002  # seconds between two looks whether the lock is free

_FIXES = {
    sqlite3.SQLITE_BUSY: f"another process wrote to it for more than {BUSY_SECONDS:g} s: try again",
    sqlite3.SQLITE_CANTOPEN: "check the path and who may read and write it and its directory",
    sqlite3.SQLITE_CORRUPT: "restore it from a backup",
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_IOERR: "check the disk, and whether there is room on it",
    sqlite3.SQLITE_NOTADB: "check the path: it is no SQLite file",
    sqlite3.SQLITE_PERM: "check who may read and write it and its directory",
    sqlite3.SQLITE_READONLY: "check who may write it and its directory",
}


def open_engine(url: URL, *, create: bool) -> Engine:
    """An engine for the file that ``url`` names; nothing is read or made yet. Raises RegistryURLError."""
    path = Path(url.database or "")
    elsewhere = url.username or url.password or url.host or url.port
    if elsewhere or url.database in (None, "", ":memory:"):
        fix = "write sqlite:///file.db, or sqlite:////srv/file.db for an absolute path"
        raise RegistryURLError(f"registry '{url}' names no file: {fix}")
    if url.query:
        raise RegistryURLError(f"registry '{url}' has options after '?': a SQLite registry takes none")
    if not path.parent.is_dir():
        raise RegistryURLError(f"registry '{url}': there is no directory '{path.parent}': make it first")
    if not create and not path.exists():
        fix = "check the path; 'aipolicy set' makes a new registry"
        raise RegistryURLError(f"registry '{url}': there is no file '{path}': {fix}")
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def writer(engine: Engine) -> Engine:
    """The same engine and pool, whose transactions hold the write lock from their beginning."""
    return engine.execution_options(**{_WRITES: True})


def prepare(connection: Connection) -> None:
    """Let readers read while one writes. The file remembers it."""
    # SQLite doesn't wait for its turn here: a second process that opens a new file is told at once.
    _patiently(connection, "PRAGMA journal_mode=WAL")


def begin_reading(connection: Connection) -> None:
    """One transaction for several statements, which takes no lock before it reads."""
    connection.exec_driver_sql("BEGIN")


def lock_creation(connection: Connection) -> None:
    """Nothing: a writer has the lock from its beginning."""


def protect_history(connection: Connection) -> None:
    """Refuse whatever would rewrite the history, REPLACE (which fires no DELETE trigger) included."""
    for trigger in history_triggers():
        connection.exec_driver_sql(trigger)


def history_triggers() -> Iterator[str]:
    """The statements that make the history append-only."""
    for table, seq_taken in (
        ("change", "NEW.seq <= (SELECT max(seq) FROM change)"),
        ("host_history", "NEW.seq <= (SELECT max(seq) FROM host_history WHERE host = NEW.host)"),
    ):
        refuse = f"BEGIN SELECT RAISE(ABORT, 'the history is append-only: {table}'); END"
        for verb in ("UPDATE", "DELETE"):
            name = f"{table}_refuses_{verb.lower()}"
            yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {refuse}"
        when = f"BEFORE INSERT ON {table} WHEN {seq_taken}"
        yield f"CREATE TRIGGER {table}_refuses_replace {when} {refuse}"


def fix(error: DBAPIError) -> str | None:
    """What to do about an error of the driver, where that is known."""
    return _FIXES.get(_code(error))


def _code(error: DBAPIError) -> int:
    # The lowest byte is the primary code; the rest tells its kinds apart.
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def _on_connect(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions late, and never before a SELECT. SQLAlchemy's documented way out:
    # the driver begins none, _on_begin does.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    # In WAL mode FULL is what makes an acknowledged change survive a power failure.
    connection.execute("PRAGMA synchronous=FULL")


def _on_begin(connection: Connection) -> None:
    # A reader asks one statement at a time, which is a snapshot by itself. A writer takes the lock before it
    # reads: two that read first and write later would lock each other out.
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            _patiently(connection, "BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _patiently(connection: Connection, statement: str) -> None:
    """Execute it, once nobody else has the lock.

    SQLite itself looks ten times a second in the end: behind a writer that is nearly always at work, like an
    import, it may look for long.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql(statement)
        except OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK)
        else:
            return
