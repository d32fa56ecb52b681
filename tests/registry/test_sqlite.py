"""The SQLite file, on which other readers rely."""

import contextlib
import json
import sqlite3
import threading
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.registry import Registry, sqlite
from aipolicy.registry.database import Database
from tests.registry.conftest import Clock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "aipolicy.db"


def read(file: Path, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def test_the_tables_have_the_columns_that_other_readers_expect(file: Path, clock: Clock) -> None:
    with Registry(f"sqlite:///{file}", clock=clock) as registry:
        registry_id = registry.registry_id
        policy = SitePolicy.from_flag(True, site="blog.example")
        registry.put(policy, by="ada", hosts=["old.example"])
        registry.put(policy, by="eve", hosts=["www.blog.example"])
    at = 1_793_534_400_000_000
    text = '{"preferences":{"train-ai":"disallow"},"visibility":"public"}'
    assert read(file, "SELECT key, value FROM meta ORDER BY key") == [
        ("registry_id", registry_id),
        ("schema_version", "1"),
    ]
    assert read(file, "SELECT id, seq FROM sequence") == [(1, 2)]
    assert read(file, "SELECT id, name, policy, seq FROM site") == [(1, "blog.example", text, 2)]
    assert read(file, "SELECT host, site_id FROM host ORDER BY host") == [
        ("blog.example", 1),
        ("www.blog.example", 1),
    ]
    first, second = read(
        file, "SELECT seq, at, actor, site_id, site, policy, hosts, affected FROM change ORDER BY seq"
    )
    before, after = ["blog.example", "old.example"], ["blog.example", "www.blog.example"]
    both = ["blog.example", "old.example", "www.blog.example"]
    assert first[:6] == (1, at, "ada", 1, "blog.example", text)
    assert [json.loads(str(names)) for names in first[6:]] == [before, before]
    assert second[:6] == (2, at, "eve", 1, "blog.example", text)
    assert [json.loads(str(names)) for names in second[6:]] == [after, both]


def test_the_columns_have_the_expected_types(file: Path) -> None:
    Registry(f"sqlite:///{file}").close()
    columns = {
        table: {name: kind for _, name, kind, *_ in read(file, f"PRAGMA table_info({table})")}
        for table in ("meta", "sequence", "site", "host", "change")
    }
    assert columns == {
        "meta": {"key": "TEXT", "value": "TEXT"},
        "sequence": {"id": "INTEGER", "seq": "INTEGER"},
        "site": {"id": "INTEGER", "name": "TEXT", "policy": "TEXT", "seq": "INTEGER"},
        "host": {"host": "TEXT", "site_id": "INTEGER"},
        "change": {
            "seq": "INTEGER",
            "at": "INTEGER",
            "actor": "TEXT",
            "site_id": "INTEGER",
            "site": "TEXT",
            "policy": "TEXT",
            "hosts": "TEXT",
            "affected": "TEXT",
        },
    }


def test_equal_policies_of_different_sites_have_equal_texts(file: Path) -> None:
    with Registry(f"sqlite:///{file}") as registry:
        for number in range(5):
            policy = SitePolicy.from_preset("no-ai", site=f"blog{number}.example", robots_base="# Grüße\n")
            registry.put(policy, by="ada")
    ((text,),) = read(file, "SELECT DISTINCT policy FROM site")
    assert str(text).isascii()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT site_id FROM host WHERE host = 'a'",
        "SELECT site_id FROM host_history WHERE host = 'a' AND at <= 7 ORDER BY at DESC, seq DESC LIMIT 1",
        "SELECT policy FROM change WHERE site_id = 1 AND at <= 7 ORDER BY at DESC, seq DESC LIMIT 1",
        "SELECT policy FROM change WHERE seq > 7 ORDER BY seq LIMIT 9",
        "SELECT name FROM site WHERE name > 'a' ORDER BY name LIMIT 9",
        "SELECT host FROM host WHERE site_id = 1",
    ],
)
def test_no_query_scans_or_sorts_a_table(file: Path, statement: str) -> None:
    Registry(f"sqlite:///{file}").close()
    plan = " ".join(str(row[-1]) for row in read(file, f"EXPLAIN QUERY PLAN {statement}"))
    assert plan.startswith("SEARCH")
    assert "TEMP B-TREE" not in plan


def test_an_acknowledged_change_is_synced_to_the_disk(file: Path) -> None:
    database = Database(f"sqlite:///{file}", create=True)
    asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    for connecting in (database.reading, database.writing):
        with connecting() as connection:
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
        full = 2
        assert found == ["wal", full, 1, 5000]
    database.close()


def test_a_writer_holds_the_lock_before_it_reads(file: Path) -> None:
    database = Database(f"sqlite:///{file}", create=True)
    with database.writing(), contextlib.closing(sqlite3.connect(file, timeout=0)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT seq FROM sequence").fetchall() == [(0,)], "readers are not kept waiting"
    database.close()


def test_a_lock_that_is_never_released_times_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with (
        Registry(f"sqlite:///{file}") as registry,
        contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryError, match=r"aipolicy\.db.*locked.*try again"):
            registry.put(SitePolicy(site="blog.example"), by="ada")
        other.execute("COMMIT")
        assert registry.put(SitePolicy(site="blog.example"), by="ada").seq == 1


def test_too_many_readers_at_once_are_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Registry(f"sqlite:///{file}") as registry, contextlib.ExitStack() as readers:
        monkeypatch.setattr(registry._database._engine.pool, "_timeout", 0.01)
        for _ in range(15):
            readers.enter_context(registry._database.reading())
        with pytest.raises(RegistryError, match="too many threads"):
            registry.get("blog.example")


def test_opening_waits_for_a_process_that_creates_the_file(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        ending = threading.Timer(0.1, other.execute, ["ROLLBACK"])
        ending.start()
        with Registry(f"sqlite:///{file}") as registry:
            assert registry.seq == 0
        ending.join()


def test_wal_mode_is_restored_in_a_copy_without_it(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with Registry(f"sqlite:///{file}") as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
        read(file, f"VACUUM INTO '{copy}'")
    assert read(copy, "PRAGMA journal_mode") == [("delete",)]
    with Registry(f"sqlite:///{copy}") as registry:
        assert registry.seq == 1
        assert read(copy, "PRAGMA journal_mode") == [("wal",)]
