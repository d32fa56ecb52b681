"""A replica has the same rows as the registry, and resumes after a restart."""

import logging
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from aipolicy.core.checkpoint import COLUMNS, Checkpoint
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import HostTakenError, RegistryError, RegistryURLError
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry
from aipolicy.registry.replica import Replica
from aipolicy.registry.replica.source import Source
from aipolicy.registry.schema import change
from tests.postgres import Schemas
from tests.registry.conftest import raw
from tests.replica.helpers import eventually, is_copy, read, seq

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
SILENT = SitePolicy.from_flag(False, site="blog.example")


def shuffle(registry: Registry, rng: random.Random, count: int) -> None:
    """Change policies and move hosts between a few sites, one by one and in bulk."""
    names = [f"{letter}.example" for letter in "abcdefghij"]
    for _ in range(count):
        policy = SitePolicy.from_flag(rng.random() < 0.5, site=rng.choice(names))
        hosts = rng.choice([None, rng.sample(names, rng.randrange(4))])
        if rng.random() < 0.2:
            many = [(policy.for_site(rng.choice(names)), hosts) for _ in range(rng.randrange(30))]
            registry.put_many(many, by="many", refused=lambda *_: None)
            continue
        try:
            registry.put(policy, by="one", hosts=hosts)
        except HostTakenError:
            continue


