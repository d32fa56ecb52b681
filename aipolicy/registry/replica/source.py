"""The registry that is followed, by a connection of its own. An error of the driver is a RegistryError."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from typing import Any, Self

from sqlalchemy import Table, make_url
from sqlalchemy.exc import ArgumentError

from aipolicy.core.checkpoint import COLUMNS, Mark
from aipolicy.errors import MissingExtraError, RegistryError, RegistryURLError
from aipolicy.registry import postgres
from aipolicy.registry.integrity import WHOLE, not_whole
from aipolicy.registry.replica.watchdog import Patience
from aipolicy.registry.schema import SCHEMA_VERSION
from aipolicy.registry.url import masked

ROWS = 5000  # at once: some megabytes

PATIENCE = 5.0
"""Seconds for an answer. A server that stands still, or a network that lost the connection, never tells."""

PATIENCE_FILLING = 300.0
"""The same while all rows are counted, sorted and read."""

_CHANGES = f"SELECT {', '.join(COLUMNS)} FROM change WHERE seq >= %s ORDER BY seq LIMIT %s"  # noqa: S608 - no input
# Of the last change its digest, as ``Mark.of`` makes it, but made by the server: a change may have megabytes.
# And not again while it is the same version of the same row, which PostgreSQL itself numbers.
_LAST = ", ".join(f"change.{name}" for name in COLUMNS)
_DIGEST = f"encode(sha256(convert_to(concat_ws(E'\\n', {_LAST}), 'UTF8')), 'hex')"
_VERSION = "concat_ws(' ', sequence.seq, change.tableoid, change.ctid, change.xmin)"
_STATE = f"""SELECT (SELECT value FROM meta WHERE key = 'schema_version'),
    (SELECT value FROM meta WHERE key = 'registry_id'), pg_is_in_recovery(), sequence.seq, {_VERSION},
    CASE WHEN {_VERSION} = %s::text THEN NULL WHEN change.seq = sequence.seq THEN {_DIGEST} ELSE '' END
    FROM sequence LEFT JOIN change ON change.seq = sequence.seq"""  # noqa: S608 - no input

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Which registry it is, its latest change, and whether it is only told of them by another server."""

    registry_id: str
    last: Mark
    standby: bool


