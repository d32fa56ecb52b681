"""The file of a replica, for the follower that writes it.

Everything here raises OSError, sqlite3.Error or DamagedError.
"""

import json
import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aipolicy.core.checkpoint import COLUMNS, Checkpoint
from aipolicy.errors import RegistryError
from aipolicy.forks import fork_safe_lock
from aipolicy.registry.replica.source import Row
from aipolicy.registry.schema import SCHEMA_VERSION

APPLICATION_ID = 0x41695072
"""SQLite's ``application_id`` of a replica: a follower may replace such a file, however damaged."""

FILE = "file"
"""Key in ``meta`` of the file's inode number: a copy of the file has another inode."""

STATUS_TABLE = """CREATE TABLE replica (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,         -- the registry, without its password
    pid INTEGER NOT NULL,         -- of the follower
    source_seq INTEGER NOT NULL,  -- the registry's latest change, when it was last asked
    level_at INTEGER NOT NULL,    -- when the file was last up to date, in microseconds since the epoch
    trouble TEXT NOT NULL         -- why the follower can't follow; empty if it does
)"""

# A file with another table refuses this (NOT NULL), and is filled again.
SET_STATUS = """INSERT OR REPLACE INTO replica (id, source, pid, source_seq, level_at, trouble)
    VALUES (1, ?, ?, ?, ?, ?)"""

_BUSY = 5.0  # seconds; nobody else writes, but a reader may be recovering the log
SETTLED = 10.0  # seconds during which readers' reports of damage to a file just opened are ignored
_LARGEST_LOG = 64 << 20  # bytes of the log that stay on the disk after a large catch-up

_connection_lock = fork_safe_lock()  # the process doesn't fork while a connection is in use

FileIdentity = tuple[int, int]
"""Device and inode number of a file."""

_SITE = """INSERT INTO site (id, name, policy, seq) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET policy = excluded.policy, seq = excluded.seq"""
_HOSTS_BEFORE = "SELECT hosts FROM change WHERE seq = (SELECT seq FROM site WHERE id = ?)"
_CHANGE = f"SELECT {', '.join(COLUMNS)} FROM change WHERE seq = ?"  # noqa: S608 - no input


class DamagedError(Exception):
    """The file is no longer what the follower wrote, and must be filled again."""


