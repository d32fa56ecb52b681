"""The PostgreSQL backend: its driver, locks, triggers, and a fix for each of its errors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from aipolicy.errors import MissingExtraError, RegistryURLError

CHANNEL = "aipolicy_change"
"""NOTIFY channel for commits with changes. Notifications are empty and can be lost."""

BUSY_SECONDS = 5.0
"""Seconds that a writer waits for the lock."""

WRONG_DATABASE_FIX = "name another database, or an empty schema of it: ?options=-csearch_path%3DNAME"

_CONNECT = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    # A server can disappear silently, during a query and while the connection is idle.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_WRITES = "aipolicy_writes"
_CREATION = 0x61697031  # the advisory lock for creating the tables; any number that nobody else uses

_REACHABLE = "check the host and port, and that PostgreSQL runs there and accepts this machine"
_LOGIN = "check the user and the password (in the address, PGPASSWORD or ~/.pgpass)"
_AGAIN = "the server ended the connection: try again"
_FIXES = {
    "08": _AGAIN,
    "25006": "use the address of the primary; a standby can't be written",
    "28": _LOGIN,
    "3D000": "create it first, for example with createdb",
    "3F000": "create the schema in search_path first: CREATE SCHEMA",
    "42501": "let its user write there: GRANT CREATE, USAGE ON SCHEMA, and TEMPORARY ON DATABASE",
    "53100": "free space on the server's disk",
    "53300": "raise max_connections, or use fewer processes",
    "55P03": f"another process wrote to it for more than {BUSY_SECONDS:g} s: try again",
    "57P": _AGAIN,
}
# A failed connection has no code, only a text.
_FIXES_BY_TEXT = {
    "password authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "no pg_hba.conf entry": "allow it in the server's pg_hba.conf, or ask for TLS: ?sslmode=require",
    "certificate": "check sslmode and sslrootcert in the address",
    "SSL": "check sslmode and sslrootcert in the address",
    "does not exist": "create it first (createdb, createuser), or check its spelling",
    "connection option": "check the options after '?' in the address",
    "the connection is closed": _AGAIN,
    "server closed the connection": _AGAIN,
    "connection": _REACHABLE,
    "resolve host": _REACHABLE,
    "timeout": _REACHABLE,
}


def open_engine(url: URL, *, create: bool) -> Engine:
    """Return an engine for the database; it connects later.

    ``create`` has no effect: an administrator creates the database. Raises RegistryURLError and
    MissingExtraError.
    """
    if not url.database:
        fix = "use one like postgresql://user@host/database"
        raise RegistryURLError(f"registry '{url}' has no database name: {fix}")
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            # Each statement sees all earlier commits, even after waiting for the lock.
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,  # a restart of the server is not an error
            connect_args=_connect_args(url),
        )
    except ImportError:
        raise MissingExtraError.for_extra("the registry needs psycopg", "postgres") from None
    event.listen(engine, "begin", _on_begin)
    return engine


def connector(url: URL, *, timeout: int) -> Callable[[], Any]:
    """Return a function that opens psycopg connections in autocommit, for features that SQLAlchemy lacks.

    Args:
        timeout: Seconds to connect, unless the address has ``connect_timeout``.
    """
    import psycopg

    engine = open_engine(url, create=False)
    _, from_url = engine.dialect.create_connect_args(engine.url)
    arguments = {**_CONNECT, "connect_timeout": timeout, **from_url}
    return lambda: psycopg.connect(**arguments, autocommit=True)


def writer(engine: Engine) -> Engine:
    """Return the same engine and pool, with a timeout for locks."""
    return engine.execution_options(**{_WRITES: True})


def prepare(connection: Connection) -> None:
    """Do nothing: readers and a writer don't block each other."""


def begin_reading(connection: Connection) -> None:
    """Do nothing: every statement is in a transaction."""


def lock_creation(connection: Connection) -> None:
    """Let one transaction at a time check for the tables and create them."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CREATION})")


def protect_history(connection: Connection) -> None:
    """Create triggers that make the history append-only, and notify listeners of changes."""
    _function(
        connection,
        "aipolicy_refuse",
        "RAISE EXCEPTION 'the history is append-only: %', TG_TABLE_NAME; RETURN NULL",
    )
    _function(connection, "aipolicy_notify", f"PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL")
    for table in ("change", "host_history"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_refuses BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION aipolicy_refuse()"
        )
    # Each transaction with changes updates this row once: a thousand changes are one notification.
    connection.exec_driver_sql(
        "CREATE TRIGGER sequence_notifies AFTER UPDATE ON sequence "
        "FOR EACH STATEMENT EXECUTE FUNCTION aipolicy_notify()"
    )


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert with COPY, three times as fast as statements. All ``rows`` have the same keys."""
    names = list(rows[0])
    copy(connection, f"{table.name} ({', '.join(names)})", ([row[name] for name in names] for row in rows))


def copy(connection: Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """COPY ``rows`` into ``table``, which may be followed by a list of columns."""
    statement = f"COPY {table} FROM STDIN"
    cursor: Any = connection.connection.cursor()
    with cursor:
        try:
            with cursor.copy(statement) as stream:
                for row in rows:
                    stream.write_row(row)
        except connection.dialect.loaded_dbapi.Error as error:  # SQLAlchemy doesn't translate it
            raise DBAPIError(statement, None, error) from error


def fix(error: DBAPIError) -> str | None:
    """Return the fix for an error of the driver, if there is a known one."""
    return fix_of(error.orig)


def fix_of(error: BaseException | None) -> str | None:
    """Return the fix for psycopg's own error, if there is a known one."""
    code = getattr(error, "sqlstate", None)
    if code:
        return next((fix for start, fix in _FIXES.items() if code.startswith(start)), None)
    message = str(error)
    return next((fix for text, fix in _FIXES_BY_TEXT.items() if text in message), None)


def _connect_args(url: URL) -> dict[str, Any]:
    """Return the connection options that the address doesn't set."""
    return {name: value for name, value in _CONNECT.items() if name not in url.query}


def _function(connection: Connection, name: str, body: str) -> None:
    text = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"
    connection.exec_driver_sql(text.replace("%", "%%"))


def _on_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        # For this transaction: a setting of the session would leak through a pooler like PgBouncer.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(BUSY_SECONDS * 1000)}")