class Source:
    """A registry in PostgreSQL, to be followed. Raises RegistryURLError, MissingExtraError."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            parsed = None
        if parsed is None or parsed.get_backend_name() not in ("postgres", "postgresql"):
            fix = "give a registry in PostgreSQL, like postgresql://user@host/database"
            raise RegistryURLError(f"registry {masked(url)!r} can't be followed: {fix}")
        self.name = masked(url)
        try:
            import psycopg
        except ImportError:
            raise MissingExtraError.for_extra("the registry needs psycopg", "postgres") from None
        self._error = psycopg.Error
        self._connect = postgres.connector(parsed, timeout=ceil(PATIENCE))
        self._connection: psycopg.Connection[Row] | None = None
        self._last = Mark()
        self._last_version: str | None = None  # of its row; on another connection it means nothing
        self._late = 0.0  # seconds without an answer, after which the connection was cut
        self._patience = Patience(self._lost)
        self._in_snapshot = False

    def __enter__(self) -> Self:
        """Connect, and hear of commits. Raises RegistryError."""
        self._late, self._last_version = 0.0, None
        with self._told():
            self._connection = self._connect()
            self._patience.begin()
            try:
                with self._patience.of(PATIENCE):
                    self._connection.execute(f"LISTEN {postgres.CHANNEL}")
            except self._error:  # a standby can't; looking at it is enough
                if self._connection.broken:
                    self.__exit__()
                    raise
        return self

    def __exit__(self, *_: object) -> None:
        self._patience.end()
        if self._connection is not None:
            self._connection.close()

    def leave_to_parent(self) -> None:
        """Forget the connection, in a child: ended here, it would end there."""
        self._connection = None

    def interrupt(self) -> None:
        """Whoever waits for an answer gets an error at once. From any thread or signal handler."""
        if not self._in_snapshot:  # whose reader looks itself whether it is to end
            self._cut()

    def _cut(self) -> None:
        with suppress(self._error, OSError, AttributeError):  # there is none (any more)
            descriptor = os.dup(self._opened().fileno())
            with socket.socket(fileno=descriptor) as connection:
                connection.shutdown(socket.SHUT_RDWR)

    def state(self) -> State:
        rows = self._rows(_STATE, (self._last_version,))
        schema, registry_id, standby, seq, version, digest = rows[0] if rows else (None,) * 6
        if schema != SCHEMA_VERSION or registry_id is None:
            fix = f"this aipolicy reads version {SCHEMA_VERSION}"
            raise RegistryError(f"registry '{self.name}' has schema version {schema}: {fix}")
        if digest is not None:
            self._last, self._last_version = Mark(seq, digest), version
        return State(registry_id, self._last, standby)

    def changes(self, since: int, limit: int) -> list[Row]:
        """Rows of ``change`` from number ``since`` on: with that one, to see whether it is as it was."""
        return self._rows(_CHANGES, (since, limit))

    def wait(self, seconds: float) -> None:
        """Until there may be a change, at most so long."""
        with self._told():
            for _ in self._opened().notifies(timeout=seconds, stop_after=1):
                pass

    @contextmanager
    def snapshot(self) -> Iterator["Snapshot"]:
        """The registry as it is now, however long reading it takes. Raises RegistryError also where a part
        of it is missing."""
        connection = self._opened()
        self._in_snapshot = True
        try:
            with self._told(), connection.transaction():
                with self._patience.of(PATIENCE):
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    connection.execute("SET LOCAL cursor_tuple_fraction = 1")  # all rows soon, not the first
                snapshot = Snapshot(connection, self.state(), self._patience)
                if not snapshot.is_whole():
                    raise not_whole(self.name)
                yield snapshot
        finally:
            self._in_snapshot = False

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._told(), self._patience.of(PATIENCE):
            rows: list[Row] = self._opened().execute(statement, values).fetchall()
        return rows

    def _opened(self) -> Any:
        return self._connection

    def _lost(self, seconds: float) -> None:
        self._late = seconds
        self._cut()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            if self._late:
                fix = "check that server, and the network between"
                raise RegistryError(
                    f"registry '{self.name}': it hasn't answered for {self._late:g} s: {fix}"
                ) from error
            known = postgres.fix_of(error)
            said = " ".join(str(error).split()).removesuffix(".")
            raise RegistryError(f"registry '{self.name}': {said}{f': {known}' if known else ''}") from error


class Snapshot:
    """Whole tables, all of one moment."""

    def __init__(self, connection: Any, state: State, patience: Patience) -> None:
        self._connection, self.state, self._patience = connection, state, patience

    def is_whole(self) -> bool:
        with self._patience.of(PATIENCE_FILLING):
            return bool(self._connection.execute(WHOLE).fetchone()[0])

    def count(self, tables: Sequence[Table]) -> int:
        """How many rows they have together."""
        counts = " + ".join(f"(SELECT count(*) FROM {table.name})" for table in tables)  # noqa: S608 - no input
        with self._patience.of(PATIENCE_FILLING):
            return int(self._connection.execute(f"SELECT {counts}").fetchone()[0])

    def rows(self, table: Table) -> Iterator[list[Row]]:
        """All rows in the order of the primary key, some thousand at a time."""
        key = ", ".join(column.name for column in table.primary_key)
        columns = ", ".join(table.c.keys())
        select = f"SELECT {columns} FROM {table.name} ORDER BY {key}"  # noqa: S608 - no input
        # A cursor of the server's, in binary: its rows are made in C, 2.6 times as fast as those of COPY.
        with self._connection.cursor(name="aipolicy_rows", binary=True) as cursor:
            with self._patience.of(PATIENCE_FILLING):
                cursor.execute(select)
                rows = cursor.fetchmany(ROWS)
            while rows:
                yield rows
                with self._patience.of(PATIENCE_FILLING):
                    rows = cursor.fetchmany(ROWS)
