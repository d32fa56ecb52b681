"""The registry that a replica follows. Errors of the driver are raised as RegistryError."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from typing import Any, Self

from sqlalchemy import Table, make_url
from sqlalchemy.exc import ArgumentError

from aipolicy.core.checkpoint import COLUMNS, Checkpoint
from aipolicy.errors import MissingExtraError, RegistryError, RegistryURLError
from aipolicy.registry import postgres
from aipolicy.registry.database import masked
from aipolicy.registry.history import IS_COMPLETE, incomplete
from aipolicy.registry.schema import SCHEMA_VERSION

ROWS = 5000  # read at a time: some megabytes

ANSWER_TIMEOUT = 5.0
"""Seconds to wait for an answer: a stopped server or a lost connection gives no error."""

COPY_TIMEOUT = 300.0
"""Seconds to wait for an answer while all rows are counted, sorted and read."""

_POLL = 0.25  # seconds between two looks at a deadline

_CHANGES = f"SELECT {', '.join(COLUMNS)} FROM change WHERE seq >= %s ORDER BY seq LIMIT %s"  # noqa: S608 - no input
# The server computes the digest of the last change, as ``Checkpoint.from_row`` does, because a change
# may have megabytes; but not while it is the same version of the same row, which PostgreSQL itself numbers.
_LAST = ", ".join(f"change.{name}" for name in COLUMNS)
_DIGEST = f"encode(sha256(convert_to(concat_ws(E'\\n', {_LAST}), 'UTF8')), 'hex')"
_VERSION = "concat_ws(' ', sequence.seq, change.tableoid, change.ctid, change.xmin)"
_STATE = f"""SELECT (SELECT value FROM meta WHERE key = 'schema_version'),
    (SELECT value FROM meta WHERE key = 'registry_id'), pg_is_in_recovery(), sequence.seq, {_VERSION},
    CASE WHEN {_VERSION} = %s::text THEN NULL WHEN change.seq = sequence.seq THEN {_DIGEST} ELSE '' END
    FROM sequence LEFT JOIN change ON change.seq = sequence.seq"""  # noqa: S608 - no input

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class SourceState:
    """The registry's id, its latest change, and True for a standby, which may lack the primary's latest."""

    registry_id: str
    last: Checkpoint
    standby: bool


class Watchdog:
    """A watchdog for blocking database calls: it calls ``timed_out(seconds)`` in its thread.

    One thread from ``start`` to ``stop``: starting one for each call would take longer than most calls.
    """

    def __init__(self, timed_out: Callable[[float], None]) -> None:
        self._timed_out = timed_out
        self._deadline: tuple[float, float] | None = None  # and the seconds until then
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, args=(self._stopped,), name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped.set()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Limit the time of a block. Blocks can't be nested."""
        self._deadline = time.monotonic() + seconds, seconds
        try:
            yield
        finally:
            self._deadline = None

    def _watch(self, stopped: threading.Event) -> None:
        while not stopped.wait(_POLL):
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline[0]:
                self._deadline = None
                self._timed_out(deadline[1])


