"""A replica's file as its follower writes it. All here raises OSError, sqlite3.Error or DamagedError."""

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

from aipolicy.core.checkpoint import COLUMNS, Mark
from aipolicy.errors import RegistryError
from aipolicy.forks import fork_safe_lock
from aipolicy.registry.replica.source import Row
from aipolicy.registry.replica.tables import APPLICATION_ID, FILE, NOTE
from aipolicy.registry.schema import SCHEMA_VERSION

_BUSY = 5.0  # seconds; nobody else writes, but a reader may be recovering the log
SETTLED = 10.0  # seconds for which a file that was just opened is taken to be sound
_LARGEST_LOG = 64 << 20  # octets that the log may keep on the disk after a large catch-up

_at_work = fork_safe_lock()  # no follower's connection is in use when the process forks

Identity = tuple[int, int]
"""Of a file: its device and its number there."""

_SITE = """INSERT INTO site (id, name, policy, seq) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET policy = excluded.policy, seq = excluded.seq"""
_HOSTS_BEFORE = "SELECT hosts FROM change WHERE seq = (SELECT seq FROM site WHERE id = ?)"
_CHANGE = f"SELECT {', '.join(COLUMNS)} FROM change WHERE seq = ?"  # noqa: S608 - no input


class DamagedError(Exception):
    """The file is no longer what the follower wrote: it must be filled anew."""


class ReplacedError(Exception):
    """Another file is in its place, and whose that is must be seen first."""


@dataclass(frozen=True, slots=True)
class Note:
    """How far the follower is, as it says in the file; see ``layout.STATUS_TABLE``."""

    source: str
    source_seq: int
    level_at: int
    trouble: str = ""

    def row(self) -> Row:
        return self.source, os.getpid(), self.source_seq, self.level_at, self.trouble


