"""The initial copy of a registry: into a file next to the replica, from one snapshot, then put in place."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from aipolicy.atomic_file import move_into_place, sync
from aipolicy.registry import sqlite
from aipolicy.registry.replica.file import (
    APPLICATION_ID,
    FILE,
    SET_STATUS,
    STATUS_TABLE,
    FileIdentity,
    ReplicaFile,
    StatusRow,
    require_removable,
)
from aipolicy.registry.replica.source import Snapshot, Source
from aipolicy.registry.replica.status import logger
from aipolicy.registry.schema import SCHEMA_VERSION, change, host, host_history, site

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""A progress display: called with a label and the number of rows; yields a function to call with each further
number of rows that are done."""

TABLES: tuple[Table, ...] = (site, host, host_history, change)
"""The large tables, which are copied row by row."""

_DIALECT = sqlite_dialect.dialect()
_CACHE = -65536  # KiB, because the keys of the indexes come in any order


class StoppedError(Exception):
    """The copy was abandoned, because the follower stops or lost its lock."""


def fill(
    source: Source,
    path: Path,
    *,
    current: ReplicaFile | None = None,
    known: FileIdentity | None = None,
    reason: str,
    status: Callable[[int], StatusRow],
    progress: Progress,
    stopped: Callable[[], bool],
) -> None:
    """Fill a replica at ``path``. Readers use the current file until the new one is complete.

    Args:
        current: The valid replica at ``path``, whose contents are replaced.
        known: The damaged replica at ``path``; see ``require_removable``.
        reason: Reason for the log.
        status: Returns the status row of a copy up to a change.
        stopped: Returns True to abandon the copy.

    Raises:
        RegistryError, StoppedError, and the errors of ReplicaFile.
    """
    filling = path.with_name(f"{path.name}.filling")
    _remove(filling)
    try:
        with closing(sqlite3.connect(filling, isolation_level=None)) as connection:
            # The next copy removes what a crash leaves, so neither a log nor syncing is needed.
            for pragma in (
                "journal_mode=OFF",
                "synchronous=OFF",
                "locking_mode=EXCLUSIVE",
                f"cache_size={_CACHE}",
            ):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("BEGIN")
            for statement in create_tables():
                connection.execute(statement)
            with source.snapshot() as snapshot:
                logger.info("filling the replica %s from %s: %s", path, source.name, reason)
                connection.execute(SET_STATUS, status(snapshot.state.last.seq).values())
                _copy(snapshot, connection, progress, stopped)
                inode = filling.stat().st_ino if current is None else current.identity[1]
                _insert_meta(connection, source, snapshot, inode)
            for statement in create_indexes():
                connection.execute(statement)
            connection.execute("COMMIT")
            connection.execute("PRAGMA locking_mode=NORMAL")
            connection.execute("PRAGMA journal_mode=WAL")
        if stopped():
            raise StoppedError
        if current is not None:
            current.copy_from(filling)
        else:
            _put_in_place(filling, path, known)
    finally:
        _remove(filling)


def _copy(
    snapshot: Snapshot, connection: sqlite3.Connection, progress: Progress, stopped: Callable[[], bool]
) -> None:
    with progress("filling the replica", snapshot.count(TABLES)) as advance:
        for table in TABLES:
            values = ", ".join("?" * len(table.c))
            statement = f"INSERT INTO {table.name} ({', '.join(table.c.keys())}) VALUES ({values})"  # noqa: S608
            for rows in snapshot.rows(table):
                connection.executemany(statement, rows)
                advance(len(rows))
                if stopped():
                    raise StoppedError


def _insert_meta(connection: sqlite3.Connection, source: Source, snapshot: Snapshot, inode: int) -> None:
    values = {
        "schema_version": SCHEMA_VERSION,
        "registry_id": snapshot.state.registry_id,
        "replica_of": source.name,
        FILE: str(inode),
    }
    connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", values.items())
    connection.execute("INSERT INTO sequence (id, seq) VALUES (1, ?)", (snapshot.state.last.seq,))


def _put_in_place(filling: Path, path: Path, known: FileIdentity | None) -> None:
    require_removable(path, known)  # again: a file may have appeared during the copy
    sync(filling)  # now, because there is no file at all for a moment
    # A log that is left of a damaged file must not be taken for the new one's.
    _remove(path)
    # Whoever creates the log and its index owns them: see ``file.has_foreign_log``.
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).touch(0o644)
    move_into_place(filling, path)


def create_tables() -> list[str]:
    """Return the statements for the tables of a replica."""
    statements = (CreateTable(table).compile(dialect=_DIALECT) for table in site.metadata.sorted_tables)
    return [*map(str, statements), STATUS_TABLE]


def create_indexes() -> list[str]:
    """Return the statements for indexes and history triggers, which come after the rows."""
    indexes = (CreateIndex(index).compile(dialect=_DIALECT) for table in TABLES for index in table.indexes)
    return [*map(str, indexes), *sqlite.history_triggers()]


def _remove(path: Path) -> None:
    # The file itself last: if its log can't be removed, it can still be read.
    for name in (f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal", path.name):
        with suppress(FileNotFoundError):
            path.with_name(name).unlink()
