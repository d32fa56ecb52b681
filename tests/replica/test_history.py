"""A registry whose history has changed: the replica's readers get its current state."""

import asyncio
import logging
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.engine import make_url

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry
from aipolicy.registry.replica import Replica
from tests.postgres import Schemas
from tests.registry.conftest import raw
from tests.replica.helpers import eventually, is_at_work, is_copy, read, seq, trouble

OPTED_OUT = SitePolicy.from_flag(True, site="a.example")
HOSTS = ("a.example", "lost.example", "new0.example")


def name_of(url: str) -> str:
    """Return the name of the schema."""
    return str(make_url(url).query["options"]).removeprefix("-csearch_path=")


def become(url: str, registry_id: str) -> None:
    with raw(url) as connection:
        statement = sqlalchemy.text("UPDATE meta SET value = :id WHERE key = 'registry_id'")
        connection.execute(statement, {"id": registry_id})


def restored(url: str, schemas: Schemas, more: int) -> str:
    """Return the address of a copy of ``url`` with its first change, a different second one, and ``more``."""
    other = schemas.new()
    with Registry(url) as registry, Registry(other) as older:
        for name in ("a.example", "b.example", "lost.example"):
            registry.put(SitePolicy(site=name), by="ada")
        older.put(OPTED_OUT, by="ada")
        for number in range(more):
            older.put(SitePolicy(site=f"new{number}.example"), by="ada")
        registry_id = registry.registry_id
    become(other, registry_id)
    return other


def copied(url: str, schemas: Schemas) -> str:
    """Return the address of a copy that has only the first change of the registry at ``url``."""
    other = schemas.new()
    Registry(other).close()
    one, another = name_of(url), name_of(other)
    with Registry(url) as registry, raw(other) as connection:
        for table, key in (("site", "id"), ("host", "site_id"), ("host_history", "seq"), ("change", "seq")):
            rows = f"SELECT * FROM {one}.{table} WHERE {key} = 1"
            connection.execute(sqlalchemy.text(f"INSERT INTO {another}.{table} {rows}"))
        connection.execute(sqlalchemy.text("UPDATE sequence SET seq = 1"))
        registry_id = registry.registry_id
    become(other, registry_id)
    return other


def acting_standby(url: str, *, standby: bool = True) -> str:
    """Let a server claim to be a standby, with a function that hides PostgreSQL's own."""
    function = "CREATE OR REPLACE FUNCTION pg_is_in_recovery() RETURNS boolean LANGUAGE sql"
    with raw(url) as connection:
        connection.execute(sqlalchemy.text(f"{function} AS 'SELECT {standby}'"))
    made = make_url(url).update_query_dict({"options": f"-csearch_path={name_of(url)},pg_catalog"})
    return made.render_as_string(hide_password=False)


def exchange(url: str, other: str) -> None:
    """Restore a backup, also for processes that are connected."""
    one, another = name_of(url), name_of(other)
    with raw(url) as connection:
        for old, new in ((one, "aside"), (another, one), ("aside", another)):
            connection.execute(sqlalchemy.text(f"ALTER SCHEMA {old} RENAME TO {new}"))


def take_away(url: str, table: str) -> None:
    """Simulate the restore of a dump: the tables exist, but this one has no rows yet."""
    with raw(url) as connection:
        connection.execute(sqlalchemy.text(f"ALTER TABLE {table} RENAME TO kept"))
        connection.execute(sqlalchemy.text(f"CREATE TABLE {table} (LIKE kept)"))


def give_back(url: str, table: str) -> None:
    with raw(url) as connection:
        connection.execute(sqlalchemy.text(f"DROP TABLE {table}"))
        connection.execute(sqlalchemy.text(f"ALTER TABLE kept RENAME TO {table}"))


async def answers(lookup: LocalLookup) -> list[str]:
    """Return the answer for each host; an unknown host has the default."""
    await asyncio.sleep(0.002)  # then it looks at the file again
    found = [await lookup.find(host.encode()) for host in HOSTS]
    return ["default" if one is lookup.default else str(one.policy.preset) for one in found]


@pytest.mark.parametrize("more", [0, 2, 3])
async def test_readers_get_the_state_of_a_registry_restored_from_a_backup(
    url: str, schemas: Schemas, file: Path, more: int
) -> None:
    other = restored(url, schemas, more)
    with Replica(url, file):
        eventually(lambda: seq(file) == 3)
    lookup = LocalLookup(file, refresh=0.001)
    assert await answers(lookup) == ["unset", "unset", "default"]
    with Replica(other, file):
        eventually(lambda: is_copy(file, other))
    assert await answers(lookup) == ["no-training", "default", "unset" if more else "default"]
    lookup.close()


@pytest.mark.parametrize("more", [1, 2, 3])
def test_a_running_follower_copies_a_restored_registry(
    url: str, schemas: Schemas, file: Path, more: int
) -> None:
    other = restored(url, schemas, more)
    with Replica(url, file):
        eventually(lambda: seq(file) == 3)
        eventually(lambda: is_at_work(file))
        exchange(url, other)
        eventually(lambda: is_copy(file, url))


@pytest.mark.parametrize("table", ["site", "host", "host_history", "change"])
def test_a_follower_waits_for_the_end_of_a_restore(
    url: str, schemas: Schemas, file: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    other = restored(url, schemas, 0)
    with Replica(url, file):
        eventually(lambda: seq(file) == 3)
        eventually(lambda: is_at_work(file))
        take_away(other, table)
        exchange(url, other)
        eventually(lambda: "is incomplete: if it is being restored" in trouble(file))
        assert len(read(file, "SELECT * FROM host JOIN site ON id = site_id")) == 3
        give_back(url, table)
        eventually(lambda: is_copy(file, url))
        eventually(lambda: trouble(file) == "")
    assert len([record for record in caplog.records if "is incomplete" in record.getMessage()]) == 1


def test_a_standby_behind_the_replica_undoes_no_change(
    url: str, schemas: Schemas, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Registry(url) as registry:
        for name in ("a.example", "b.example", "lost.example"):
            registry.put(SitePolicy(site=name), by="ada")
    other = copied(url, schemas)
    with Replica(url, file):
        eventually(lambda: seq(file) == 3)
    with Replica(acting_standby(other), file):
        eventually(lambda: "is a standby, and behind the replica" in trouble(file))
        assert seq(file) == 3
        assert "filled" not in caplog.text.partition("resumes after change 3")[2]
        acting_standby(other, standby=False)  # promoted, without the last changes
        eventually(lambda: is_copy(file, other))
        eventually(lambda: trouble(file) == "")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "is a standby" in warning


def test_a_standby_of_a_restored_registry_replaces_the_contents(
    url: str, schemas: Schemas, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It has fewer changes than the replica, and different ones: waiting for more would delay an opt-out."""
    other = restored(url, schemas, 0)
    with Replica(url, file):
        eventually(lambda: seq(file) == 3)
    with Replica(acting_standby(other), file):
        eventually(lambda: is_copy(file, other))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