class ReplicaFile:
    """The file of a replica that was filled. Raises DamagedError where it is none (any more)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = time.monotonic()
        self._is_taking_over = False
        with _at_work:
            self._open(path)

    def _open(self, path: Path) -> None:
        self.identity = _identity(path)
        number = str(self.identity[1])
        if _size(path.with_name(f"{path.name}-wal")) and _number(path) not in (number, None):
            raise DamagedError("it is a copy, and the log beside it is another one's")
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # What a power failure takes from the log is fetched again: the number goes with the rows.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"journal_size_limit={_LARGEST_LOG}"):
                self._connection.execute(f"PRAGMA {pragma}")
            about = dict(self._connection.execute("SELECT key, value FROM meta"))
            if not about.keys() >= {"replica_of", "registry_id"} or about["schema_version"] != SCHEMA_VERSION:
                raise DamagedError("it is no replica, or one of another version")
            if about.get(FILE) != number:
                self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (FILE, number))
                self._connection.execute("PRAGMA wal_checkpoint")  # readers look for it in the file alone
            self.registry_id: str = about["registry_id"]
            ((seq,),) = self._connection.execute("SELECT seq FROM sequence")
            self.last = self._mark(seq)
            level = self._connection.execute("SELECT level_at FROM replica").fetchone()
            self.level_at: int = level[0] if level else 0
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with _at_work:
            self._connection.close()

    def close_in_child(self) -> None:
        """Close the parent's connection, or a lookup's would share what SQLite takes for its locks here."""
        if not self._is_taking_over:  # then the thread that does so has it in its hands for ever
            self._connection.close()

    def check(self) -> None:
        """Raises DamagedError where another process deleted, cut or overwrote it, and ReplacedError."""
        try:
            identity = _identity(self.path)
        except FileNotFoundError:
            raise DamagedError("it was deleted") from None
        if identity != self.identity:
            raise ReplacedError
        self._hear_readers()
        try:
            _application_id(self.path)
        except sqlite3.DatabaseError as error:
            if not _ruins(error):
                raise
            raise DamagedError("it was cut or overwritten") from None

    def _hear_readers(self) -> None:
        with suppress(FileNotFoundError):
            self.path.with_name(f"{self.path.name}.damaged").unlink()
            # Whatever it is that one of them meets again and again: the rest of the time is for the others.
            if time.monotonic() - self._opened >= SETTLED:
                raise DamagedError("a reader found it damaged")

    @property
    def seq(self) -> int:
        """The number of the latest change."""
        return self.last.seq

    def has(self, change: Mark) -> bool:
        """Whether that change is here, as it is there."""
        with _at_work:
            return self._mark(change.seq) == change

    def apply(self, changes: Sequence[Row], note: Note) -> None:
        """Make the next ``changes``, rows of the table, at least one; all or none of them."""
        with _at_work:
            self._apply_all(changes, note)

    def _apply_all(self, changes: Sequence[Row], note: Note) -> None:
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
            execute(NOTE, note.row())
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        self.last = Mark.of(changes[-1])

    def note(self, note: Note) -> None:
        with _at_work:
            self._connection.execute(NOTE, note.row())

    def become(self, filled: Path) -> None:
        """Take over all that is in another file, at once for every reader."""
        other = sqlite3.connect(filled)
        self._is_taking_over = True
        try:
            other.backup(self._connection)
        finally:
            self._is_taking_over = False
            other.close()

    def _mark(self, seq: int) -> Mark:
        row = self._connection.execute(_CHANGE, (seq,)).fetchone()
        return Mark.of(row) if row else Mark(seq)

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


def existing(path: Path) -> ReplicaFile | None:
    """The replica at ``path``; None where one is to be filled there.

    Raises DamagedError for the ruins of one, RegistryError for a file that is something else, and not ours.
    """
    if not _is_ours(path):
        return None
    try:
        return ReplicaFile(path)
    except sqlite3.DatabaseError as error:
        if _ruins(error) or error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR:
            raise DamagedError(str(error)) from error
        raise


def is_shut_out(path: Path, error: Exception) -> bool:
    """Whether ``error`` says that only the log of a file keeps us from writing it.

    A reader that is another user makes the log where it comes first, as after a reboot; it is its own then,
    with the file's mode. The file we may write, or replace by one with a log of ours.

    Not so in a directory like /tmp, where a file is its owner's or the directory's owner's to remove.
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


def claim(path: Path, known: Identity | None) -> None:
    """See that what is at ``path``, if anything, may be removed: ``known`` is ours whatever it looks like.

    Raises RegistryError where it may not.
    """
    with suppress(FileNotFoundError, DamagedError):
        if _identity(path) != known:
            _is_ours(path)


def _is_ours(path: Path) -> bool:
    """Whether a file is there that a follower made, however damaged; False: there is none. Raises, too."""
    try:
        if not path.stat().st_size:
            raise DamagedError("it is empty")
        ours = _application_id(path, sound=False) == APPLICATION_ID
    except FileNotFoundError:
        return False
    except sqlite3.DatabaseError as error:
        if not _ruins(error):
            raise
        ours = False
    if not ours:
        fix = "name another file, or remove it"
        raise RegistryError(f"'{path}' is there already, and is no replica: {fix}")
    return True


def _application_id(path: Path, *, sound: bool = True) -> int:
    """What the file's header says, whatever is in its log; where it isn't ``sound``, it may have been cut."""
    with closing(_without_log(path)) as connection:
        if not sound:
            connection.execute("PRAGMA writable_schema=ON")  # then SQLite takes the size for what it is
        ((found,),) = connection.execute("PRAGMA application_id")
    return int(found)


def _number(path: Path) -> str | None:
    """Which file it says that it is."""
    with closing(_without_log(path)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = ?", (FILE,)).fetchone()
    return row[0] if row else None


def _without_log(path: Path) -> sqlite3.Connection:
    """The file alone. By SQLite: closed by other means, it would lose all locks of this process (POSIX)."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _ruins(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _identity(path: Path) -> Identity:
    found = path.stat()
    return found.st_dev, found.st_ino
