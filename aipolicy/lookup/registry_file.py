"""The registry's SQLite file, read in the event loop: in 5 µs, where a thread would need five times that.

It uses ``sqlite3`` directly, because SQLAlchemy would cost more than the read.
"""

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote

from aipolicy.core.checkpoint import COLUMNS, Checkpoint
from aipolicy.errors import RegistryError, RegistryURLError
from aipolicy.lookup.status import ReplicaStatus

_SCHEMA_VERSION = b"1"
_MAX_CHANGES = 1000  # changes that are followed one by one, in some 5 ms of the event loop's time
_BUSY_TIMEOUT = 0.005  # seconds that the event loop waits for a lock

_POLICY = "SELECT s.policy FROM host h JOIN site s ON s.id = h.site_id WHERE h.host = ?"
_REPLICA = """SELECT source, pid, max(0, source_seq - (SELECT seq FROM sequence)), level_at, trouble
    FROM replica"""
_ABOUT = "SELECT key, value FROM meta WHERE key IN ('schema_version', 'registry_id', 'file')"
_LAST = f"""SELECT sequence.seq, {", ".join(COLUMNS[1:])}
    FROM sequence LEFT JOIN change ON change.seq = sequence.seq"""  # noqa: S608 - no input
_CHANGE = f"SELECT {', '.join(COLUMNS)} FROM change WHERE seq = ?"  # noqa: S608 - no input
_CHANGES = "SELECT affected FROM change WHERE seq > ? AND seq <= ?"


def registry_path(registry: str | os.PathLike[str]) -> Path:
    """Return the file of a ``sqlite:///`` URL or a path.

    Raises:
        RegistryURLError, TypeError: It names no file.
    """
    if not isinstance(registry, str | os.PathLike):
        raise TypeError(f"registry is {registry!r}; use a path, or a URL like 'sqlite:///aipolicy.db'")
    path = os.fspath(registry)
    scheme, is_url, rest = path.partition("://")
    if is_url:
        path = unquote(rest.removeprefix("/"))
        if scheme not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/") or "?" in rest:
            fix = "use the path of a SQLite file, or of a replica on this machine"
            raise RegistryURLError(f"registry is a {scheme} URL that doesn't name just a file; {fix}")
    if path in ("", ":memory:"):
        raise RegistryURLError("registry names no file; use one like 'sqlite:///aipolicy.db'")
    return Path(path).absolute()


def reason_of(error: Exception) -> str:
    """Return the reason why a file can't be read, with the fix."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file; 'aipolicy set' creates it"
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the lowest byte is the primary code
    fix = "; make the file readable and its directory writable" if code == sqlite3.SQLITE_CANTOPEN else ""
    return f"{type(error).__name__}: {error}{fix}"


def is_temporary(error: Exception) -> bool:
    """Return True if the file can't be read only because another process has locked it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class CopyError(RegistryError):
    """The file in the place of a replica is a copy, or damaged."""


def check_made_by_follower(path: Path) -> None:
    """Check that the follower made, or took over, the replica at ``path``.

    Only the file is read, without the write-ahead log, which may belong to another file.

    Raises:
        CopyError: It is a copy, or not a valid replica.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'file'").fetchone()
    except sqlite3.Error as error:
        raise CopyError(f"not a valid replica ({error}); the follower will rebuild it") from None
    if row is None or row[0] != str(path.stat().st_ino):
        raise CopyError("a copy of a replica; the follower will rebuild it")


def report_damage(path: Path, error: Exception) -> None:
    """Mark a replica as damaged if ``error`` says so: its follower may never read the damaged part itself."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        with suppress(OSError):  # the log has it, too
            path.with_name(f"{path.name}.damaged").touch()


class RegistryFile:
    """A registry's file, open for reading.

    Every method may raise OSError, sqlite3.Error or RegistryError.

    Attributes:
        identity: Device, inode and process; a connection must not be used across a fork.
        followed: True if it is a replica that its follower made or took over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.identity = _identity(path)
        self._data_version: object = None  # changes when another connection commits
        self._state = b"", Checkpoint()
        self.followed = False
        # Without mmap: it would save 5 %, but the process would die of SIGBUS if the file is truncated.
        self._connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro",
            uri=True,
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,  # event loops in several threads take turns
        )
        # Bytes: text that is not UTF-8 must affect one site, not the whole file.
        self._connection.text_factory = bytes
        try:
            self.state()
            self.policy("")
            if not self.is_in_place():  # the write-ahead log may belong to another file
                raise RegistryError("the file is being replaced")
        except BaseException:
            self.close()
            raise

    def is_readable(self) -> bool:
        """Return True if this process opened it; it may be read even after its path was deleted."""
        return self.identity[2] == os.getpid()

    def is_in_place(self) -> bool:
        """Return True if it is still the file at its path."""
        return _identity(self._path) == self.identity

    def state(self) -> tuple[bytes, Checkpoint]:
        """Return the registry's id and its last change."""
        # Not read if nobody committed since the last time: a change may have megabytes.
        version = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._state = self._read_state()
            self._data_version = version
        return self._state

    def _read_state(self) -> tuple[bytes, Checkpoint]:
        try:
            meta = dict(self._connection.execute(_ABOUT))
            row = self._connection.execute(_LAST).fetchone()
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                raise RegistryError(f"not a registry: {error}") from None
            raise
        version = meta.get(b"schema_version")
        if version != _SCHEMA_VERSION:
            fix = "install the version of aipolicy that writes it"
            raise RegistryError(f"its schema version is {version!r}, not {_SCHEMA_VERSION!r}; {fix}")
        if row is None or not isinstance(row[0], int):
            raise RegistryError("not a registry: it has no sequence number")
        self.followed = meta.get(b"file") == b"%d" % self.identity[1]
        return meta.get(b"registry_id", b""), Checkpoint.from_row(row)

    def policy(self, host: str) -> bytes | None:
        """Return the policy of the site that has ``host``, in JSON, or None."""
        row = self._connection.execute(_POLICY, (host,)).fetchone()
        return None if row is None else row[0] or b""

    def changed(self, known: Checkpoint, last: Checkpoint) -> list[bytes] | None:
        """Return the hosts that changed after ``known`` up to ``last``, or None if any host may have."""
        if last == known:
            return []
        count = last.seq - known.seq
        execute = self._connection.execute
        if count > _MAX_CHANGES or known.changes_after(execute(_CHANGE, (known.seq,)).fetchall()) is None:
            return None
        rows = execute(_CHANGES, (known.seq, last.seq)).fetchall()
        return _hosts(affected for (affected,) in rows) if len(rows) == count else None

    def replica(self) -> ReplicaStatus | None:
        """Return the status that the follower wrote, or None if this is not a replica or can't be read."""
        try:
            row = self._connection.execute(_REPLICA).fetchone()
        except sqlite3.Error:
            return None
        if row is None:
            return None
        source, pid, changes_behind, up_to_date_at, error = row
        return ReplicaStatus(_text(source), pid, changes_behind, up_to_date_at / 1e6, _text(error))

    def close(self) -> None:
        self._connection.close()


def _identity(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino, os.getpid()


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _hosts(affected: Iterable[bytes]) -> list[bytes] | None:
    try:
        return [host.encode("ascii") for hosts in affected for host in json.loads(hosts)]
    except (ValueError, TypeError, AttributeError):  # the caller then forgets every site
        return None
