"""What is PostgreSQL's own: its driver, locks, triggers, and the fixes of its errors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from aipolicy.errors import MissingExtraError, RegistryURLError

CHANNEL = "aipolicy_change"
"""LISTEN to it: each commit with a change is notified there. It says *look*, and may get lost."""

BUSY_SECONDS = 5.0
"""How long a writer waits for another one."""

ELSEWHERE = "name another database, or an empty schema of it: ?options=-csearch_path%3DNAME"

_CONNECT = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    # Both ways of a server's vanishing without a word: while it is waited for, and while nothing is asked.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_WRITES = "aipolicy_writes"
_CREATION = 0x61697031  # the advisory lock of whoever makes the tables; any number that nobody else uses

_REACHABLE = "check the host and port, and that PostgreSQL runs there and lets this machine in"
_LOGIN = "check the user and the password (in the address, PGPASSWORD or ~/.pgpass)"
_AGAIN = "the server ended the connection: try again"
_FIXES = {
    "08": _AGAIN,
    "25006": "it is a standby, which can't be written: name the primary",
    "28": _LOGIN,
    "3D000": "make it first, as with createdb",
    "3F000": "make the schema that search_path names first: CREATE SCHEMA",
    "42501": "let its user write there: GRANT CREATE, USAGE ON SCHEMA, and TEMPORARY ON DATABASE",
    "53100": "make room on the server's disk",
    "53300": "raise max_connections, or use fewer processes",
    "55P03": f"another process wrote to it for more than {BUSY_SECONDS:g} s: try again",
    "57P": _AGAIN,
}
# A connection that fails has no code, only a text.
_FIXES_BY_TEXT = {
    "password authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "no pg_hba.conf entry": "allow it in the server's pg_hba.conf, or ask for TLS: ?sslmode=require",
    "certificate": "check sslmode and sslrootcert in the address",
    "SSL": "check sslmode and sslrootcert in the address",
    "does not exist": "make it first (createdb, createuser), or check its spelling",
    "connection option": "check what stands after '?' in the address",
    "the connection is closed": _AGAIN,
    "server closed the connection": _AGAIN,
    "connection": _REACHABLE,
    "resolve host": _REACHABLE,
    "timeout": _REACHABLE,
}


def open_engine(url: URL, *, create: bool) -> Engine:
    """An engine for the database that ``url`` names; nothing is connected to yet.

    ``create`` changes nothing here: a database is made by its administrator. Raises RegistryURLError and
    MissingExtraError.
    """
    if not url.database:
        fix = "write postgresql://user@host/database"
        raise RegistryURLError(f"registry '{url}' names no database: {fix}")
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            # Each statement sees what was committed before it, also after a wait for the lock.
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,  # a server that was restarted is no error
            connect_args=_connect_args(url),
        )
    except ImportError:
        raise MissingExtraError.for_extra("the registry needs psycopg", "postgres") from None
    event.listen(engine, "begin", _on_begin)
    return engine


def connector(url: URL, *, timeout: int) -> Callable[[], Any]:
    """Makes connections of psycopg's own, in autocommit, for what SQLAlchemy has no words for.

    ``timeout``: seconds for each, where the address says nothing else.
    """
    import psycopg

    engine = open_engine(url, create=False)
    _, given = engine.dialect.create_connect_args(engine.url)
    arguments = {**_CONNECT, "connect_timeout": timeout, **given}
    return lambda: psycopg.connect(**arguments, autocommit=True)


def writer(engine: Engine) -> Engine:
    """The same engine and pool, whose transactions don't wait for a lock for ever."""
    return engine.execution_options(**{_WRITES: True})


def prepare(connection: Connection) -> None:
    """Nothing: readers read while one writes anyway."""


def begin_reading(connection: Connection) -> None:
    """Nothing: every statement is in a transaction anyway."""


def lock_creation(connection: Connection) -> None:
    """Let one transaction at a time look whether there are tables, and make them."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CREATION})")


def protect_history(connection: Connection) -> None:
    """Refuse whatever would rewrite the history; notify whoever listens that there is more of it."""
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
    # Every transaction with a change counts here: one that writes a thousand notifies once.
    connection.exec_driver_sql(
        "CREATE TRIGGER sequence_notifies AFTER UPDATE ON sequence "
        "FOR EACH STATEMENT EXECUTE FUNCTION aipolicy_notify()"
    )


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert by COPY: three times as fast as statements. ``rows`` have the same keys."""
    names = list(rows[0])
    copy(connection, f"{table.name} ({', '.join(names)})", ([row[name] for name in names] for row in rows))


def copy(connection: Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """COPY ``rows`` into a table, or into those columns of it that stand behind its name."""
    statement = f"COPY {table} FROM STDIN"
    cursor: Any = connection.connection.cursor()
    with cursor:
        try:
            with cursor.copy(statement) as copying:
                for row in rows:
                    copying.write_row(row)
        except connection.dialect.loaded_dbapi.Error as error:  # SQLAlchemy knows nothing of it
            raise DBAPIError(statement, None, error) from error


def fix(error: DBAPIError) -> str | None:
    """What to do about an error of the driver, where that is known."""
    return fix_of(error.orig)


def fix_of(error: BaseException | None) -> str | None:
    """As ``fix``, for the driver's own error."""
    code = getattr(error, "sqlstate", None)
    if code:
        return next((fix for start, fix in _FIXES.items() if code.startswith(start)), None)
    said = str(error)
    return next((fix for text, fix in _FIXES_BY_TEXT.items() if text in said), None)


def _connect_args(url: URL) -> dict[str, Any]:
    """What the address leaves open."""
    return {name: value for name, value in _CONNECT.items() if name not in url.query}


def _function(connection: Connection, name: str, body: str) -> None:
    text = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"
    connection.exec_driver_sql(text.replace("%", "%%"))


def _on_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        # For this transaction: a setting of the session would leak through a pooler like PgBouncer.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(BUSY_SECONDS * 1000)}")