class ReplacedError(Exception):
    """Another file took the place of the replica."""


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A row of the table ``replica``; see ``STATUS_TABLE``."""

    source: str
    source_seq: int
    level_at: int
    trouble: str = ""

    def values(self) -> Row:
        """Return the values for ``SET_STATUS``."""
        return self.source, os.getpid(), self.source_seq, self.level_at, self.trouble


class ReplicaFile:
    """An open replica file.

    Attributes:
        identity: Identity of the file when it was opened.
        last: The latest change in it.
        level_at: When it was last up to date, in microseconds since the epoch.

    Raises:
        DamagedError: The file isn't a valid replica.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = time.monotonic()
        self._is_copying = False
        with _connection_lock:
            self._open(path)

    def _open(self, path: Path) -> None:
        self.identity = _identity(path)
        number = str(self.identity[1])
        if _size(path.with_name(f"{path.name}-wal")) and _stored_inode(path) not in (number, None):
            raise DamagedError("it is a copy of a replica, next to the log of another one")
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # synchronous=NORMAL: changes lost in a power failure are fetched again, because their number is
            # lost in the same transaction.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"journal_size_limit={_LARGEST_LOG}"):
                self._connection.execute(f"PRAGMA {pragma}")
            about = dict(self._connection.execute("SELECT key, value FROM meta"))
            if not about.keys() >= {"replica_of", "registry_id"} or about["schema_version"] != SCHEMA_VERSION:
                raise DamagedError("it is not a replica, or one of another version")
            if about.get(FILE) != number:
                self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (FILE, number))
                self._connection.execute("PRAGMA wal_checkpoint")  # readers read it without the log
            self.registry_id: str = about["registry_id"]
            ((seq,),) = self._connection.execute("SELECT seq FROM sequence")
            self.last = self._mark(seq)
            level = self._connection.execute("SELECT level_at FROM replica").fetchone()
            self.level_at: int = level[0] if level else 0
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with _connection_lock:
            self._connection.close()

    def close_in_child(self) -> None:
        """Close the parent's connection, whose locks a lookup's connection in this process would share."""
        if not self._is_copying:  # otherwise the copying thread, which is gone here, still owns it
            self._connection.close()

    def check(self) -> None:
        """Raise DamagedError if the file was deleted, truncated or overwritten, or ReplacedError."""
        try:
            identity = _identity(self.path)
        except FileNotFoundError:
            raise DamagedError("it was deleted") from None
        if identity != self.identity:
            raise ReplacedError
        self._check_reports()
        try:
            _application_id(self.path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            raise DamagedError("it was truncated or overwritten") from None

    def _check_reports(self) -> None:
        with suppress(FileNotFoundError):
            self.path.with_name(f"{self.path.name}.damaged").unlink()
            # Not sooner: a reader that fails for another reason must not keep the replica from following.
            if time.monotonic() - self._opened >= SETTLED:
                raise DamagedError("a reader found it damaged")

    @property
    def seq(self) -> int:
        """Number of the latest change."""
        return self.last.seq

    def has(self, change: Checkpoint) -> bool:
        """Return True if the replica has this change."""
        with _connection_lock:
            return self._mark(change.seq) == change

    def apply(self, changes: Sequence[Row], status: StatusRow) -> None:
        """Apply the next changes (rows of the table, at least one), all or none of them."""
        with _connection_lock:
            self._apply_all(changes, status)

    def _apply_all(self, changes: Sequence[Row], status: StatusRow) -> None:
        execute = self._connection.execute
        seq = self.seq
        execute("BEGIN IMMEDIATE")
        try:
            for row in changes:
                seq += 1
                if row[0] != seq:
                    raise DamagedError(f"change {seq} is missing in the registry")
                self._apply(row)
            execute("UPDATE sequence SET seq = ?", (seq,))
            execute(SET_STATUS, status.values())
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        self.last = Checkpoint.from_row(changes[-1])

    def set_status(self, status: StatusRow) -> None:
        """Write the follower's status for other processes."""
        with _connection_lock:
            self._connection.execute(SET_STATUS, status.values())

    def copy_from(self, filled: Path) -> None:
        """Replace the contents by those of another file, at once for every reader."""
        other = sqlite3.connect(filled)
        self._is_copying = True
        try:
            other.backup(self._connection)
        finally:
            self._is_copying = False
            other.close()

    def _mark(self, seq: int) -> Checkpoint:
        row = self._connection.execute(_CHANGE, (seq,)).fetchone()
        return Checkpoint.from_row(row) if row else Checkpoint(seq)

    def _apply(self, row: Row) -> None:
        seq, at, _, site_id, name, policy, hosts, _ = row
        execute = self._connection.execute
        known = execute(_HOSTS_BEFORE, (site_id,)).fetchone()
        execute(_SITE, (site_id, name, policy, seq))
        if known is None or known[0] != hosts:
            before = set(json.loads(known[0])) if known else set()
            after = set(json.loads(hosts))
            removed, added = sorted(before - after), sorted(after - before)
            many: Any = self._connection.executemany
            many("DELETE FROM host WHERE host = ?", [(moved,) for moved in removed])
            many("INSERT INTO host (host, site_id) VALUES (?, ?)", [(moved, site_id) for moved in added])
            moves = [(moved, at, seq, None) for moved in removed] + [(m, at, seq, site_id) for m in added]
            many("INSERT INTO host_history (host, at, seq, site_id) VALUES (?, ?, ?, ?)", moves)
        execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def open_replica(path: Path) -> ReplicaFile | None:
    """Open the replica at ``path``; return None if there is no file.

    Raises:
        DamagedError: The replica is damaged.
        RegistryError: The file isn't a replica.
    """
    if not _is_ours(path):
        return None
    try:
        return ReplicaFile(path)
    except sqlite3.DatabaseError as error:
        if _is_damage(error) or error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR:
            raise DamagedError(str(error)) from error
        raise


def has_foreign_log(path: Path, error: Exception) -> bool:
    """Return True if only the log keeps us from writing the file, and we may remove the log.

    A reader of another user that opens the file first, as after a reboot, creates the log and owns it. The
    file itself can be replaced by one with a log of ours, except in a directory like /tmp, where only the
    owners of a file and of the directory may remove it.
    """
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF != sqlite3.SQLITE_READONLY or code == sqlite3.SQLITE_READONLY_DBMOVED:
        return False
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) and _may_remove_log(path)


def _may_remove_log(path: Path) -> bool:
    folder = path.parent
    if not folder.stat().st_mode & stat.S_ISVTX:
        return True
    owners = {found.stat().st_uid for found in (folder, path.with_name(f"{path.name}-wal")) if found.exists()}
    return os.geteuid() in owners | {0}


def require_removable(path: Path, known: FileIdentity | None) -> None:
    """Raise RegistryError if the file at ``path`` isn't a replica; ``known`` is one, however damaged."""
    with suppress(FileNotFoundError, DamagedError):
        if _identity(path) != known:
            _is_ours(path)


def _is_ours(path: Path) -> bool:
    """Return True if a follower made the file, False if there is none. Raises as ``open_replica``."""
    try:
        if not path.stat().st_size:
            raise DamagedError("it is empty")
        ours = _application_id(path, truncated=True) == APPLICATION_ID
    except FileNotFoundError:
        return False
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        ours = False
    if not ours:
        fix = "use another file, or remove this one"
        raise RegistryError(f"'{path}' exists, and is not a replica: {fix}")
    return True


def _application_id(path: Path, *, truncated: bool = False) -> int:
    """Return the ``application_id`` in the file's header, which may be ``truncated``."""
    with closing(_without_log(path)) as connection:
        if truncated:
            connection.execute("PRAGMA writable_schema=ON")  # makes SQLite accept a wrong file size
        ((found,),) = connection.execute("PRAGMA application_id")
    return int(found)


def _stored_inode(path: Path) -> str | None:
    """Return the inode number that is stored in the file."""
    with closing(_without_log(path)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = ?", (FILE,)).fetchone()
    return row[0] if row else None


def _without_log(path: Path) -> sqlite3.Connection:
    """Open the file without its log.

    Only SQLite may open it: closing any other descriptor would release this process's POSIX locks on it.
    """
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _identity(path: Path) -> FileIdentity:
    found = path.stat()
    return found.st_dev, found.st_ino
