"""Errors of PostgreSQL, and the behaviour of a registry in it on which other code relies."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError, RegistryURLError
from aipolicy.registry import Registry, postgres
from aipolicy.registry.postgres import CHANNEL
from tests.postgres import OwnServer, Schemas
from tests.registry.conftest import ROOT, raw

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
SECRET = "s3cret/%40x"


@pytest.fixture
def url(schemas: Schemas) -> str:
    return schemas.new()


@contextmanager
def plain_server() -> Iterator[int]:
    """A port that answers like a PostgreSQL server without TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(8)
                connection.sendall(b"N")

        thread = threading.Thread(target=refuse)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def error_message(url: str) -> str:
    """Return the messages of the error and of its causes."""
    with pytest.raises(RegistryError) as caught:
        Registry(url, create=False)
    return f"{caught.value} {caught.value.__cause__}"


def test_a_server_that_is_down_is_an_error_with_a_fix() -> None:
    message = error_message(f"postgresql://ada:{SECRET}@127.0.0.1:1/blogs")
    assert "127.0.0.1:1/blogs" in message
    assert "refused" in message
    assert "check the host and port" in message
    assert "s3cret" not in message


def test_an_error_message_is_one_line() -> None:
    with pytest.raises(RegistryError) as caught:
        Registry("postgresql://127.0.0.1:1/blogs")
    assert "\n" not in str(caught.value)


def test_an_invalid_server_name_is_an_error() -> None:
    assert "check the host" in error_message("postgresql://nosuch.invalid/blogs")


def test_a_server_without_tls_is_an_error_if_tls_is_required() -> None:
    with plain_server() as port:
        message = error_message(f"postgresql://ada:{SECRET}@127.0.0.1:{port}/blogs?sslmode=require")
    assert "check sslmode" in message
    assert "s3cret" not in message


def test_a_wrong_password_is_an_error_without_the_password(postgres_server: OwnServer) -> None:
    with raw(postgres_server.url.render_as_string(False)) as connection:
        connection.execute(sqlalchemy.text("CREATE ROLE ada LOGIN PASSWORD 'right'"))
    postgres_server.require_password("ada")
    wrong = postgres_server.url.set(username="ada", password=SECRET).render_as_string(hide_password=False)
    message = error_message(wrong)
    assert "check the user and the password" in message
    assert "s3cret" not in message
    right = postgres_server.url.set(username="ada", password="right").render_as_string(hide_password=False)
    assert "empty database" in error_message(right)
    with pytest.raises(RegistryError, match=r"permission denied.*GRANT CREATE"):
        Registry(right)


def test_a_missing_database_is_an_error(schemas: Schemas, url: str) -> None:
    base, _, options = url.partition("?")
    message = error_message(f"{base.rpartition('/')[0]}/nosuch?{options}")
    assert 'database "nosuch" does not exist' in message
    assert "createdb" in message


def test_a_missing_schema_is_an_error(url: str) -> None:
    with pytest.raises(RegistryError, match="CREATE SCHEMA"):
        Registry(f"{url}_other")


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql//ada:s3cret@db/x", "postgresql//ada:***@db/x"),
        ("ada:s3cret@db", "ada:***@db"),
        ("postgresql://ada:s3c@ret@db:port/x", "postgresql://ada:***@db:port/x"),
        ("postgresql://ada@db:port/x?password=s3cret&a=1", "postgresql://ada@db:port/x?password=***&a=1"),
    ],
)
def test_an_invalid_address_is_quoted_without_its_password(url: str, masked: str) -> None:
    with pytest.raises(RegistryURLError) as caught:
        Registry(url)
    assert repr(masked) in str(caught.value)


def test_a_password_among_the_options_is_masked() -> None:
    assert "password=***" in error_message("postgresql://127.0.0.1:1/blogs?password=s3cret")


def test_an_address_without_a_database_is_an_error() -> None:
    with pytest.raises(RegistryURLError, match="has no database name: use one like postgresql://"):
        Registry("postgresql://db")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_scheme_has_three_spellings(url: str, scheme: str) -> None:
    with Registry(url.replace("postgresql", scheme, 1)) as registry:
        assert registry.seq == 0


def test_a_missing_driver_is_an_error_with_the_command_that_installs_it() -> None:
    program = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from aipolicy.errors import MissingExtraError\n"
        "from aipolicy.registry import Registry\n"
        "try: Registry('postgresql://db/x')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "the registry needs psycopg: pip install 'asgi-aipolicy[postgres]'\n"


def test_a_command_shows_no_password(postgres_server: OwnServer) -> None:
    url = postgres_server.url.set(password=SECRET).render_as_string(hide_password=False)
    for arguments in (
        ["show", "blog.example"],
        ["robots", "--site", "blog.example"],
        ["history", "x.example"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "aipolicy", *arguments],
            cwd=ROOT,
            env={**os.environ, "AIPOLICY_REGISTRY": url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert "s3cret" not in done.stdout + done.stderr
        assert "***" in done.stderr


def test_every_transaction_with_a_change_is_notified_once(url: str) -> None:
    import psycopg

    dsn = url.replace("+psycopg", "")
    with Registry(url) as registry, psycopg.connect(dsn, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        registry.put(OPTED_OUT, by="ada")
        registry.put(OPTED_OUT, by="ada")  # no change
        registry.put_many([SitePolicy(site=f"blog{number}.example") for number in range(2500)], by="import")
        registry.put_many([SitePolicy(site="other.example")], by="import", dry_run=True)
        with psycopg.connect(dsn, autocommit=True) as last:
            last.execute(f"NOTIFY {CHANNEL}, 'last'")
        payloads = [notified.payload for notified in listener.notifies(timeout=60, stop_after=3)]
        assert payloads[-1] == "last"
        assert len(payloads) == 3


def test_waiting_for_the_write_lock_times_out(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 0.05)
    with Registry(url) as registry:
        with raw(url) as other:
            other.execute(sqlalchemy.text("SELECT seq FROM sequence FOR UPDATE"))
            with pytest.raises(RegistryError, match=r"lock timeout.*try again"):
                registry.put(OPTED_OUT, by="ada")
        assert registry.put(OPTED_OUT, by="ada").seq == 1


def test_an_open_registry_survives_a_restart_of_the_server(postgres_server: OwnServer) -> None:
    with Schemas(postgres_server.url) as schemas, Registry(schemas.new()) as registry:
        registry.put(OPTED_OUT, by="ada")
        postgres_server.stop()
        try:
            with pytest.raises(RegistryError, match="check the host and port"):
                registry.get("blog.example")
        finally:
            postgres_server.start()
        assert registry.get("blog.example") == OPTED_OUT
        assert registry.put(SitePolicy(site="blog.example"), by="ada").seq == 2


def test_truncating_the_history_is_refused(url: str) -> None:
    Registry(url).close()
    for table in ("change", "host_history"):
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"), raw(url) as connection:
            connection.execute(sqlalchemy.text(f"TRUNCATE {table}"))


def test_a_server_with_stricter_default_isolation_works(url: str) -> None:
    strict = url.replace("options=", "options=-cdefault_transaction_isolation%3Dserializable%20", 1)
    with Registry(strict) as one, Registry(strict) as other:
        one.put(OPTED_OUT, by="ada")
        threads = [
            threading.Thread(
                target=lambda registry, n: registry.put(SitePolicy(site=f"b{n}.example"), by="x"),
                args=(registry, n),
            )
            for n, registry in enumerate([one, other] * 4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.seq == 9
