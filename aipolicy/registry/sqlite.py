"""The SQLite backend: its file, pragmas, transactions and triggers."""

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
"""Seconds that a writer waits for the lock."""

WRONG_DATABASE_FIX = "check the path, or name a new file"

_WRITES = "aipolicy_writes"
_POLL = 0.002  # seconds between two tries to take the lock

_FIXES = {
    sqlite3.SQLITE_BUSY: f"another process wrote to it for more than {BUSY_SECONDS:g} s: try again",
    sqlite3.SQLITE_CANTOPEN: "check the path, and the permissions of the file and its directory",
    sqlite3.SQLITE_CORRUPT: "restore it from a backup",
    sqlite3.SQLITE_FULL: "free space on the disk",
    sqlite3.SQLITE_IOERR: "check the disk and its free space",
    sqlite3.SQLITE_NOTADB: "check the path: it is not a SQLite file",
    sqlite3.SQLITE_PERM: "check the permissions of the file and its directory",
    sqlite3.SQLITE_READONLY: "check the permissions of the file and its directory",
}


def open_engine(url: URL, *, create: bool) -> Engine:
    """Return an engine for the file; nothing is read or created yet. Raises RegistryURLError."""
    path = Path(url.database or "")
    server = url.username or url.password or url.host or url.port
    if server or url.database in (None, "", ":memory:"):
        fix = "use sqlite:///file.db, or sqlite:////srv/file.db for an absolute path"
        raise RegistryURLError(f"registry '{url}' has no file name: {fix}")
    if url.query:
        raise RegistryURLError(f"registry '{url}' has options after '?': remove them, SQLite takes none")
    if not path.parent.is_dir():
        raise RegistryURLError(f"registry '{url}': the directory '{path.parent}' doesn't exist: create it")
    if not create and not path.exists():
        fix = "check the path; 'aipolicy set' creates a new registry"
        raise RegistryURLError(f"registry '{url}': the file '{path}' doesn't exist: {fix}")
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def writer(engine: Engine) -> Engine:
    """Return the same engine and pool, with transactions that hold the write lock from their beginning."""
    return engine.execution_options(**{_WRITES: True})


def prepare(connection: Connection) -> None:
    """Switch the file to WAL mode for good, in which readers and a writer don't block each other."""
    # SQLite itself doesn't wait here: a second process that opens a new file would fail at once.
    _execute_unlocked(connection, "PRAGMA journal_mode=WAL")


def begin_reading(connection: Connection) -> None:
    """Begin a transaction that takes no lock before its first read."""
    connection.exec_driver_sql("BEGIN")


def lock_creation(connection: Connection) -> None:
    """Do nothing: a writer holds the lock from its beginning."""


def protect_history(connection: Connection) -> None:
    """Create triggers that make the history append-only."""
    for trigger in history_triggers():
        connection.exec_driver_sql(trigger)


def history_triggers() -> Iterator[str]:
    """Yield the CREATE TRIGGER statements. They cover REPLACE too, which fires no DELETE trigger."""
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
    """Return the fix for an error of the driver, if there is a known one."""
    return _FIXES.get(_code(error))


def _code(error: DBAPIError) -> int:
    # The lowest byte is the primary code; the others distinguish its variants.
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def _on_connect(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver begins transactions late, and never before a SELECT. As SQLAlchemy's documentation advises,
    # the driver begins none and _on_begin does.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    # In WAL mode a committed change survives a power failure only with FULL.
    connection.execute("PRAGMA synchronous=FULL")


def _on_begin(connection: Connection) -> None:
    # A reader executes one statement at a time, which sees one snapshot. A writer takes the lock before it
    # reads: two that read first and write later would deadlock.
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            _execute_unlocked(connection, "BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _execute_unlocked(connection: Connection, statement: str) -> None:
    """Execute a statement once nobody else holds the lock.

    SQLite's own wait ends up polling ten times a second, and may never meet the gap between the transactions
    of a busy writer such as an import.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql(statement)
        except OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_POLL)
        else:
            return
