"""A replica's first fill: into a file beside it, from one moment of the registry, and then put in place."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

from aipolicy.registry.replica.file import Identity, Note, ReplicaFile, claim
from aipolicy.registry.replica.source import Snapshot, Source
from aipolicy.registry.replica.status import logger
from aipolicy.registry.replica.tables import APPLICATION_ID, FILE, NOTE, TABLES, indexes, tables
from aipolicy.registry.schema import SCHEMA_VERSION

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""What is done, and how many rows that is → what to call with rows done."""

_CACHE = -65536  # KiB: keys of the indexes come in any order


class StoppedError(Exception):
    """The fill was given up, because the follower is to end, or the file is no longer its own."""


def fill(
    source: Source,
    path: Path,
    *,
    in_place_of: ReplicaFile | None = None,
    known: Identity | None = None,
    why: str,
    note: Callable[[int], Note],
    progress: Progress,
    stopped: Callable[[], bool],
) -> None:
    """Fill a replica at ``path``. What is there is read until the new one is whole.

    ``in_place_of``: the sound replica that is there. ``known``: the damaged one, see ``file.claim``.
    ``why`` it is filled, for the log.
    ``note`` says what the file is to tell of itself, for a fill up to that change, begun now.
    Raises as ReplicaFile does, RegistryError, StoppedError.
    """
    filling = path.with_name(f"{path.name}.filling")
    _remove(filling)
    try:
        with closing(sqlite3.connect(filling, isolation_level=None)) as connection:
            # A crash leaves ruins, which the next fill removes: no log, and no waiting for the disk.
            for pragma in (
                "journal_mode=OFF",
                "synchronous=OFF",
                "locking_mode=EXCLUSIVE",
                f"cache_size={_CACHE}",
            ):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("BEGIN")
            for statement in tables():
                connection.execute(statement)
            with source.snapshot() as snapshot:
                logger.info("the replica %s is filled from %s: %s", path, source.name, why)
                connection.execute(NOTE, note(snapshot.state.last.seq).row())
                _copy(snapshot, connection, progress, stopped)
                number = filling.stat().st_ino if in_place_of is None else in_place_of.identity[1]
                _about(connection, source, snapshot, number)
            for statement in indexes():
                connection.execute(statement)
            connection.execute("COMMIT")
            connection.execute("PRAGMA locking_mode=NORMAL")
            connection.execute("PRAGMA journal_mode=WAL")
        if stopped():
            raise StoppedError
        if in_place_of is not None:
            in_place_of.become(filling)
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


def _about(connection: sqlite3.Connection, source: Source, snapshot: Snapshot, number: int) -> None:
    about = {
        "schema_version": SCHEMA_VERSION,
        "registry_id": snapshot.state.registry_id,
        "replica_of": source.name,
        FILE: str(number),
    }
    connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", about.items())
    connection.execute("INSERT INTO sequence (id, seq) VALUES (1, ?)", (snapshot.state.last.seq,))


def _put_in_place(filling: Path, path: Path, known: Identity | None) -> None:
    claim(path, known)  # it may be there just now
    with filling.open("rb") as file:
        os.fsync(file.fileno())
    # What a lost or damaged file left behind. Its log first of all must not be taken for the new one's.
    _remove(path)
    # Whoever makes the log and its index owns them: see ``file.is_shut_out``.
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).touch(0o644)
    filling.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(path: Path) -> None:
    # Last the file itself: one whose log isn't ours to remove is still read.
    for name in (f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal", path.name):
        with suppress(FileNotFoundError):
            path.with_name(name).unlink()
