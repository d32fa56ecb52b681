"""The registry's SQLite file, read in the event loop: a point read takes 5 µs, a thread hop five times that.

With ``sqlite3`` alone: SQLAlchemy would cost more than the read itself.
"""

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote

from aipolicy.core.checkpoint import COLUMNS, Mark
from aipolicy.errors import RegistryError, RegistryURLError
from aipolicy.lookup.status import ReplicaStatus

_SCHEMA_VERSION = b"1"
_MOST_CHANGES = 1000  # to follow one by one, in some 5 ms; more would hold up the event loop for too long
_BUSY = 0.005  # seconds to wait for a lock: they hold up the event loop

_POLICY = "SELECT s.policy FROM host h JOIN site s ON s.id = h.site_id WHERE h.host = ?"
_REPLICA = """SELECT source, pid, max(0, source_seq - (SELECT seq FROM sequence)), level_at, trouble
    FROM replica"""
_ABOUT = "SELECT key, value FROM meta WHERE key IN ('schema_version', 'registry_id', 'file')"
_LAST = f"""SELECT sequence.seq, {", ".join(COLUMNS[1:])}
    FROM sequence LEFT JOIN change ON change.seq = sequence.seq"""  # noqa: S608 - no input
_CHANGE = f"SELECT {', '.join(COLUMNS)} FROM change WHERE seq = ?"  # noqa: S608 - no input
_CHANGES = "SELECT affected FROM change WHERE seq > ? AND seq <= ?"


def registry_path(registry: str | os.PathLike[str]) -> Path:
    """The file of a ``sqlite:///`` URL or a path. Raises RegistryURLError, TypeError."""
    if not isinstance(registry, str | os.PathLike):
        raise TypeError(f"registry is {registry!r}: give a path, or a URL like 'sqlite:///aipolicy.db'")
    path = os.fspath(registry)
    scheme, is_url, rest = path.partition("://")
    if is_url:
        path = unquote(rest.removeprefix("/"))
        if scheme not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/") or "?" in rest:
            fix = "give the path of a SQLite file, or of this machine's replica"
            raise RegistryURLError(f"registry is a {scheme} URL that names no file alone: {fix}")
    if path in ("", ":memory:"):
        raise RegistryURLError("registry names no file: give one, like 'sqlite:///aipolicy.db'")
    return Path(path).absolute()


def trouble_with(error: Exception) -> str:
    """What is wrong with the file, and what to do about it."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file, and 'aipolicy set' creates it"
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the lowest byte is the primary code
    fix = "; check who may read it, and write in its directory" if code == sqlite3.SQLITE_CANTOPEN else ""
    return f"{type(error).__name__}: {error}{fix}"


def is_temporary(error: Exception) -> bool:
    """Return True if another process only keeps the file from being read just now."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class CopyError(RegistryError):
    """A copy is in a replica's place, old or not."""


def check_made_by_follower(path: Path) -> None:
    """Raises CopyError for a replica that its follower didn't make or take over, and what is none at all.

    Only the file is looked at: together with the log beside it, which may be another one's, it is neither.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'file'").fetchone()
    except sqlite3.Error as error:
        raise CopyError(f"it is no replica any more ({error}): its follower mends that") from None
    if row is None or row[0] != str(path.stat().st_ino):
        raise CopyError("it is a copy of a replica, old or not: its follower mends that")


def report_damage(path: Path, error: Exception) -> None:
    """Where ``error`` says that a replica is damaged, let its follower know: it may never read that part."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        with suppress(OSError):  # then it is told in the log alone
            path.with_name(f"{path.name}.damaged").touch()


class RegistryFile:
    """A registry's file, open for reading. Everything here raises OSError, sqlite3.Error or RegistryError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.identity = _identity(path)
        self._looked_at: object = None  # the number that SQLite gives what others committed
        self._state = b"", Mark()
        self.followed = False
        """Whether it is a replica, and the very file that its follower made, or took over."""
        # Without mmap: it saves 5 %, and where somebody truncates the file the process dies of SIGBUS.
        self._connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro",
            uri=True,
            timeout=_BUSY,
            isolation_level=None,
            check_same_thread=False,  # one event loop after another may be in another thread
        )
        # Bytes: text that is not UTF-8 must be trouble of one site, not of the file.
        self._connection.text_factory = bytes
        try:
            self.state()
            self.policy("")
            if not self.is_in_place():  # then the log may be another file's
                raise RegistryError("another file is just taking its place")
        except BaseException:
            self.close()
            raise

    def is_readable(self) -> bool:
        """Whether this process may go on reading it, though there may be none at its path any more."""
        return self.identity[2] == os.getpid()

    def is_in_place(self) -> bool:
        """Whether it is still the one at its path."""
        return _identity(self._path) == self.identity

    def state(self) -> tuple[bytes, Mark]:
        """The registry's id, and its last change."""
        # What it was at the last look still holds where nobody committed since: a change may have megabytes.
        version = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._looked_at:
            self._state = self._read_state()
            self._looked_at = version
        return self._state

    def _read_state(self) -> tuple[bytes, Mark]:
        try:
            meta = dict(self._connection.execute(_ABOUT))
            row = self._connection.execute(_LAST).fetchone()
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                raise RegistryError(f"it is no registry: {error}") from None
            raise
        version = meta.get(b"schema_version")
        if version != _SCHEMA_VERSION:
            fix = "install the version of aipolicy that writes it"
            raise RegistryError(f"its schema version is {version!r}, not {_SCHEMA_VERSION!r}: {fix}")
        if row is None or not isinstance(row[0], int):
            raise RegistryError("it is no registry: it has no sequence number")
        self.followed = meta.get(b"file") == b"%d" % self.identity[1]
        return meta.get(b"registry_id", b""), Mark.of(row)

    def policy(self, host: str) -> bytes | None:
        """The policy of the site that has ``host``, in JSON."""
        row = self._connection.execute(_POLICY, (host,)).fetchone()
        return None if row is None else row[0] or b""

    def changed(self, known: Mark, last: Mark) -> list[bytes] | None:
        """The hosts that changed behind ``known``, up to ``last``. None: it can't be told, so all of them."""
        if last == known:
            return []
        count = last.seq - known.seq
        execute = self._connection.execute
        if count > _MOST_CHANGES or known.behind(execute(_CHANGE, (known.seq,)).fetchall()) is None:
            return None
        rows = execute(_CHANGES, (known.seq, last.seq)).fetchall()
        return _hosts(affected for (affected,) in rows) if len(rows) == count else None

    def replica(self) -> ReplicaStatus | None:
        """What the follower says, where this is a replica. None also where it can't be read just now."""
        try:
            row = self._connection.execute(_REPLICA).fetchone()
        except sqlite3.Error:
            return None
        if row is None:
            return None
        source, pid, changes, level_at, trouble = row
        return ReplicaStatus(_text(source), pid, changes, level_at / 1e6, _text(trouble))

    def close(self) -> None:
        self._connection.close()


def _identity(path: Path) -> tuple[int, int, int]:
    """Which file is there, and for which process: a connection must not be used across a fork."""
    found = path.stat()
    return found.st_dev, found.st_ino, os.getpid()


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _hosts(affected: Iterable[bytes]) -> list[bytes] | None:
    try:
        return [host.encode("ascii") for hosts in affected for host in json.loads(hosts)]
    except (ValueError, TypeError, AttributeError):  # then the caller reads every site anew
        return None
