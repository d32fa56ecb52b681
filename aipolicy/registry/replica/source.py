"""The registry that is followed, by a connection of its own. An error of the driver is a RegistryError."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Table, make_url
from sqlalchemy.exc import ArgumentError

from aipolicy.errors import MissingExtraError, RegistryError, RegistryURLError
from aipolicy.registry import postgres
from aipolicy.registry.address import masked
from aipolicy.registry.schema import SCHEMA_VERSION, change

ROWS = 5000  # at once: some megabytes

_COLUMNS = ", ".join(change.c.keys())
_CHANGES = f"SELECT {_COLUMNS} FROM change WHERE seq >= %s ORDER BY seq LIMIT %s"  # noqa: S608 - no input
_STATE = """SELECT (SELECT value FROM meta WHERE key = 'schema_version'),
    (SELECT value FROM meta WHERE key = 'registry_id'), (SELECT seq FROM sequence)"""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Which registry it is, and the number of its latest change."""

    registry_id: str
    seq: int


class Source:
    """A registry in PostgreSQL, to be followed. Raises RegistryURLError, MissingExtraError."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            parsed = None
        if parsed is None or parsed.get_backend_name() not in ("postgres", "postgresql"):
            cure = "give a registry in PostgreSQL, like postgresql://user@host/database"
            raise RegistryURLError(f"registry {masked(url)!r} can't be followed: {cure}")
        self.name = masked(url)
        try:
            import psycopg
        except ImportError:
            raise MissingExtraError("the registry needs psycopg: pip install 'aipolicy[postgres]'") from None
        self._error = psycopg.Error
        self._connect = postgres.connector(parsed)
        self._connection: psycopg.Connection[Row] | None = None

    def __enter__(self) -> Self:
        """Connect, and hear of commits. Raises RegistryError."""
        with self._told():
            self._connection = self._connect()
            try:
                self._connection.execute(f"LISTEN {postgres.CHANNEL}")
            except self._error:  # a standby can't; looking at it is enough
                if self._connection.broken:
                    raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def state(self) -> State:
        version, registry_id, seq = self._rows(_STATE)[0]
        if version != SCHEMA_VERSION or registry_id is None or seq is None:
            cure = f"this aipolicy reads version {SCHEMA_VERSION}"
            raise RegistryError(f"registry '{self.name}' has schema version {version}: {cure}")
        return State(registry_id, seq)

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
        """The registry as it is now, however long reading it takes."""
        connection = self._opened()
        with self._told(), connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute("SET LOCAL cursor_tuple_fraction = 1")  # all rows soon, not the first ones
            yield Snapshot(connection, self.state())

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._told():
            rows: list[Row] = self._opened().execute(statement, values).fetchall()
        return rows

    def _opened(self) -> Any:
        return self._connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            known = postgres.cure_of(error)
            said = " ".join(str(error).split()).removesuffix(".")
            raise RegistryError(f"registry '{self.name}': {said}{f': {known}' if known else ''}") from error


class Snapshot:
    """Whole tables, all of one moment."""

    def __init__(self, connection: Any, state: State) -> None:
        self._connection, self.state = connection, state

    def count(self, tables: Sequence[Table]) -> int:
        """How many rows they have together."""
        counts = " + ".join(f"(SELECT count(*) FROM {table.name})" for table in tables)  # noqa: S608 - no input
        return int(self._connection.execute(f"SELECT {counts}").fetchone()[0])

    def rows(self, table: Table) -> Iterator[list[Row]]:
        """All rows in the order of the primary key, some thousand at a time."""
        key = ", ".join(column.name for column in table.primary_key)
        columns = ", ".join(table.c.keys())
        select = f"SELECT {columns} FROM {table.name} ORDER BY {key}"  # noqa: S608 - no input
        # A cursor of the server's, in binary: its rows are made in C, 2.6 times as fast as those of COPY.
        with self._connection.cursor(name="aipolicy_rows", binary=True) as cursor:
            cursor.execute(select)
            while rows := cursor.fetchmany(ROWS):
                yield rows