class Source:
    """A connection to the registry that is followed. Raises RegistryURLError, MissingExtraError."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            parsed = None
        if parsed is None or parsed.get_backend_name() not in ("postgres", "postgresql"):
            fix = "use a registry in PostgreSQL, like postgresql://user@host/database"
            raise RegistryURLError(f"registry {masked(url)!r} can't be followed: {fix}")
        self.name = masked(url)
        try:
            import psycopg
        except ImportError:
            raise MissingExtraError.for_extra("the registry needs psycopg", "postgres") from None
        self._error = psycopg.Error
        self._connect = postgres.connector(parsed, timeout=ceil(ANSWER_TIMEOUT))
        self._connection: psycopg.Connection[Row] | None = None
        self._last = Checkpoint()
        self._last_version: str | None = None  # of its row; valid on this connection only
        self._timeout = 0.0  # the timeout that was exceeded; 0: none
        self._watchdog = Watchdog(self._timed_out)
        self._in_snapshot = False

    def __enter__(self) -> Self:
        """Connect, and listen for commits. Raises RegistryError."""
        self._timeout, self._last_version = 0.0, None
        with self._translated_errors():
            self._connection = self._connect()
            self._watchdog.start()
            try:
                with self._watchdog.limit(ANSWER_TIMEOUT):
                    self._connection.execute(f"LISTEN {postgres.CHANNEL}")
            except self._error:  # a standby can't listen; polling suffices
                if self._connection.broken:
                    self.__exit__()
                    raise
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.stop()
        if self._connection is not None:
            self._connection.close()

    def leave_to_parent(self) -> None:
        """Forget the connection in a child process: closing it would end the parent's."""
        self._connection = None

    def interrupt(self) -> None:
        """Let a waiting call fail at once. For other threads and signal handlers."""
        if not self._in_snapshot:  # whose reader checks for the end itself
            self._shut_down()

    def _shut_down(self) -> None:
        with suppress(self._error, OSError, AttributeError):  # there is no connection
            descriptor = os.dup(self._open_connection().fileno())
            with socket.socket(fileno=descriptor) as connection:
                connection.shutdown(socket.SHUT_RDWR)

    def state(self) -> SourceState:
        """Read the registry's state. Raises RegistryError."""
        rows = self._rows(_STATE, (self._last_version,))
        schema, registry_id, standby, seq, version, digest = rows[0] if rows else (None,) * 6
        if schema != SCHEMA_VERSION or registry_id is None:
            fix = f"use an aipolicy that reads it; this one reads version {SCHEMA_VERSION}"
            raise RegistryError(f"registry '{self.name}' has schema version {schema}: {fix}")
        if digest is not None:
            self._last, self._last_version = Checkpoint(seq, digest), version
        return SourceState(registry_id, self._last, standby)

    def changes(self, since: int, limit: int) -> list[Row]:
        """Return rows of ``change`` from number ``since``, which is included to compare it."""
        return self._rows(_CHANGES, (since, limit))

    def wait(self, seconds: float) -> None:
        """Wait until there may be a change, at most ``seconds``."""
        with self._translated_errors():
            for _ in self._open_connection().notifies(timeout=seconds, stop_after=1):
                pass

    @contextmanager
    def snapshot(self) -> Iterator["Snapshot"]:
        """Yield a snapshot of the registry. Raises RegistryError, also if rows are missing."""
        connection = self._open_connection()
        self._in_snapshot = True
        try:
            with self._translated_errors(), connection.transaction():
                with self._watchdog.limit(ANSWER_TIMEOUT):
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    # Optimise for all rows, not for the first.
                    connection.execute("SET LOCAL cursor_tuple_fraction = 1")
                snapshot = Snapshot(connection, self.state(), self._watchdog)
                if not snapshot.is_complete():
                    raise incomplete(self.name)
                yield snapshot
        finally:
            self._in_snapshot = False

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._translated_errors(), self._watchdog.limit(ANSWER_TIMEOUT):
            rows: list[Row] = self._open_connection().execute(statement, values).fetchall()
        return rows

    def _open_connection(self) -> Any:
        return self._connection

    def _timed_out(self, seconds: float) -> None:
        self._timeout = seconds
        self._shut_down()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            if self._timeout:
                message, fix = f"no answer in {self._timeout:g} s", "check the server and the network"
            else:
                message = " ".join(str(error).split()).removesuffix(".")
                fix = postgres.fix_of(error) or ""
            raise RegistryError(f"registry '{self.name}': {message}{fix and f': {fix}'}") from error


class Snapshot:
    """A consistent view of all tables."""

    def __init__(self, connection: Any, state: SourceState, watchdog: Watchdog) -> None:
        self._connection, self.state, self._watchdog = connection, state, watchdog

    def is_complete(self) -> bool:
        """Return True if no rows are missing."""
        with self._watchdog.limit(COPY_TIMEOUT):
            return bool(self._connection.execute(IS_COMPLETE).fetchone()[0])

    def count(self, tables: Sequence[Table]) -> int:
        """Return the total number of rows."""
        counts = " + ".join(f"(SELECT count(*) FROM {table.name})" for table in tables)  # noqa: S608 - no input
        with self._watchdog.limit(COPY_TIMEOUT):
            return int(self._connection.execute(f"SELECT {counts}").fetchone()[0])

    def rows(self, table: Table) -> Iterator[list[Row]]:
        """Yield all rows in the order of the primary key, some thousand at a time."""
        key = ", ".join(column.name for column in table.primary_key)
        columns = ", ".join(table.c.keys())
        select = f"SELECT {columns} FROM {table.name} ORDER BY {key}"  # noqa: S608 - no input
        # A binary server-side cursor, whose rows are decoded in C, is 2.6 times as fast as COPY.
        with self._connection.cursor(name="aipolicy_rows", binary=True) as cursor:
            with self._watchdog.limit(COPY_TIMEOUT):
                cursor.execute(select)
                rows = cursor.fetchmany(ROWS)
            while rows:
                yield rows
                with self._watchdog.limit(COPY_TIMEOUT):
                    rows = cursor.fetchmany(ROWS)