def test_a_filled_replica_has_every_row(url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aipolicy.registry.replica.source.ROWS", 7)
    with Registry(url) as registry:
        shuffle(registry, random.Random(1), 60)
        with Replica(url, file):
            eventually(file.exists)
        assert is_copy(file, url)
        with Registry(f"sqlite:///{file}", create=False) as copy:
            assert list(copy.changes()) == list(registry.changes())
            assert copy.registry_id == registry.registry_id


def test_a_replica_makes_every_kind_of_change(url: str, file: Path) -> None:
    rng = random.Random(2)
    with Registry(url) as registry, Replica(url, file):
        for _ in range(4):
            shuffle(registry, rng, 40)
            eventually(lambda: seq(file) == registry.seq)
            assert is_copy(file, url)


def test_the_server_computes_the_same_digest_as_readers(url: str) -> None:
    assert tuple(change.c.keys()) == COLUMNS
    with Registry(url) as registry, Source(url) as source:
        assert source.state().last == registry.last == Checkpoint()
        for number, by in enumerate(("ada", "bücher ада 🙂"), 1):
            registry.put(SitePolicy(site=f"s{number}.example", robots_base="User-agent: *\n" * 1000), by=by)
            assert source.state().last == source.state().last == registry.last
            assert (registry.last.seq, registry.seq) == (number, number)
        with raw(url) as connection:
            connection.execute(sqlalchemy.text("ALTER TABLE change DISABLE TRIGGER USER"))
            connection.execute(sqlalchemy.text("UPDATE change SET policy = '{}'"))
        assert source.state().last == registry.last
        with raw(url) as connection:
            connection.execute(sqlalchemy.text("DELETE FROM change"))
        assert source.state().last == registry.last == Checkpoint(2)


def test_the_replica_of_an_empty_registry_follows_changes(url: str, file: Path) -> None:
    with Registry(url) as registry, Replica(url, file):
        eventually(lambda: seq(file) == 0)
        registry.put(OPTED_OUT, by="ada")
        eventually(lambda: seq(file) == 1)
    assert is_copy(file, url)


def test_a_replica_has_the_schema_of_a_registry(url: str, file: Path, tmp_path: Path) -> None:
    schema = "SELECT name, sql FROM sqlite_schema WHERE name <> 'replica' AND sql IS NOT NULL ORDER BY name"
    Registry(url).close()
    Registry(f"sqlite:///{tmp_path}/registry.db").close()
    with Replica(url, file):
        eventually(file.exists)
    expected = read(tmp_path / "registry.db", schema)
    normal = [(name, "".join(str(text).split())) for name, text in expected]
    assert [(name, "".join(str(text).split())) for name, text in read(file, schema)] == normal


def test_a_follower_resumes_after_the_last_change(
    url: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Registry(url) as registry:
        shuffle(registry, random.Random(3), 20)
        with Replica(url, file):
            eventually(file.exists)
        before = file.stat().st_ino
        shuffle(registry, random.Random(4), 20)
        caplog.clear()
        with Replica(url, file):
            eventually(lambda: seq(file) == registry.seq)
    assert is_copy(file, url)
    assert file.stat().st_ino == before
    assert "filled" not in caplog.text


def test_a_notified_change_is_applied_at_once(url: str, file: Path) -> None:
    with Registry(url) as registry, Replica(url, file, poll=30) as replica:
        eventually(file.exists)
        for number in range(5):
            time.sleep(0.05)
            registry.put(SitePolicy(site=f"blog{number}.example"), by="ada")
            eventually(lambda: seq(file) == registry.seq)
        replica.stop()
        registry.put(OPTED_OUT, by="ada")  # wakes it up


def test_a_change_without_a_notification_is_found_by_polling(url: str, file: Path) -> None:
    with Registry(url) as registry:
        with raw(url) as connection:
            connection.execute(sqlalchemy.text("DROP TRIGGER sequence_notifies ON sequence"))
        with Replica(url, file):
            eventually(file.exists)
            for number in range(4):
                registry.put(SitePolicy(site=f"blog{number}.example"), by="ada")
                eventually(lambda: seq(file) == registry.seq)


async def test_another_registry_at_the_same_address_replaces_the_contents(
    url: str, schemas: Schemas, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = schemas.new()
    with Registry(url) as registry, Registry(other) as another:
        registry.put(SILENT, by="ada")
        another.put(OPTED_OUT, by="eve")
        another.put(SitePolicy.from_flag(False, site="new.example"), by="eve")
        with Replica(url, file):
            eventually(file.exists)
        lookup = LocalLookup(file, refresh=0.001)
        assert not (await lookup.find(b"blog.example")).policy.opted_out
        with Replica(other, file):
            eventually(lambda: seq(file) == 2)
        time.sleep(0.01)
        assert (await lookup.find(b"blog.example")).policy.opted_out
        assert not (await lookup.find(b"new.example")).policy.opted_out
        lookup.close()
    assert is_copy(file, other)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_replica_is_read_only(url: str, file: Path) -> None:
    Registry(url).close()
    with Replica(url, file):
        eventually(file.exists)
    with (
        Registry(f"sqlite:///{file}") as copy,
        pytest.raises(RegistryError, match=r"is a read-only replica.*postgresql://"),
    ):
        copy.put(OPTED_OUT, by="ada")
    assert seq(file) == 0


def test_a_file_that_is_no_replica_is_refused_and_unchanged(url: str, file: Path, tmp_path: Path) -> None:
    registry = tmp_path / "registry.db"
    with Registry(f"sqlite:///{registry}") as opened:
        opened.put(OPTED_OUT, by="ada")
    notes = tmp_path / "notes.txt"
    notes.write_text("These are my notes.\n" * 99)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE post (id INTEGER PRIMARY KEY)")
    for path in (registry, notes, other):
        before = path.read_bytes()
        for _ in range(2):  # the lock file that the first one leaves doesn't allow it
            with pytest.raises(RegistryError, match="is not a replica: use another file"):
                Replica(url, path).run()
        assert path.read_bytes() == before


@pytest.mark.parametrize("registry", ["sqlite:///aipolicy.db", "mysql://db/x", "replica.db"])
def test_only_a_registry_in_postgresql_is_followed(registry: str, file: Path) -> None:
    with pytest.raises(RegistryURLError, match="can't be followed"):
        Replica(registry, file)


def test_the_file_has_the_status_of_the_follower(url: str, file: Path) -> None:
    with Registry(url) as registry, Replica(url, file, clock=lambda: 1000.0):
        registry.put(OPTED_OUT, by="ada")
        eventually(lambda: read(file, "SELECT level_at FROM replica") == [(1_000_000_000,)])
        eventually(lambda: seq(file) == 1)
        ((source, source_seq, trouble),) = read(file, "SELECT source, source_seq, trouble FROM replica")
    assert str(source).startswith("postgresql://")
    assert (source_seq, trouble) == (1, "")
